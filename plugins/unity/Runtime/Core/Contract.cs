using System;
using System.Collections.Generic;
using System.Threading.Tasks;
using Townsfolk.Rpc;
using Townsfolk.V1;

namespace Townsfolk
{
    /// <summary>
    /// Which runtimes this package understands, and who is to be upgraded where it does not: see
    /// docs/upgrading.md.
    /// </summary>
    public static class Contract
    {
        /// <summary>The package's own version.</summary>
        public const string PackageVersion = "0.1.0";

        /// <summary>The contract that the package speaks.</summary>
        public static readonly Version Own = new Version((int)ContractMajor.Current, (int)ContractMinor.Current);

        /// <summary>What goes with every call: the version of the contract.</summary>
        internal static readonly IReadOnlyDictionary<string, string> Metadata =
            new Dictionary<string, string> { ["townsfolk-contract"] = Own.ToString(2) };

        // That of runtimes which say none.
        private static readonly Version Unsaid = new Version(1, 0);

        /// <summary>The contract of a runtime.</summary>
        public static Version Of(GetRuntimeInfoResponse info) =>
            info.Contract == null ? Unsaid : new Version(info.Contract.Major, info.Contract.Minor);

        /// <summary>Whether a client and a runtime of these versions understand each other.</summary>
        public static bool Works(Version client, Version runtime) => client.Major == runtime.Major;

        /// <summary>Who is to be upgraded: "runtime", "client", or nobody, which is empty.</summary>
        public static string Upgrade(Version client, Version runtime)
        {
            if (runtime < client)
            {
                return "runtime";
            }

            return Works(client, runtime) ? string.Empty : "client";
        }

        /// <summary>What to do about a runtime; empty when nothing need be done.</summary>
        public static string Advice(GetRuntimeInfoResponse info)
        {
            var theirs = Of(info);
            var package = $"this package {PackageVersion} (contract {Own})";
            var runtime = $"the runtime {info.Version} (contract {theirs})";
            var older = Upgrade(Own, theirs);
            if (!Works(Own, theirs))
            {
                var what = older == "runtime" ? "the runtime" : "the package com.townsfolk.npc";
                return $"{package} and {runtime} don't understand each other: upgrade {what}; "
                    + "docs/upgrading.md says how";
            }

            return older.Length == 0
                ? string.Empty
                : $"{runtime} is older than {package}: what is new in the package is refused; upgrade the "
                    + "runtime; docs/upgrading.md says how";
        }

        /// <summary>Asks a runtime for its version; warns where some of what the package can is refused there.</summary>
        /// <returns>Whether it said one: it may still load its model.</returns>
        /// <exception cref="VersionMismatchException">Nothing would work.</exception>
        internal static async Task<bool> CheckAsync(RpcChannel channel, CallOptions options, Action<string> warn)
        {
            try
            {
                var info = await channel.UnaryAsync(
                    TownsfolkMethods.GetRuntimeInfo, new GetRuntimeInfoRequest(), options).ConfigureAwait(false);
                var advice = Advice(info);
                if (!Works(Own, Of(info)))
                {
                    throw new VersionMismatchException(advice);
                }

                if (advice.Length > 0)
                {
                    warn(advice);
                }

                return true;
            }
            catch (RpcException refused) when (
                refused.Code == StatusCode.FailedPrecondition || refused.Code == StatusCode.Unimplemented)
            {
                // The runtime has compared them itself.
                throw refused as VersionMismatchException ?? new VersionMismatchException(refused.Message);
            }
            catch (Exception failure) when (failure is RpcException || failure is OperationCanceledException)
            {
                // What is wrong, the call says that this was for.
                return false;
            }
        }
    }
}
