using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
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
        private readonly ConcurrentQueue<(bool Ends, string Text)> _arrived =
            new ConcurrentQueue<(bool Ends, string Text)>();

        private readonly List<string> _lines = new List<string>();
        private CancellationTokenSource _ending = new CancellationTokenSource();
        private Task<NpcSession>? _opening;
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
                _lines.Clear();
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
            if (_opening == null || _opening.IsFaulted || _opening.IsCanceled)
            {
                var known = LorePack.ToMessages(lore);
                var config = persona.ToSession(known, sampling);
                var client = EditorRuntime.Client;
                _opening = Task.Run(() => OpenAsync(client, config, known));
            }

            _busy = true;
            _lines.Add("You: " + text);
            _lines.Add(persona.characterName + ": ");
            _ending = new CancellationTokenSource();
            var opening = _opening;
            var cancellation = _ending.Token;
            _ = Task.Run(() => RunAsync(opening, text, cancellation));
        }

        private static async Task<NpcSession> OpenAsync(
            TownsfolkClient client, SessionConfig config, List<Lore> lore)
        {
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
                        _arrived.Enqueue((false, happened.Text));
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

            _arrived.Enqueue((true, end));
        }

        private void TakeArrived()
        {
            var changed = false;
            while (_arrived.TryDequeue(out var piece))
            {
                changed = true;
                if (_lines.Count > 0)
                {
                    _lines[_lines.Count - 1] += piece.Text;
                }

                _busy &= !piece.Ends;
            }

            if (changed)
            {
                _changed();
            }
        }

        private void Forget()
        {
            _ending.Cancel();
            if (_opening is { } opening)
            {
                _ = Task.Run(() => CloseAsync(opening));
            }

            _opening = null;
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
