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
        WebGL = 13,
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

    public class EditorUserBuildSettings
    {
        public static BuildTargetGroup selectedBuildTargetGroup { get; set; } = BuildTargetGroup.Standalone;
    }

    public sealed class PlayerSettings
    {
        public static ScriptingImplementation GetScriptingBackend(NamedBuildTarget buildTarget) =>
            EditorPlayer.ScriptingBackend;

        public static void GetScriptingDefineSymbols(NamedBuildTarget buildTarget, out string[] defines) =>
            defines = EditorPlayer.Defines;

        public static void SetScriptingDefineSymbols(NamedBuildTarget buildTarget, string[] defines) =>
            EditorPlayer.Defines = defines;
    }
}

namespace UnityEditor.Build
{
    public interface IOrderedCallback
    {
        int callbackOrder { get; }
    }

    public interface IPreprocessBuildWithReport : IOrderedCallback
    {
        void OnPreprocessBuild(BuildReport report);
    }

    public interface IUnityLinkerProcessor : IOrderedCallback
    {
        string GenerateAdditionalLinkXmlFile(BuildReport report, UnityLinker.UnityLinkerBuildPipelineData data);
    }

    public readonly struct NamedBuildTarget
    {
        public static NamedBuildTarget FromBuildTargetGroup(BuildTargetGroup buildTargetGroup) => default;
    }
}

namespace UnityEditor.Build.Reporting
{
    public struct BuildSummary
    {
        internal BuildSummary(BuildTarget platform)
        {
            this.platform = platform;
        }

        public BuildTarget platform { get; }
    }

    public sealed class BuildReport : UnityEngine.Object
    {
        internal BuildReport(BuildTarget platform)
        {
            summary = new BuildSummary(platform);
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
