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

        // What is drawn. It changes by itself, and Unity wants the same controls in a repaint as in the layout
        // before it.
        private string _status = string.Empty;
        private bool _isRunning;
        private IReadOnlyList<string> _log = Array.Empty<string>();
        private Task<GetRuntimeInfoResponse>? _answered;

        /// <summary>Opens the window.</summary>
        [MenuItem("Window/Townsfolk/Runtime")]
        public static void Open() => GetWindow<TownsfolkWindow>("Townsfolk");

        private void OnGUI()
        {
            if (Event.current.type == EventType.Layout)
            {
                Look();
            }

            EditorGUILayout.LabelField("Runtime", _status);
            DrawModel();
            EditorGUILayout.BeginHorizontal();
            if (GUILayout.Button(_isRunning ? "Ask again" : "Start"))
            {
                var client = EditorRuntime.Client;
                _asking = Task.Run(() => client.GetRuntimeInfoAsync());
            }

            if (GUILayout.Button("Stop"))
            {
                _asking = null;
                EditorRuntime.Shutdown();
            }

            if (GUILayout.Button("Settings"))
            {
                SettingsService.OpenProjectSettings(TownsfolkSettingsProvider.Path);
            }

            EditorGUILayout.EndHorizontal();
            DrawLog();
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

        private void Look()
        {
            var process = EditorRuntime.Process;
            _status = Status(process);
            _isRunning = process is { IsRunning: true };
            _log = process?.Log.Lines() ?? Array.Empty<string>();
            _answered = _asking is { IsCompleted: true } ? _asking : null;
        }

        private void DrawModel()
        {
            if (_answered == null)
            {
                EditorGUILayout.LabelField("Model", _asking == null ? "not asked" : "asking");
            }
            else if (_answered.Status != TaskStatus.RanToCompletion)
            {
                EditorGUILayout.HelpBox(
                    _answered.Exception?.GetBaseException().Message ?? "stopped", MessageType.Error);
            }
            else
            {
                var info = _answered.Result;
                EditorGUILayout.LabelField("Model", $"{info.Model} ({info.Parameters:N0} parameters, {info.Dtype})");
                EditorGUILayout.LabelField("Device", info.Device);
                EditorGUILayout.LabelField("Context", info.ContextTokens + " tokens");
                EditorGUILayout.LabelField("Version", info.Version);
            }
        }

        private void DrawLog()
        {
            EditorGUILayout.LabelField("Log", EditorStyles.boldLabel);
            _scroll = EditorGUILayout.BeginScrollView(_scroll, GUILayout.MinHeight(120));
            foreach (var line in _log)
            {
                EditorGUILayout.LabelField(line, EditorStyles.wordWrappedLabel);
            }

            EditorGUILayout.EndScrollView();
        }
    }
}
