using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using Townsfolk.Unity;
using Townsfolk.V1;
using UnityEditor;
using UnityEngine;

namespace Townsfolk.Editor
{
    /// <summary>
    /// Window, Townsfolk, Inspector: what goes on in the game's runtime, or in the editor's own outside play mode.
    /// The same as `townsfolk inspect` shows.
    /// </summary>
    internal sealed class InspectorWindow : EditorWindow
    {
        // What one label can show of a text is limited.
        private const int LongestLabel = 4000;
        private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);
        private static readonly string[] Pages = { "Prompt", "Turns", "Transcript", "Errors" };

        private readonly CancellationTokenSource _closed = new CancellationTokenSource();
        private Task<RuntimeLook>? _looking;
        private DateTime _lookedAt;
        private RuntimeRecorder? _recorder;
        private string _chosen = string.Empty;
        private string _page = Pages[0];
        private string _problem = string.Empty;
        private bool _isPaused;
        private bool _withoutTexts;
        private Vector2 _scroll;

        // What is drawn. Unity wants the same controls in a repaint as in the layout before it.
        private RuntimeLook? _look;
        private bool _isRunning;
        private bool _isRecording;
        private string _shownProblem = string.Empty;

        /// <summary>Opens the window.</summary>
        [MenuItem("Window/Townsfolk/Inspector")]
        public static void Open() => GetWindow<InspectorWindow>("Townsfolk Inspector");

        private static bool IsThere =>
            EditorRuntime.Process is { IsRunning: true } || !TownsfolkSettings.Load().launchRuntime;

        private void OnGUI()
        {
            if (Event.current.type == EventType.Layout)
            {
                Look();
            }

            DrawButtons();
            if (_shownProblem.Length > 0)
            {
                EditorGUILayout.HelpBox(_shownProblem, MessageType.Error);
            }

            if (_look == null)
            {
                EditorGUILayout.LabelField("Runtime", _isRunning ? "is asked" : "none runs; see Window, Townsfolk, Runtime");
                return;
            }

            DrawSessions(_look);
            _scroll = EditorGUILayout.BeginScrollView(_scroll, GUILayout.MinHeight(120));
            foreach (var line in Lines(_look))
            {
                EditorGUILayout.LabelField(line, EditorStyles.wordWrappedLabel);
            }

            EditorGUILayout.EndScrollView();
            EditorGUILayout.LabelField(Status(_look.Stats), EditorStyles.wordWrappedLabel);
        }

        // About ten times a second: the window shows what changes by itself.
        private void OnInspectorUpdate() => Repaint();

        private void OnDisable()
        {
            _closed.Cancel();
            _recorder?.Dispose();
            _recorder = null;
        }

        private static string Status(WatchStatsResponse stats) =>
            $"{stats.Running} run, {stats.Waiting} wait; first token {stats.TtftP50Ms:0} ms (p99 {stats.TtftP99Ms:0}); "
            + $"step {StepTime(stats.DecodeSteps)}, with prompts {StepTime(stats.PromptSteps)}; "
            + $"{stats.TokensPerSecond:0} tokens/s; KV {stats.KvBlocksUsed} used, {stats.KvBlocksCached} cached, "
            + $"{stats.KvBlocksFree} free; {stats.MemoryUsedMib} MiB";

        private static string StepTime(StepTimes? times) =>
            times == null || times.Measured == 0 ? "-" : $"{times.P50Ms:0.0} ms (p99 {times.P99Ms:0.0})";

        private static IEnumerable<string> Prompt(PromptReport? prompt)
        {
            if (prompt == null || prompt.TokenIds.Count == 0)
            {
                return new[] { "nothing was said to a character yet" };
            }

            var head = $"{prompt.TokenIds.Count} tokens for {prompt.TurnId}, " + (prompt.HasCachedTokens
                ? $"{prompt.CachedTokens} of them from the cache"
                : "what came from the cache is known at the end of the turn");
            return new[] { head, "— from the cache —" }
                .Concat(Pieces(prompt.CachedText))
                .Concat(new[] { "— computed —" })
                .Concat(Pieces(prompt.ComputedText));
        }

        private static IEnumerable<string> Pieces(string text)
        {
            for (var start = 0; start < text.Length;)
            {
                var length = Math.Min(LongestLabel, text.Length - start);
                if (start + length < text.Length && char.IsHighSurrogate(text[start + length - 1]))
                {
                    length--;
                }

                yield return text.Substring(start, length);
                start += length;
            }
        }

        private static string Turn(TurnReport turn)
        {
            var state = turn.State.ToString().ToLowerInvariant();
            var line = $"{turn.TurnId}: {state}; queued {turn.QueuedMs:0} ms, prompt {turn.PromptMs:0.0} ms";
            if (turn.Usage is { } usage)
            {
                var step = usage.TokensPerSecond > 0 ? $"{1000 / usage.TokensPerSecond:0.0}" : "-";
                line += $", first token {usage.TimeToFirstTokenMs:0} ms, {usage.GeneratedTokens} tokens of {step} ms"
                    + $"; prompt of {usage.PromptTokens}, {usage.CachedTokens} cached";
            }

            return line + $"; {turn.TotalMs:0} ms in all";
        }

