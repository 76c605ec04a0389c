using System.Collections.Generic;
using System.Linq;
using System.Text;
using Townsfolk.V1;

namespace Townsfolk
{
    /// <summary>
    /// What the client knows of a conversation, so that it can be told again to a runtime that lost it. Follows
    /// the events of a session, so that it has the lines that the runtime has; lines that the runtime forgot are
    /// forgotten here too. Safe from any thread.
    /// </summary>
    internal sealed class Transcript
    {
        private const string DefaultSpeaker = "Player";
        private const int MaxEntries = 10_000;

        private readonly string _characterName;
        private readonly object _lock = new object();
        private readonly List<TranscriptEntry> _entries = new List<TranscriptEntry>();
        private readonly Dictionary<string, Turn> _turns = new Dictionary<string, Turn>();

        public Transcript(string characterName, IEnumerable<TranscriptEntry> history)
        {
            _characterName = characterName;
            Replace(history);
        }

        /// <summary>All lines, oldest first, as copies.</summary>
        /// <param name="withUnderWay">Also what has been said of the answers under way, marked as cut.</param>
        public IReadOnlyList<TranscriptEntry> Snapshot(bool withUnderWay = false)
        {
            lock (_lock)
            {
                var lines = new List<TranscriptEntry>(_entries);
                foreach (var turn in withUnderWay ? _turns.Values : Enumerable.Empty<Turn>())
                {
                    if (turn.Started && turn.Text.ToString().Trim() is { Length: > 0 } said)
                    {
                        lines.Insert(Place(lines, turn.After), Answer(turn.Id, said, cut: true));
                    }
                }

                return lines.ConvertAll(line => line.Clone());
            }
        }

        /// <summary>The newest lines, as many as a request with this much room for them holds, as copies.</summary>
        public IReadOnlyList<TranscriptEntry> Newest(int maxBytes)
        {
            // Before each entry in a message stand a field's number and a length.
            const int Overhead = 6;
            lock (_lock)
            {
                var start = _entries.Count;
                while (start > 0 && _entries.Count - start < MaxEntries
                    && (maxBytes -= _entries[start - 1].CalculateSize() + Overhead) >= 0)
                {
                    start--;
                }

                return _entries.Skip(start).Select(entry => entry.Clone()).ToList();
            }
        }

        /// <summary>Takes over what the runtime has.</summary>
        public void Replace(IEnumerable<TranscriptEntry> entries)
        {
            lock (_lock)
            {
                _entries.Clear();
                _entries.AddRange(entries.Select(entry => entry.Clone()));
            }
        }

        /// <summary>The character has learned of an event in the world.</summary>
        public void AddEvent(string text)
        {
            lock (_lock)
            {
                _entries.Add(new TranscriptEntry { Kind = EntryKind.Event, Text = text });
            }
        }

        /// <summary>An answer was chosen among authored texts, after what was said, if anything was.</summary>
        public void AddChoice(string turnId, Utterance? said, string answer)
        {
            lock (_lock)
            {
                if (said != null)
                {
                    _entries.Add(Heard(said, turnId));
                }

                _entries.Add(Answer(turnId, answer, cut: false));
            }
        }

        /// <summary>Lines that nobody generated are part of the conversation.</summary>
        public void AddRecorded(IEnumerable<TranscriptEntry> lines)
        {
            lock (_lock)
            {
                _entries.AddRange(lines.Select(line => line.Clone()));
            }
        }

        /// <summary>What begins a turn; it becomes a line, if it is one, when the turn starts.</summary>
        public void Ask(Utterance utterance)
        {
            lock (_lock)
            {
                _turns[utterance.TurnId] = new Turn(utterance.TurnId, Question(utterance));
            }
        }

        private static TranscriptEntry? Question(Utterance utterance)
        {
            switch (utterance.Cue)
            {
                case TurnCue.None:
                    return null;
                case TurnCue.Event:
                    return new TranscriptEntry
                    {
                        Kind = EntryKind.Event,
                        Text = utterance.Text,
                        TurnId = utterance.TurnId,
                    };
                default:
                    return Heard(utterance, utterance.TurnId);
            }
        }

        private static TranscriptEntry Heard(Utterance said, string turnId) => new TranscriptEntry
        {
            Kind = EntryKind.Heard,
            Speaker = said.Speaker.Length > 0 ? said.Speaker : DefaultSpeaker,
            Text = said.Text,
            TurnId = turnId,
        };

