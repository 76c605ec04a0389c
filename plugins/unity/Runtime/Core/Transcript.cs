using System.Collections.Generic;
using System.Linq;
using System.Text;
using Townsfolk.V1;

namespace Townsfolk
{
    /// <summary>
    /// What the client knows of a conversation, so that it can be told again to a runtime that lost it.
    /// </summary>
    internal sealed class Transcript
    {
        // The runtime's model sees far fewer lines, and a request has a limit in bytes.
        private const int MaxEntries = 512;

        private readonly object _lock = new object();
        private readonly List<TranscriptEntry> _entries = new List<TranscriptEntry>();

        public IReadOnlyList<TranscriptEntry> Snapshot()
        {
            lock (_lock)
            {
                return _entries.Select(entry => entry.Clone()).ToList();
            }
        }

        public void Replace(IEnumerable<TranscriptEntry> entries)
        {
            lock (_lock)
            {
                _entries.Clear();
                _entries.AddRange(entries.Select(entry => entry.Clone()));
            }
        }

        public void AddEvent(string text) =>
            Add(new TranscriptEntry { Kind = EntryKind.Event, Text = text });

        public Turn Begin(Utterance utterance, string characterName) =>
            new Turn(this, utterance, characterName);

        private void Add(TranscriptEntry entry)
        {
            lock (_lock)
            {
                _entries.Add(entry);
                if (_entries.Count > MaxEntries)
                {
                    _entries.RemoveAt(0);
                }
            }
        }

        /// <summary>Writes one turn down while it happens.</summary>
        internal sealed class Turn
        {
            private readonly Transcript _transcript;
            private readonly Utterance _utterance;
            private readonly string _characterName;
            private readonly StringBuilder _text = new StringBuilder();
            private bool _started;
            private bool _ended;

            public Turn(Transcript transcript, Utterance utterance, string characterName)
            {
                _transcript = transcript;
                _utterance = utterance;
                _characterName = characterName;
            }

            public void See(NpcEvent happened)
            {
                switch (happened.Kind)
                {
                    case NpcEventKind.Started:
                        Start();
                        break;
                    case NpcEventKind.Text:
                        _text.Append(happened.Text);
                        break;
                    case NpcEventKind.Finished:
                        End(happened.Text, cut: false);
                        break;
                    case NpcEventKind.Interrupted:
                        End(happened.Text, cut: true);
                        break;
                }
            }

            /// <summary>The caller or the connection went away: what was said until then counts.</summary>
            public void Leave()
            {
                if (_started && !_ended)
                {
                    End(_text.ToString().Trim(), cut: true);
                }
            }

            private void Start()
            {
                _started = true;
                _transcript.Add(new TranscriptEntry
                {
                    Kind = EntryKind.Heard,
                    Speaker = _utterance.Speaker.Length > 0 ? _utterance.Speaker : "Player",
                    Text = _utterance.Text,
                    TurnId = _utterance.TurnId,
                });
            }

            private void End(string text, bool cut)
            {
                _ended = true;
                if (!_started)
                {
                    return;
                }

                if (text.Length > 0)
                {
                    _transcript.Add(new TranscriptEntry
                    {
                        Kind = EntryKind.Spoke,
                        Speaker = _characterName,
                        Text = text,
                        Cut = cut,
                        TurnId = _utterance.TurnId,
                    });
                }
            }
        }
    }
}
