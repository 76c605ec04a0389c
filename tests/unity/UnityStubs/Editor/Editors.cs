using System;
using System.Collections.Generic;
using UnityEngine;
using UnityStubs;

namespace UnityEditor
{
    public enum PlayModeStateChange
    {
        EnteredEditMode = 0,
        ExitingEditMode = 1,
        EnteredPlayMode = 2,
        ExitingPlayMode = 3,
    }

    [AttributeUsage(AttributeTargets.Class)]
    public class InitializeOnLoadAttribute : Attribute
    {
    }

    [AttributeUsage(AttributeTargets.Method, AllowMultiple = true)]
    public sealed class MenuItem : Attribute
    {
        public MenuItem(string itemName)
        {
        }
    }

    public sealed class CanEditMultipleObjects : Attribute
    {
    }

    public class CustomEditor : Attribute
    {
        public CustomEditor(Type inspectedType)
        {
        }
    }

    public sealed class EditorApplication
    {
        public delegate void CallbackFunction();

#pragma warning disable CA2211 // So they are in Unity.
        public static CallbackFunction? update;

        public static CallbackFunction? delayCall;
#pragma warning restore CA2211

        public static event Action<PlayModeStateChange>? playModeStateChanged
        {
            add => EditorPlayer.PlayModeStateChanged += value;
            remove => EditorPlayer.PlayModeStateChanged -= value;
        }

        public static event Action? quitting
        {
            add => EditorPlayer.Quitting += value;
            remove => EditorPlayer.Quitting -= value;
        }
    }

    public static class AssemblyReloadEvents
    {
        public delegate void AssemblyReloadCallback();

        public static event AssemblyReloadCallback? beforeAssemblyReload
        {
            add => EditorPlayer.BeforeAssemblyReload += value;
            remove => EditorPlayer.BeforeAssemblyReload -= value;
        }
    }

    public class Editor : ScriptableObject
    {
        public UnityEngine.Object target => targets[0];

        public UnityEngine.Object[] targets { get; internal set; } = Array.Empty<UnityEngine.Object>();

        public static Editor CreateEditor(UnityEngine.Object targetObject) =>
            new Editor { targets = new[] { targetObject } };

        public virtual void OnInspectorGUI() => DrawDefaultInspector();

        public bool DrawDefaultInspector() => false;

        public void Repaint() => EditorPlayer.Repaints++;
    }

    public class EditorWindow : ScriptableObject
    {
        public static T GetWindow<T>(string title)
            where T : EditorWindow => EditorPlayer.Window<T>(title);

        public void Repaint() => EditorPlayer.Repaints++;
    }

    public enum SettingsScope
    {
        User = 0,
        Project = 1,
    }

    [AttributeUsage(AttributeTargets.Method)]
    public class SettingsProviderAttribute : Attribute
    {
    }

    public class SettingsProvider
    {
        public SettingsProvider(string path, SettingsScope scopes, IEnumerable<string>? keywords = null)
        {
            settingsPath = path;
            scope = scopes;
            this.keywords = keywords ?? Array.Empty<string>();
        }

        public string settingsPath { get; }

        public SettingsScope scope { get; }

        public IEnumerable<string> keywords { get; set; }

        public Action<string>? guiHandler { get; set; }
    }

    public static class SettingsService
    {
        public static EditorWindow OpenProjectSettings(string? settingsPath = null) => new EditorWindow();
    }
}
