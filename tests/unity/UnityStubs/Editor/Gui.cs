using UnityEditor;
using UnityEngine;
using UnityStubs;

namespace UnityEngine
{
    public enum EventType
    {
        MouseUp = 1,
        Repaint = 7,
        Layout = 8,
    }

    public sealed class Event
    {
        public static Event current { get; set; } = new Event();

        public EventType type { get; set; }
    }

    public class GUIStyle
    {
    }

    public sealed class GUILayoutOption
    {
        internal GUILayoutOption()
        {
        }
    }

    public class GUILayout
    {
        public static bool Button(string text, params GUILayoutOption[] options) => EditorPlayer.Button(text);

        public static GUILayoutOption MinHeight(float minHeight) => new GUILayoutOption();
    }
}

namespace UnityEditor
{
    public enum MessageType
    {
        None = 0,
        Info = 1,
        Warning = 2,
        Error = 3,
    }

    public sealed class EditorStyles
    {
        public static GUIStyle boldLabel { get; } = new GUIStyle();

        public static GUIStyle wordWrappedLabel { get; } = new GUIStyle();
    }

    public sealed class EditorGUILayout
    {
        public static void LabelField(string label, string label2, params GUILayoutOption[] options) =>
            EditorPlayer.Draw(label + ": " + label2);

        public static void LabelField(string label, GUIStyle style, params GUILayoutOption[] options) =>
            EditorPlayer.Draw(label);

        public static string TextField(string text, params GUILayoutOption[] options) => EditorPlayer.Text(text);

        public static void HelpBox(string message, MessageType type) => EditorPlayer.Draw($"{type}: {message}");

        public static Rect BeginHorizontal(params GUILayoutOption[] options) => default;

        public static void EndHorizontal()
        {
        }

        public static Vector2 BeginScrollView(Vector2 scrollPosition, params GUILayoutOption[] options) =>
            scrollPosition;

        public static void EndScrollView()
        {
        }
    }
}

namespace UnityEngine
{
    public struct Rect
    {
    }
}
