using System.IO;
using UnityEditor;
using UnityEngine;

namespace Townsfolk.Setup
{
    /// <summary>Says what is missing, and adds it in two clicks.</summary>
    public sealed class ProtobufSetupWindow : EditorWindow
    {
        private const string DownloadPage = "https://protobuf.dev/downloads/";

        private string _problem = string.Empty;

        /// <summary>Opens the window.</summary>
        [MenuItem("Window/Townsfolk/Setup")]
        public static void Open() => GetWindow<ProtobufSetupWindow>("Townsfolk Setup");

        private void OnGUI()
        {
            if (ProtobufCheck.IsPresent)
            {
                EditorGUILayout.HelpBox("Townsfolk has all it needs.", MessageType.Info);
                return;
            }

            EditorGUILayout.HelpBox(
                $"Townsfolk needs Google.Protobuf {ProtobufCheck.OldestVersion} or later, and this project has "
                + "none. Add it in two clicks, or with any package tool that you use already.",
                MessageType.Warning);
            if (GUILayout.Button("1. Open the download page (C#: the NuGet package Google.Protobuf)"))
            {
                Application.OpenURL(DownloadPage);
            }

            if (GUILayout.Button("2. Choose the downloaded .nupkg"))
            {
                Add(EditorUtility.OpenFilePanel("The downloaded Google.Protobuf package", string.Empty, "nupkg"));
            }

            if (_problem.Length > 0)
            {
                EditorGUILayout.HelpBox(_problem, MessageType.Error);
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
                ProtobufCheck.AddFrom(path, ProtobufCheck.PluginFolder);
                _problem = string.Empty;
                AssetDatabase.Refresh();
                EditorApplication.delayCall += ProtobufCheck.Run;
            }
            catch (System.Exception exception) when (exception is IOException || exception is InvalidDataException)
            {
                _problem = exception.Message;
            }
        }
    }
}
