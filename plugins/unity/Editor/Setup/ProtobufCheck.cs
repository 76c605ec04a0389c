using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Reflection;
using UnityEditor;
using UnityEditor.Build;
using UnityEditor.Compilation;
using UnityEngine;
using Assembly = System.Reflection.Assembly;

namespace Townsfolk.Setup
{
    /// <summary>
    /// Townsfolk needs assemblies that it does not ship: Google.Protobuf, and what that one needs and Unity
    /// lacks. The package's other assemblies compile only where TOWNSFOLK_PROTOBUF is defined, so that this
    /// one, which needs nothing, still compiles in a project that lacks them and can say what to do.
    /// </summary>
    [InitializeOnLoad]
    public static class ProtobufCheck
    {
        /// <summary>The define that lets the package's other assemblies compile.</summary>
        public const string Define = "TOWNSFOLK_PROTOBUF";

        /// <summary>Where added assemblies are put.</summary>
        public const string PluginFolder = "Assets/Plugins/Townsfolk";

        static ProtobufCheck()
        {
            if (Application.isBatchMode)
            {
                // A build machine may build before the editor's first idle moment.
                Run();
            }
            else
            {
                EditorApplication.delayCall += Run;
            }
        }

        /// <summary>The packages whose assemblies neither Unity nor the project has.</summary>
        public static IReadOnlyList<NeededPackage> Missing
        {
            get
            {
                const CompilationPipeline.PrecompiledAssemblySources Sources =
                    CompilationPipeline.PrecompiledAssemblySources.SystemAssembly
                    | CompilationPipeline.PrecompiledAssemblySources.UserAssembly;
                var present = new HashSet<string>(
                    CompilationPipeline.GetPrecompiledAssemblyPaths(Sources).Select(Path.GetFileName),
                    StringComparer.OrdinalIgnoreCase);
                return NeededPackage.All.Where(one => !present.Contains(one.AssemblyFile)).ToList();
            }
        }

        /// <summary>What keeps Google.Protobuf from working in this project; empty when it works.</summary>
        public static string Problem
        {
            get
            {
                var missing = Missing;
                return missing.Count > 0
                    ? "This project lacks " + string.Join(" and ", missing) + "."
                    : ProtobufProof.Problem(Assembly.Load);
            }
        }

        /// <summary>
        /// Sets or removes the define, for every platform, by whether the assemblies are there and work; opens
        /// the window where they do not.
        /// </summary>
        public static void Run()
        {
            var problem = Problem;
            foreach (var target in Targets())
            {
                SetDefine(target, problem.Length == 0);
            }

            if (problem.Length == 0)
            {
                return;
            }

            if (Application.isBatchMode)
            {
                Debug.LogError("Townsfolk: " + problem + " Open the project in the editor: the window Townsfolk "
                    + "Setup helps.");
            }
            else
            {
                ProtobufSetupWindow.Open();
            }
        }

        private static void SetDefine(NamedBuildTarget target, bool wanted)
        {
            PlayerSettings.GetScriptingDefineSymbols(target, out var defines);
            if (defines.Contains(Define) != wanted)
            {
                PlayerSettings.SetScriptingDefineSymbols(
                    target,
                    wanted ? defines.Append(Define).ToArray() : defines.Where(one => one != Define).ToArray());
            }
        }

        // Every platform that this Unity knows, whether its module is installed or not: the next one that the
        // project is switched to, a build machine's, the dedicated server.
        private static IEnumerable<NamedBuildTarget> Targets()
        {
            var named = typeof(NamedBuildTarget).GetFields(BindingFlags.Public | BindingFlags.Static)
                .Where(IsCurrent)
                .Select(field => field.GetValue(null))
                .OfType<NamedBuildTarget>();
            var grouped = typeof(BuildTargetGroup).GetFields(BindingFlags.Public | BindingFlags.Static)
                .Where(IsCurrent)
                .Select(field => TargetOf((BuildTargetGroup)field.GetValue(null)));
            return named.Concat(grouped)
                .Where(target => !string.IsNullOrEmpty(target.TargetName))
                .GroupBy(target => target.TargetName)
                .Select(group => group.First());
        }

        private static bool IsCurrent(MemberInfo member) => !member.IsDefined(typeof(ObsoleteAttribute));

        private static NamedBuildTarget TargetOf(BuildTargetGroup group)
        {
            try
            {
                return NamedBuildTarget.FromBuildTargetGroup(group);
            }
            catch (ArgumentException)
            {
                // A group that this Unity lists and no longer builds for.
                return NamedBuildTarget.Unknown;
            }
        }

        private sealed class PlatformSwitch : IActiveBuildTargetChanged
        {
            public int callbackOrder => 0;

            public void OnActiveBuildTargetChanged(BuildTarget previousTarget, BuildTarget newTarget) => Run();
        }
    }
}
