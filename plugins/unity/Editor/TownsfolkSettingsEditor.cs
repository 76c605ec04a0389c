using System;
using System.IO;
using Townsfolk.Unity;
using UnityEditor;
using UnityEngine;

namespace Townsfolk.Editor
{
    /// <summary>The settings' inspector, also in the Project Settings: with a picker for the model's file.</summary>
    [CustomEditor(typeof(TownsfolkSettings))]
    internal sealed class TownsfolkSettingsEditor : UnityEditor.Editor
    {
        public override void OnInspectorGUI()
        {
            DrawDefaultInspector();
            var settings = (TownsfolkSettings)target;
            if (GUILayout.Button("Choose a GGUF model"))
            {
                var chosen = EditorUtility.OpenFilePanel(
                    "Choose a GGUF model", Application.streamingAssetsPath, "gguf");
                if (chosen.Length > 0)
                {
                    Undo.RecordObject(settings, "Choose a model");
                    settings.model = FromStreamingAssets(chosen, Application.streamingAssetsPath);
                    EditorUtility.SetDirty(settings);
                }
            }

            foreach (var warning in LaunchCheck.ModelWarnings(settings, Application.streamingAssetsPath))
            {
                EditorGUILayout.HelpBox(warning, MessageType.Warning);
            }
        }

        /// <summary>A path as a build finds it: from StreamingAssets on, where the file lies below that.</summary>
        private static string FromStreamingAssets(string path, string streamingAssets)
        {
            var full = Path.GetFullPath(path).Replace('\\', '/');
            var folder = Path.GetFullPath(streamingAssets).Replace('\\', '/').TrimEnd('/') + "/";
            return full.StartsWith(folder, StringComparison.Ordinal) ? full.Substring(folder.Length) : full;
        }
    }
}