        /// <summary>Takes one event of the session into account.</summary>
        public void Follow(SessionEvent happened)
        {
            lock (_lock)
            {
                switch (happened.EventCase)
                {
                    case SessionEvent.EventOneofCase.TurnStarted:
                        Start(happened.TurnStarted.TurnId);
                        break;
                    case SessionEvent.EventOneofCase.TextDelta:
                        if (_turns.TryGetValue(happened.TextDelta.TurnId, out var turn))
                        {
                            turn.Text.Append(happened.TextDelta.Text);
                        }

                        break;
                    case SessionEvent.EventOneofCase.TurnFinished:
                        var isLate = happened.TurnFinished.FinishReason == FinishReason.Deadline;
                        End(happened.TurnFinished.TurnId, happened.TurnFinished.Text, cut: isLate);
                        break;
                    case SessionEvent.EventOneofCase.TurnInterrupted:
                        End(happened.TurnInterrupted.TurnId, happened.TurnInterrupted.Text, cut: true);
                        break;
                    case SessionEvent.EventOneofCase.ContextTrimmed:
                        foreach (var dropped in happened.ContextTrimmed.Dropped)
                        {
                            // Nearly always the first.
                            _entries.Remove(dropped);
                        }

                        break;
                    case SessionEvent.EventOneofCase.Notified:
                        _entries.Add(new TranscriptEntry { Kind = EntryKind.Event, Text = happened.Notified.Text });
                        break;
                    case SessionEvent.EventOneofCase.Recorded:
                        AddRecorded(happened.Recorded.Lines);
                        break;
                    case SessionEvent.EventOneofCase.ActionSettled:
                        _entries.Add(
                            new TranscriptEntry { Kind = EntryKind.Event, Text = happened.ActionSettled.Text });
                        break;
                    case SessionEvent.EventOneofCase.Error:
                        Fail(happened.Error.TurnId);
                        break;
                }
            }
        }

        /// <summary>
        /// The caller went away from a turn: what was said until then stays said. Does nothing when it is over.
        /// </summary>
        public void Leave(string turnId)
        {
            lock (_lock)
            {
                if (_turns.TryGetValue(turnId, out var turn))
                {
                    End(turnId, turn.Text.ToString().Trim(), cut: true);
                }
            }
        }

        /// <summary>
        /// A turn failed: what was said stays said; without a word it is as if nobody had asked. Does nothing when
        /// it is over.
        /// </summary>
        public void Fail(string turnId)
        {
            lock (_lock)
            {
                if (!_turns.TryGetValue(turnId, out var turn))
                {
                    return;
                }

                var text = turn.Text.ToString().Trim();
                if (text.Length > 0)
                {
                    End(turnId, text, cut: true);
                    return;
                }

                _turns.Remove(turnId);
                if (turn.Question != null)
                {
                    _entries.Remove(turn.Question);
                }
            }
        }

        /// <summary>
        /// Keeps what was heard of an answer that had ended when it was interrupted; one that is under way here is
        /// shortened when it ends.
        /// </summary>
        /// <param name="turnId">The answer's turn; empty for the newest answer.</param>
        /// <param name="heardCharacters">So many code points of it were heard.</param>
        /// <returns>The turn of the answer that is shorter now, or will be; null when there is none.</returns>
        public string? Cut(string turnId, int heardCharacters)
        {
            lock (_lock)
            {
                if (_turns.TryGetValue(turnId, out var turn))
                {
                    turn.Heard = heardCharacters;
                    return turnId;
                }

                for (var i = _entries.Count - 1; i >= 0; i--)
                {
                    var entry = _entries[i];
                    if (entry.Kind == EntryKind.Spoke && (turnId.Length == 0 || entry.TurnId == turnId))
                    {
                        return Shorten(entry, heardCharacters) ? entry.TurnId : null;
                    }
                }

                return null;
            }
        }

        private static bool Shorten(TranscriptEntry entry, int heardCharacters)
        {
            var heard = CodePoints.Take(entry.Text, heardCharacters);
            if (heard.Length == entry.Text.Length)
            {
                return false;
            }

            entry.Text = heard;
            entry.Cut = true;
            return true;
        }

        private void Start(string turnId)
        {
            if (_turns.TryGetValue(turnId, out var turn) && !turn.Started)
            {
                turn.Started = true;
                if (turn.Question != null)
                {
                    _entries.Add(turn.Question);
                }

                turn.After = _entries.LastOrDefault();
            }
        }

        private void End(string turnId, string text, bool cut)
        {
            // One that was interrupted while it waited was never said.
            if (!_turns.TryGetValue(turnId, out var turn) || !_turns.Remove(turnId) || !turn.Started)
            {
                return;
            }

            if (text.Length > 0 || cut)
            {
                var answer = Answer(turnId, text, cut);
                if (turn.Heard is { } heard)
                {
                    Shorten(answer, heard);
                }

                // What happened meanwhile comes after it.
                _entries.Insert(Place(_entries, turn.After), answer);
            }
        }

        // Right behind another line; behind none it is the first.
        private static int Place(List<TranscriptEntry> lines, TranscriptEntry? after) =>
            lines.FindLastIndex(line => ReferenceEquals(line, after)) + 1;

        private TranscriptEntry Answer(string turnId, string text, bool cut) => new TranscriptEntry
        {
            Kind = EntryKind.Spoke,
            Speaker = _characterName,
            Text = text,
            Cut = cut,
            TurnId = turnId,
        };

        private sealed class Turn
        {
            public Turn(string id, TranscriptEntry? question)
            {
                Id = id;
                Question = question;
            }

            public string Id { get; }

            public TranscriptEntry? Question { get; }

            // The line that the answer comes behind, once it has begun.
            public TranscriptEntry? After { get; set; }

            public StringBuilder Text { get; } = new StringBuilder();

            public bool Started { get; set; }

            public int? Heard { get; set; }
        }
    }
}
