using System.Collections.Generic;
using System.IO;
using Townsfolk.Unity;
using UnityEditor;

namespace Townsfolk.Editor
{
    /// <summary>What a player's machine would miss.</summary>
    internal static class LaunchCheck
    {
        /// <summary>Warnings about the settings alone: what would be missing on another machine.</summary>
        public static IEnumerable<string> Warnings(TownsfolkSettings settings, string streamingAssets)
        {
            if (!settings.launchRuntime)
            {
                yield break;
            }

            if (!IsShipped(settings.command, streamingAssets))
            {
                yield return $"The runtime '{settings.command}' does not lie below StreamingAssets: players would "
                    + "have to install Townsfolk themselves.";
            }

            if (settings.model.Length > 0 && !IsShipped(settings.model, streamingAssets))
            {
                yield return $"The model '{settings.model}' does not lie below StreamingAssets: players would not "
                    + "have it, unless it is a hub id that they can download.";
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

        private static bool IsShipped(string path, string streamingAssets)
        {
            var shipped = Path.Combine(streamingAssets, path);
            return !Path.IsPathRooted(path) && (File.Exists(shipped) || Directory.Exists(shipped));
        }
    }
}
