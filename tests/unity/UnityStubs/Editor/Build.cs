using System;
using UnityEditor.Build;
using UnityEditor.Build.Reporting;
using UnityStubs;

namespace UnityEditor
{
    public enum BuildTargetGroup
    {
        Unknown = 0,
        Standalone = 1,
        iOS = 4,
        Android = 7,
        WebGL = 13,
        PS5 = 33,
    }

    public enum BuildTarget
    {
        StandaloneOSX = 2,
        Android = 13,
        StandaloneWindows64 = 19,
        WebGL = 20,
        StandaloneLinux64 = 24,
    }

    public enum ScriptingImplementation
    {
        Mono2x = 0,
        IL2CPP = 1,
    }

    public class BuildPipeline
    {
        public static BuildTargetGroup GetBuildTargetGroup(BuildTarget platform) =>
            platform == BuildTarget.WebGL ? BuildTargetGroup.WebGL : BuildTargetGroup.Standalone;
    }

    public sealed class PlayerSettings
    {
        public static ScriptingImplementation GetScriptingBackend(NamedBuildTarget buildTarget) =>
            EditorPlayer.ScriptingBackend;

        public static void GetScriptingDefineSymbols(NamedBuildTarget buildTarget, out string[] defines) =>
            defines = EditorPlayer.Defines.TryGetValue(buildTarget.TargetName, out var found)
                ? found
                : Array.Empty<string>();

        public static void SetScriptingDefineSymbols(NamedBuildTarget buildTarget, string[] defines) =>
            EditorPlayer.Defines[buildTarget.TargetName] = defines;
    }
}

namespace UnityEditor.Build
{
    public interface IOrderedCallback
    {
        int callbackOrder { get; }
    }

    public interface IActiveBuildTargetChanged : IOrderedCallback
    {
        void OnActiveBuildTargetChanged(BuildTarget previousTarget, BuildTarget newTarget);
    }

    public interface IPreprocessBuildWithReport : IOrderedCallback
    {
        void OnPreprocessBuild(BuildReport report);
    }

    public interface IPostprocessBuildWithReport : IOrderedCallback
    {
        void OnPostprocessBuild(BuildReport report);
    }

    public interface IUnityLinkerProcessor : IOrderedCallback
    {
        string GenerateAdditionalLinkXmlFile(BuildReport report, UnityLinker.UnityLinkerBuildPipelineData data);
    }

    public readonly struct NamedBuildTarget
    {
        public static readonly NamedBuildTarget Unknown = new NamedBuildTarget(string.Empty);
        public static readonly NamedBuildTarget Standalone = new NamedBuildTarget("Standalone");
        public static readonly NamedBuildTarget Server = new NamedBuildTarget("Server");
        public static readonly NamedBuildTarget iOS = new NamedBuildTarget("iPhone");
        public static readonly NamedBuildTarget Android = new NamedBuildTarget("Android");
        public static readonly NamedBuildTarget WebGL = new NamedBuildTarget("WebGL");

        private NamedBuildTarget(string targetName)
        {
            TargetName = targetName;
        }

        public string TargetName { get; }

        public static NamedBuildTarget FromBuildTargetGroup(BuildTargetGroup buildTargetGroup)
        {
            switch (buildTargetGroup)
            {
                case BuildTargetGroup.Unknown:
                    return Unknown;
                case BuildTargetGroup.Standalone:
                    return Standalone;
                case BuildTargetGroup.iOS:
                    return iOS;
                case BuildTargetGroup.Android:
                    return Android;
                case BuildTargetGroup.WebGL:
                    return WebGL;
                case BuildTargetGroup.PS5:
                    return new NamedBuildTarget("PS5");
                default:
                    throw new ArgumentException("no such group: " + buildTargetGroup);
            }
        }
    }
}

namespace UnityEditor.Build.Reporting
{
    public struct BuildSummary
    {
        internal BuildSummary(BuildTarget platform, string outputPath)
        {
            this.platform = platform;
            this.outputPath = outputPath;
        }

        public BuildTarget platform { get; }

        public string outputPath { get; }
    }

    public sealed class BuildReport : UnityEngine.Object
    {
        internal BuildReport(BuildTarget platform, string outputPath)
        {
            summary = new BuildSummary(platform, outputPath);
        }

        public BuildSummary summary { get; }
    }
}

namespace UnityEditor.UnityLinker
{
    public class UnityLinkerBuildPipelineData
    {
    }
}
