using System;
using System.Collections.Generic;
using System.Threading.Tasks;
using Townsfolk.Unity;
using Townsfolk.V1;
using UnityEditor;
using UnityEngine;

namespace Townsfolk.Editor
{
    /// <summary>Window, Townsfolk, Runtime: whether it runs, with which model, and what it writes.</summary>
    internal sealed class TownsfolkWindow : EditorWindow
    {
        private Task<GetRuntimeInfoResponse>? _asking;
        private Vector2 _scroll;

        /// <summary>Opens the window.</summary>
        [MenuItem("Window/Townsfolk/Runtime")]
        public static void Open() => GetWindow<TownsfolkWindow>("Townsfolk");

        private static RuntimeProcess? Process =>
            TownsfolkRuntime.Exists ? TownsfolkRuntime.Instance.Process : EditorRuntime.Process;

        private void OnGUI()
        {
            var process = Process;
            EditorGUILayout.LabelField("Runtime", Status(process));
            DrawModel();
            EditorGUILayout.BeginHorizontal();
            if (GUILayout.Button(process is { IsRunning: true } ? "Ask again" : "Start"))
            {
                var client = TownsfolkRuntime.Exists ? TownsfolkRuntime.Instance.Client : EditorRuntime.Client;
                _asking = Task.Run(() => client.GetRuntimeInfoAsync());
            }

            if (GUILayout.Button("Stop"))
            {
                _asking = null;
                TownsfolkRuntime.Shutdown();
                EditorRuntime.Shutdown();
            }

            if (GUILayout.Button("Settings"))
            {
                SettingsService.OpenProjectSettings(TownsfolkSettingsProvider.Path);
            }

            EditorGUILayout.EndHorizontal();
            DrawLog(process?.Log.Lines() ?? Array.Empty<string>());
        }

        // About ten times a second: the window shows a process that changes by itself.
        private void OnInspectorUpdate() => Repaint();

        private static string Status(RuntimeProcess? process)
        {
            if (process == null)
            {
                return TownsfolkSettings.Load().launchRuntime ? "not started" : "runs elsewhere";
            }

            return process.ProcessId is { } id ? "runs, process " + id : "starting or ended; see the log";
        }

        private void DrawModel()
        {
            if (_asking == null)
            {
                return;
            }

            if (!_asking.IsCompleted)
            {
                EditorGUILayout.LabelField("Model", "asking");
            }
            else if (_asking.IsFaulted)
            {
                EditorGUILayout.HelpBox(_asking.Exception!.GetBaseException().Message, MessageType.Error);
            }
            else
            {
                var info = _asking.Result;
                EditorGUILayout.LabelField("Model", $"{info.Model} ({info.Parameters:N0} parameters, {info.Dtype})");
                EditorGUILayout.LabelField("Device", info.Device);
                EditorGUILayout.LabelField("Context", info.ContextTokens + " tokens");
                EditorGUILayout.LabelField("Version", info.Version);
            }
        }

        private void DrawLog(IReadOnlyList<string> lines)
        {
            EditorGUILayout.LabelField("Log", EditorStyles.boldLabel);
            _scroll = EditorGUILayout.BeginScrollView(_scroll, GUILayout.MinHeight(120));
            foreach (var line in lines)
            {
                EditorGUILayout.LabelField(line, EditorStyles.wordWrappedLabel);
            }

            EditorGUILayout.EndScrollView();
        }
    }
}
