using System.IO;
using Townsfolk.Unity;
using UnityEditor;
using UnityEngine;

namespace Townsfolk.Editor
{
    /// <summary>Project Settings, Townsfolk.</summary>
    internal static class TownsfolkSettingsProvider
    {
        /// <summary>Where the settings stand in the Project Settings.</summary>
        public const string Path = "Project/Townsfolk";

        private const string Folder = "Assets/Townsfolk/Resources";
        private const string Asset = Folder + "/" + TownsfolkSettings.ResourceName + ".asset";

        /// <summary>The project's settings; made where there are none.</summary>
        public static TownsfolkSettings GetOrCreate()
        {
            var settings = AssetDatabase.LoadAssetAtPath<TownsfolkSettings>(Asset);
            if (settings == null)
            {
                Directory.CreateDirectory(Folder);
                settings = ScriptableObject.CreateInstance<TownsfolkSettings>();
                AssetDatabase.CreateAsset(settings, Asset);
                AssetDatabase.SaveAssets();
            }

            return settings;
        }

        /// <summary>Called by the editor.</summary>
        [SettingsProvider]
        public static SettingsProvider Create()
        {
            UnityEditor.Editor? editor = null;
            return new SettingsProvider(Path, SettingsScope.Project)
            {
                guiHandler = _ =>
                {
                    if (editor == null)
                    {
                        editor = UnityEditor.Editor.CreateEditor(GetOrCreate());
                    }

                    editor.OnInspectorGUI();
                    foreach (var warning in LaunchCheck.CommandWarnings(GetOrCreate(), Application.streamingAssetsPath))
                    {
                        EditorGUILayout.HelpBox(warning, MessageType.Warning);
                    }
                },
                keywords = new[] { "Townsfolk", "NPC", "dialogue", "runtime", "model" },
            };
        }
    }
}
