using System;
using System.Collections.Concurrent;
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
    /// <summary>A conversation in an inspector, with a character that need not be in any scene.</summary>
    internal sealed class TestChat : IDisposable
    {
        private readonly Action _changed;
        private readonly ConcurrentQueue<(CancellationToken Of, bool Ends, string Text)> _arrived =
            new ConcurrentQueue<(CancellationToken Of, bool Ends, string Text)>();

        private readonly List<string> _lines = new List<string>();
        private CancellationTokenSource _ending = new CancellationTokenSource();
        private Task<NpcSession>? _opening;
        private NpcPersona? _persona;
        private TownsfolkClient? _client;
        private SessionConfig? _config;
        private List<Lore> _lore = new List<Lore>();

        // The last session that was opened; another one goes on from its transcript.
        private NpcSession? _session;
        private string _input = string.Empty;
        private Vector2 _scroll;
        private bool _busy;

        /// <summary>Creates a chat; nothing is started before the first line.</summary>
        public TestChat(Action changed)
        {
            _changed = changed;
            EditorApplication.update += TakeArrived;
        }

        /// <summary>What was said.</summary>
        public IReadOnlyList<string> Lines => _lines;

        /// <summary>Draws the chat.</summary>
        public void Draw(NpcPersona? persona, IReadOnlyList<LorePack> lore, SamplingPreset? sampling)
        {
            EditorGUILayout.LabelField("Test chat", EditorStyles.boldLabel);
            if (persona == null || persona.characterName.Length == 0)
            {
                EditorGUILayout.HelpBox("Give the character a name to talk to it.", MessageType.Info);
                return;
            }

            if (_persona != persona)
            {
                // Another character's chat.
                Forget();
                _persona = persona;
            }

            _scroll = EditorGUILayout.BeginScrollView(_scroll, GUILayout.MinHeight(120));
            foreach (var line in _lines)
            {
                EditorGUILayout.LabelField(line, EditorStyles.wordWrappedLabel);
            }

            EditorGUILayout.EndScrollView();
            EditorGUILayout.BeginHorizontal();
            _input = EditorGUILayout.TextField(_input);
            if (GUILayout.Button(_busy ? "Interrupt" : "Say"))
            {
                if (_busy)
                {
                    _ending.Cancel();
                }
                else if (_input.Trim().Length > 0)
                {
                    Say(_input.Trim(), persona, lore, sampling);
                    _input = string.Empty;
                }
            }

            if (GUILayout.Button("Start over"))
            {
                Forget();
            }

            EditorGUILayout.EndHorizontal();
        }

        /// <summary>Ends the conversation.</summary>
        public void Dispose()
        {
            EditorApplication.update -= TakeArrived;
            Forget();
        }

        private void Say(
            string text, NpcPersona persona, IReadOnlyList<LorePack> lore, SamplingPreset? sampling)
        {
            var opening = Open(persona, lore, sampling);
            _busy = true;
            _lines.Add("You: " + text);
            _lines.Add(persona.characterName + ": ");
            _ending = new CancellationTokenSource();
            var cancellation = _ending.Token;
            _ = Task.Run(() => RunAsync(opening, text, cancellation));
        }

        // The session that is open, or one that goes on from it where the character or the settings were edited.
        private Task<NpcSession> Open(
            NpcPersona persona, IReadOnlyList<LorePack> lore, SamplingPreset? sampling)
        {
            var known = LorePack.ToMessages(lore);
            var config = persona.ToSession(known, sampling);
            var client = EditorRuntime.Client;
            _session = _opening is { Status: TaskStatus.RanToCompletion } open ? open.Result : _session;
            var failed = _opening == null || _opening.IsFaulted || _opening.IsCanceled;
            if (failed || client != _client || !config.Equals(_config) || !known.SequenceEqual(_lore))
            {
                (_client, _config, _lore) = (client, config, known);
                var next = config.Clone();
                var before = _session;
                if (before != null)
                {
                    next.History.AddRange(before.History);
                }

                _opening = Task.Run(() => OpenAsync(client, next, known, before));
            }

            return _opening!;
        }

        private static async Task<NpcSession> OpenAsync(
            TownsfolkClient client, SessionConfig config, List<Lore> lore, NpcSession? before)
        {
            if (before != null)
            {
                await CloseAsync(Task.FromResult(before)).ConfigureAwait(false);
            }

            foreach (var one in lore)
            {
                await client.RegisterLoreAsync(one).ConfigureAwait(false);
            }

            return await client.OpenSessionAsync(config).ConfigureAwait(false);
        }

        private async Task RunAsync(Task<NpcSession> opening, string text, CancellationToken cancellation)
        {
            var end = string.Empty;
            try
            {
                var session = await opening.ConfigureAwait(false);
                await foreach (var happened in session.SayAsync(text, cancellation).ConfigureAwait(false))
                {
                    if (happened.Kind == NpcEventKind.Text)
                    {
                        _arrived.Enqueue((cancellation, false, happened.Text));
                    }
                }
            }
            catch (OperationCanceledException)
            {
                end = " —";
            }
            catch (Exception exception)
            {
                end = " [" + exception.Message + "]";
            }

            _arrived.Enqueue((cancellation, true, end));
        }

        private void TakeArrived()
        {
            var changed = false;
            while (_arrived.TryDequeue(out var piece))
            {
                if (piece.Of == _ending.Token)
                {
                    changed = true;
                    _lines[_lines.Count - 1] += piece.Text;
                    _busy &= !piece.Ends;
                }
            }

            if (changed)
            {
                _changed();
            }
        }

        private void Forget()
        {
            _ending.Cancel();
            _ending = new CancellationTokenSource();
            _busy = false;
            if (_opening is { } opening)
            {
                _ = Task.Run(() => CloseAsync(opening));
            }

            _opening = null;
            _session = null;
            _lines.Clear();
        }

        private static async Task CloseAsync(Task<NpcSession> opening)
        {
            try
            {
                await (await opening.ConfigureAwait(false)).DisposeAsync().ConfigureAwait(false);
            }
            catch (Exception)
            {
                // It never opened: there is nothing to close.
            }
        }
    }
}
