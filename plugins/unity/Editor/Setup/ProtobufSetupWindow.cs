using System.IO;
using System.Linq;
using UnityEditor;
using UnityEngine;

namespace Townsfolk.Setup
{
    /// <summary>Says what is missing, and adds it.</summary>
    public sealed class ProtobufSetupWindow : EditorWindow
    {
        private const string DownloadPage = "https://protobuf.dev/downloads/";

        private string _problem = string.Empty;
        private string _failure = string.Empty;

        /// <summary>Opens the window.</summary>
        [MenuItem("Window/Townsfolk/Setup")]
        public static void Open() => GetWindow<ProtobufSetupWindow>("Townsfolk Setup");

        private void OnEnable() => _problem = ProtobufCheck.Problem;

        private void OnFocus() => _problem = ProtobufCheck.Problem;

        private void OnGUI()
        {
            if (_problem.Length == 0)
            {
                EditorGUILayout.HelpBox("Townsfolk has all it needs.", MessageType.Info);
                return;
            }

            EditorGUILayout.HelpBox(
                _problem + " Add what is missing here, or with any package tool that you use already.",
                MessageType.Warning);
            if (GUILayout.Button("1. Open the download page (C#: the NuGet package Google.Protobuf)"))
            {
                Application.OpenURL(DownloadPage);
            }

            EditorGUILayout.LabelField(
                "The package's page lists the other ones under Dependencies. Download all that is missing into one "
                + "folder.",
                EditorStyles.wordWrappedLabel);
            if (GUILayout.Button("2. Choose a downloaded .nupkg; the others beside it are taken too"))
            {
                Add(EditorUtility.OpenFilePanel("A downloaded package", string.Empty, "nupkg"));
            }

            if (_failure.Length > 0)
            {
                EditorGUILayout.HelpBox(_failure, MessageType.Error);
            }
        }

        private void Add(string path)
        {
            if (string.IsNullOrEmpty(path))
            {
                return;
            }

            try
            {
                var left = PackageArchive.Add(path, ProtobufCheck.Missing, ProtobufCheck.PluginFolder);
                _failure = left.Any() ? "Added. Still missing: " + string.Join(", ", left) : string.Empty;
                AssetDatabase.Refresh();
                EditorApplication.delayCall += CheckAgain;
            }
            catch (System.Exception exception) when (exception is IOException || exception is InvalidDataException)
            {
                _failure = exception.Message;
            }
        }

        private void CheckAgain()
        {
            ProtobufCheck.Run();
            _problem = ProtobufCheck.Problem;
        }
    }
}
