using System;
using System.IO;
using System.Linq;
using Townsfolk.Unity;
using UnityEditor;
using UnityEditor.Build;
using UnityEditor.Build.Reporting;
using UnityEditor.UnityLinker;
using UnityEngine;

namespace Townsfolk.Editor
{
    /// <summary>
    /// Before a build: makes sure that the launch settings are in it, warns of what players would miss,
    /// and keeps the stripper away from what Google.Protobuf finds by reflection. After it: lays the runtime's
    /// bundle into it.
    /// </summary>
    internal sealed class TownsfolkBuild
        : IPreprocessBuildWithReport, IPostprocessBuildWithReport, IUnityLinkerProcessor
    {
        private const string LinkXml = "Packages/com.townsfolk.npc/Runtime/link.xml";

        public int callbackOrder => 0;

        public void OnPreprocessBuild(BuildReport report)
        {
            // The asset lies in a Resources folder, so that it is in the build once it exists.
            var settings = TownsfolkSettingsProvider.GetOrCreate();
            var target = report.summary.platform;
            var backend = PlayerSettings.GetScriptingBackend(
                NamedBuildTarget.FromBuildTargetGroup(BuildPipeline.GetBuildTargetGroup(target)));
            var warnings = LaunchCheck.Warnings(settings, Application.streamingAssetsPath)
                .Concat(LaunchCheck.BundleWarnings(settings, target))
                .Concat(LaunchCheck.Warnings(settings, target, backend));
            foreach (var warning in warnings)
            {
                Debug.LogWarning("Townsfolk: " + warning);
            }
        }

        public void OnPostprocessBuild(BuildReport report)
        {
            var settings = TownsfolkSettingsProvider.GetOrCreate();
            var target = report.summary.platform;
            var bundle = settings.launchRuntime ? RuntimeBundle.Open(settings.bundle) : null;
            if (bundle != null && bundle.Platform.StartsWith(LaunchCheck.PlatformOf(target), StringComparison.Ordinal))
            {
                bundle.CopyTo(Path.Combine(StreamingAssetsOf(report.summary.outputPath, target), RuntimeBundle.FolderName));
            }
        }

        /// <summary>Where a build has its StreamingAssets.</summary>
        internal static string StreamingAssetsOf(string built, BuildTarget target)
        {
            if (target == BuildTarget.StandaloneOSX)
            {
                return Path.Combine(built, "Contents", "Resources", "Data", "StreamingAssets");
            }

            var data = Path.GetFileNameWithoutExtension(built) + "_Data";
            return Path.Combine(Path.GetDirectoryName(built)!, data, "StreamingAssets");
        }

        // Unity reads link.xml files below Assets only; a package hands its own over here.
        public string GenerateAdditionalLinkXmlFile(BuildReport report, UnityLinkerBuildPipelineData data) =>
            Path.GetFullPath(LinkXml);
    }
}