        private static string Entry(TranscriptEntry entry) => entry.Kind == EntryKind.Event
            ? $"[{entry.Text}]"
            : $"{entry.Speaker}: {entry.Text}{(entry.Cut ? " —" : string.Empty)}";

        private static string Error(ErrorReport error)
        {
            var when = DateTimeOffset.FromUnixTimeMilliseconds(error.UnixMs).ToLocalTime();
            return $"{when:HH:mm:ss} {error.Code} {error.Method}{error.TurnId}: {error.Message}";
        }

        private static IEnumerable<string> OrNone(IEnumerable<string> lines, string none) =>
            lines.DefaultIfEmpty(none);

        private void Look()
        {
            _isRunning = IsThere;
            if (_looking is { IsCompleted: true } looked)
            {
                _looking = null;
                _lookedAt = DateTime.UtcNow;
                if (looked.Status == TaskStatus.RanToCompletion)
                {
                    _problem = string.Empty;
                    _look = looked.Result;
                    _chosen = _look.Chosen;
                }
                else
                {
                    _problem = looked.Exception?.GetBaseException().Message ?? "stopped";
                }
            }

            if (!_isRunning)
            {
                _look = null;
            }
            else if (_looking == null && !_isPaused && DateTime.UtcNow - _lookedAt > Interval)
            {
                var (client, chosen, closed) = (EditorRuntime.Client, _chosen, _closed.Token);
                _looking = Task.Run(() => RuntimeLook.TakeAsync(client, chosen, closed));
            }

            var ended = _recorder?.Problem ?? string.Empty;
            if (ended.Length > 0)
            {
                _recorder!.Dispose();
                _recorder = null;
                _problem = ended;
            }

            _isRecording = _recorder != null;
            _shownProblem = _problem;
        }

        private void DrawButtons()
        {
            EditorGUILayout.BeginHorizontal();
            if (GUILayout.Button(_isPaused ? "Go on" : "Pause"))
            {
                _isPaused = !_isPaused;
            }

            if (GUILayout.Button(_isRecording ? "Stop recording" : "Record..."))
            {
                Record();
            }

            if (GUILayout.Button(_withoutTexts ? "Record without texts" : "Record with texts"))
            {
                _withoutTexts = !_withoutTexts;
            }

            foreach (var page in Pages)
            {
                if (GUILayout.Button(page))
                {
                    _page = page;
                }
            }

            EditorGUILayout.EndHorizontal();
        }

        private void DrawSessions(RuntimeLook look)
        {
            EditorGUILayout.LabelField("Sessions", EditorStyles.boldLabel);
            foreach (var session in look.Sessions)
            {
                var marks = (session.Speaking ? " *" : string.Empty)
                    + (session.SessionId == look.Chosen ? " <" : string.Empty);
                if (GUILayout.Button(
                    $"{session.PersonaName} ({session.SessionId}): {session.TranscriptEntries} lines, "
                    + $"{look.Waiting(session)} wait{marks}"))
                {
                    _chosen = session.SessionId;
                    _lookedAt = default;
                }
            }

            EditorGUILayout.LabelField(_page, EditorStyles.boldLabel);
        }

        private IEnumerable<string> Lines(RuntimeLook look)
        {
            switch (_page)
            {
                case "Turns":
                    var turns = look.ChosenSeen?.Turns.Reverse() ?? Enumerable.Empty<TurnReport>();
                    return OrNone(turns.Select(Turn), "no turn was begun yet");
                case "Transcript":
                    var history = look.Saved?.Config.History ?? Enumerable.Empty<TranscriptEntry>();
                    return OrNone(history.Select(Entry), "nothing was said yet");
                case "Errors":
                    return OrNone(look.Errors.Select(Error), "nothing failed");
                default:
                    return Prompt(look.ChosenSeen?.Prompt);
            }
        }

        private void Record()
        {
            _problem = string.Empty;
            if (_recorder != null)
            {
                _recorder.Dispose();
                _recorder = null;
                return;
            }

            var file = EditorUtility.SaveFilePanel("Record what goes on", string.Empty, "townsfolk", "jsonl");
            if (file.Length == 0)
            {
                return;
            }

            try
            {
                var settings = TownsfolkSettings.Load();
                var endpoint = EditorRuntime.Process?.Endpoint ?? settings.ToEndpoint();
                _recorder = RuntimeRecorder.Start(settings.ToLaunch(), endpoint, file, _withoutTexts);
            }
            catch (RuntimeStartException missing)
            {
                _problem = missing.Message;
            }
        }
    }
}
