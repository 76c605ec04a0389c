using System;
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

    public sealed class EditorUtility
    {
        public static string OpenFilePanel(string title, string directory, string extension) =>
            EditorPlayer.ChosenFile;
    }
}

namespace UnityEditor.Compilation
{
    public static class CompilationPipeline
    {
        public static string[] GetPrecompiledAssemblyNames() => EditorPlayer.PrecompiledAssemblies;
    }
}
