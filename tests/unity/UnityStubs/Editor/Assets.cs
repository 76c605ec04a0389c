using System;
using System.Linq;
using UnityEngine;
using UnityStubs;

namespace UnityEditor
{
    public sealed class AssetDatabase
    {
        public static T LoadAssetAtPath<T>(string assetPath)
            where T : UnityEngine.Object =>
            (EditorPlayer.Assets.TryGetValue(assetPath, out var asset) ? asset as T : null)!;

        public static void CreateAsset(UnityEngine.Object asset, string path) => EditorPlayer.Assets[path] = asset;

        public static void SaveAssets()
        {
        }

        public static void Refresh() => EditorPlayer.Refreshes++;
    }

    public static class EditorJsonUtility
    {
        public static string ToJson(object obj) => string.Join(
            "\n", obj.GetType().GetFields().Where(field => !field.IsLiteral).Select(field => field.Name + ": " + Text(field.GetValue(obj))));

        private static string Text(object? value) =>
            value is Array list ? string.Join(", ", list.Cast<object>()) : value?.ToString() ?? string.Empty;
    }

    public sealed class EditorUtility
    {
        public static string OpenFilePanel(string title, string directory, string extension) =>
            EditorPlayer.ChosenFile;

        public static string SaveFilePanel(string title, string directory, string defaultName, string extension) =>
            EditorPlayer.ChosenFile;

        public static void SetDirty(UnityEngine.Object target) => EditorPlayer.Dirty.Add(target);
    }

    public class Undo
    {
        public static void RecordObject(UnityEngine.Object objectToUndo, string name) =>
            EditorPlayer.Recorded.Add(name);
    }
}

namespace UnityEditor.Compilation
{
    public static class CompilationPipeline
    {
        [Flags]
        public enum PrecompiledAssemblySources
        {
            UserAssembly = 1,
            UnityEngine = 2,
            UnityEditor = 4,
            SystemAssembly = 8,
            UnityAssembly = 16,
            All = -1,
        }

        public static string[] GetPrecompiledAssemblyPaths(PrecompiledAssemblySources precompiledAssemblySources) =>
            EditorPlayer.SystemAssemblies
                .Where(_ => (precompiledAssemblySources & PrecompiledAssemblySources.SystemAssembly) != 0)
                .Concat(EditorPlayer.UserAssemblies
                    .Where(_ => (precompiledAssemblySources & PrecompiledAssemblySources.UserAssembly) != 0))
                .ToArray();
    }
}
