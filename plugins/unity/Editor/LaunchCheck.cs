using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using Townsfolk.Unity;
using UnityEditor;

namespace Townsfolk.Editor
{
    /// <summary>What a player's machine would miss.</summary>
    internal static class LaunchCheck
    {
        /// <summary>Warnings about the settings alone: what would be missing on another machine.</summary>
        public static IEnumerable<string> Warnings(TownsfolkSettings settings, string streamingAssets) =>
            CommandWarnings(settings, streamingAssets).Concat(ModelWarnings(settings, streamingAssets));

        /// <summary>Warnings about the runtime's program.</summary>
        public static IEnumerable<string> CommandWarnings(TownsfolkSettings settings, string streamingAssets)
        {
            if (settings.launchRuntime && settings.bundle.Length == 0 && !IsShipped(settings.command, streamingAssets))
            {
                yield return $"The runtime '{settings.command}' does not lie below StreamingAssets: players would "
                    + "have to install Townsfolk themselves.";
            }
        }

        /// <summary>Warnings about the model: what players would not have, or what is not even here.</summary>
        public static IEnumerable<string> ModelWarnings(TownsfolkSettings settings, string streamingAssets)
        {
            var model = settings.model;
            if (!settings.launchRuntime || model.Length == 0 || model == "starter"
                || IsShipped(model, streamingAssets))
            {
                yield break;
            }

            var bundle = RuntimeBundle.Open(settings.bundle);
            if (bundle != null && bundle.Has(model))
            {
                yield break;
            }

            if (bundle != null && IsName(model))
            {
                yield return $"The model '{model}' is no file below StreamingAssets, and a bundle downloads nothing: "
                    + "make the bundle with this model, and leave the setting empty.";
            }
            else if (IsName(model))
            {
                yield return $"The model '{model}' is no file below StreamingAssets: players download it when the "
                    + "game first starts its runtime, unless the runtime that you ship has it.";
            }
            else if (Path.IsPathRooted(model) && (File.Exists(model) || Directory.Exists(model)))
            {
                yield return $"The model '{model}' does not lie below StreamingAssets: players would not have it.";
            }
            else
            {
                var what = model.EndsWith(".gguf", StringComparison.Ordinal) ? "file" : "folder";
                yield return $"The model '{model}' is not there: put its {what} at "
                    + $"{Path.Combine(streamingAssets, model)}, or choose another one.";
            }
        }

        /// <summary>Warnings about the bundle that a build is to take along.</summary>
        public static IEnumerable<string> BundleWarnings(TownsfolkSettings settings, BuildTarget target)
        {
            if (!settings.launchRuntime || settings.bundle.Length == 0)
            {
                yield break;
            }

            var bundle = RuntimeBundle.Open(settings.bundle);
            if (bundle == null)
            {
                yield return $"'{settings.bundle}' holds no bundle: make one with 'townsfolk bundle'.";
                yield break;
            }

            if (!bundle.Platform.StartsWith(PlatformOf(target), StringComparison.Ordinal))
            {
                yield return $"The bundle is for {bundle.Platform}: make one on the system that you build for.";
            }

            var broken = bundle.Problems().Take(3).ToList();
            if (broken.Count > 0)
            {
                yield return $"The bundle is damaged, make it anew: {string.Join(", ", broken)}.";
            }
        }

        /// <summary>Warnings about launching a process on a platform.</summary>
        public static IEnumerable<string> Warnings(
            TownsfolkSettings settings, BuildTarget target, ScriptingImplementation backend)
        {
            var desktop = target == BuildTarget.StandaloneWindows64 || target == BuildTarget.StandaloneOSX
                || target == BuildTarget.StandaloneLinux64;
            if (target == BuildTarget.WebGL)
            {
                yield return "Townsfolk needs threads and sockets, which WebGL does not have.";
            }
            else if (settings.launchRuntime && !desktop)
            {
                yield return $"{target} can't launch a runtime: switch 'Launch Runtime' off and name a host.";
            }
            else if (settings.launchRuntime && backend == ScriptingImplementation.IL2CPP)
            {
                yield return "IL2CPP does not support System.Diagnostics.Process, so the game can't launch its "
                    + "runtime: choose the Mono scripting backend, or start the runtime with the game's launcher "
                    + "and switch 'Launch Runtime' off.";
            }
        }

        /// <summary>How the platforms of bundles begin that run where a build runs.</summary>
        public static string PlatformOf(BuildTarget target)
        {
            switch (target)
            {
                case BuildTarget.StandaloneWindows64:
                    return "win";
                case BuildTarget.StandaloneOSX:
                    return "macos";
                case BuildTarget.StandaloneLinux64:
                    return "linux";
                default:
                    return "none";
            }
        }

        /// <summary>Whether it is a name that the runtime knows, or one of the hub: owner/name, perhaps with a file.</summary>
        private static bool IsName(string model)
        {
            var repository = model.Split(':')[0];
            var parts = repository.Split('/');
            var plain = model[0] != '.' && !Path.IsPathRooted(model) && model.IndexOf('\\') < 0;
            return plain && (parts.Length == 2
                ? parts[0].Length > 0 && parts[1].Length > 0 && !repository.EndsWith(".gguf", StringComparison.Ordinal)
                : parts.Length == 1 && repository == model && !model.EndsWith(".gguf", StringComparison.Ordinal));
        }

        private static bool IsShipped(string path, string streamingAssets)
        {
            var shipped = Path.Combine(streamingAssets, path);
            return !Path.IsPathRooted(path) && (File.Exists(shipped) || Directory.Exists(shipped));
        }
    }
}
