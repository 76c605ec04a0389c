using System;
using System.Collections.Generic;
using System.Reflection;
using UnityEditor;
using UnityEditor.Build;
using UnityEditor.Build.Reporting;
using UnityEngine;

namespace UnityStubs
{
    /// <summary>Plays the part of the Unity editor in tests, and of the developer at it.</summary>
    public static class EditorPlayer
    {
        private static readonly List<string> Drawn = new List<string>();
        private static string? s_pressed;
        private static string? s_typed;

        public static event Action<PlayModeStateChange>? PlayModeStateChanged;

        public static event Action? Quitting;

        public static event AssemblyReloadEvents.AssemblyReloadCallback? BeforeAssemblyReload;

        public static int Repaints { get; set; }

        public static int Refreshes { get; set; }

        /// <summary>What Unity's own class library has of what Google.Protobuf refers to.</summary>
        public static string[] SystemAssemblies { get; set; } =
        {
            "/Editor/Data/System.Buffers.dll", "/Editor/Data/System.Memory.dll",
            "/Editor/Data/System.Numerics.Vectors.dll",
        };

        public static string[] UserAssemblies { get; set; } = Array.Empty<string>();

        public static Dictionary<string, string[]> Defines { get; } = new Dictionary<string, string[]>();

        public static ScriptingImplementation ScriptingBackend { get; set; }

        public static string ChosenFile { get; set; } = string.Empty;

        /// <summary>What was changed and is to be saved.</summary>
        public static List<UnityEngine.Object> Dirty { get; } = new List<UnityEngine.Object>();

        /// <summary>What can be undone.</summary>
        public static List<string> Recorded { get; } = new List<string>();

        public static Dictionary<string, UnityEngine.Object> Assets { get; } =
            new Dictionary<string, UnityEngine.Object>();

        public static Dictionary<string, EditorWindow> Windows { get; } = new Dictionary<string, EditorWindow>();

        /// <summary>The scripts are compiled anew: what is loaded is about to go.</summary>
        public static void ReloadAssemblies() => BeforeAssemblyReload?.Invoke();

        public static void ChangePlayMode(PlayModeStateChange change) => PlayModeStateChanged?.Invoke(change);

        public static void Quit() => Quitting?.Invoke();

        /// <summary>One frame of the editor.</summary>
        public static void Frame()
        {
            var delayed = EditorApplication.delayCall;
            EditorApplication.delayCall = null;
            delayed?.Invoke();
            EditorApplication.update?.Invoke();
        }

        /// <summary>
        /// Draws a window or an inspector as Unity does, laid out first; returns the texts. One button can be
        /// pressed, one text typed. What happens on other threads between the two is done by `meanwhile`.
        /// </summary>
        public static IReadOnlyList<string> Draw(
            ScriptableObject gui, string? press = null, string? type = null, Action? meanwhile = null)
        {
            var laidOut = Send(gui, EventType.Layout);
            meanwhile?.Invoke();
            if (press == null && type == null)
            {
                var painted = Send(gui, EventType.Repaint);
                return painted.Length == laidOut.Length
                    ? painted
                    : throw new ArgumentException(
                        $"{laidOut.Length} controls were laid out, {painted.Length} were painted");
            }

            s_pressed = press;
            s_typed = type;
            var drawn = Send(gui, EventType.MouseUp);
            return s_pressed == null
                ? drawn
                : throw new InvalidOperationException($"there is no button '{s_pressed}'");
        }

        /// <summary>An inspector of a type that is not public, for what is selected.</summary>
        public static UnityEditor.Editor Inspect(
            Assembly assembly, string type, params UnityEngine.Object[] targets)
        {
            var editor = (UnityEditor.Editor)Activator.CreateInstance(assembly.GetType(type, throwOnError: true)!)!;
            editor.targets = targets;
            return targets.Length == 1 || editor.GetType().IsDefined(typeof(CanEditMultipleObjects), inherit: true)
                ? editor
                : throw new NotSupportedException("Multi-object editing not supported.");
        }

        public static void Close(ScriptableObject gui) => Player.Send(gui, "OnDisable");

        public static BuildReport Report(BuildTarget platform, string outputPath = "") =>
            new BuildReport(platform, outputPath);

        /// <summary>The project is switched to another platform.</summary>
        public static void SwitchPlatform(Assembly assembly, BuildTarget target)
        {
            foreach (var type in assembly.GetTypes())
            {
                if (typeof(IActiveBuildTargetChanged).IsAssignableFrom(type))
                {
                    var listener = (IActiveBuildTargetChanged)Activator.CreateInstance(type, nonPublic: true)!;
                    listener.OnActiveBuildTargetChanged(BuildTarget.StandaloneLinux64, target);
                }
            }
        }

        internal static T Window<T>(string title)
            where T : EditorWindow
        {
            if (Windows.TryGetValue(title, out var open))
            {
                return (T)open;
            }

            var window = Activator.CreateInstance<T>();
            Windows[title] = window;
            Player.Send(window, "OnEnable");
            return window;
        }

        internal static void Draw(string text) => Drawn.Add(text);

        private static string[] Send(ScriptableObject gui, EventType type)
        {
            Drawn.Clear();
            Event.current.type = type;
            if (gui is UnityEditor.Editor editor)
            {
                editor.OnInspectorGUI();
            }
            else
            {
                Player.Send(gui, "OnGUI");
            }

            return Drawn.ToArray();
        }

        internal static bool Button(string text)
        {
            Drawn.Add("[" + text + "]");
            if (s_pressed != text)
            {
                return false;
            }

            s_pressed = null;
            return true;
        }

        internal static string Text(string text)
        {
            Drawn.Add("<" + text + ">");
            var typed = s_typed ?? text;
            s_typed = null;
            return typed;
        }
    }
}
