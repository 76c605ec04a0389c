using System;
using System.Collections.Generic;
using UnityEngine;
using UnityEngine.Events;

namespace Townsfolk.Unity
{
    /// <summary>
    /// What a character says as the player gets to read it: a line after the other, each typed. Dialogue boxes, speech
    /// bubbles and animations follow it. Who cuts the character off here lets it remember just what was read.
    /// </summary>
    [AddComponentMenu("Townsfolk/NPC Speech")]
    [DisallowMultipleComponent]
    [RequireComponent(typeof(NpcAgent))]
    public sealed class NpcSpeech : MonoBehaviour
    {
        [Min(0)]
        [Tooltip("How fast speech is typed, in characters a second; 0: all at once.")]
        [SerializeField] private float charactersPerSecond = 40f;

        [Min(0)]
        [Tooltip("How much longer it takes behind the end of a sentence, in seconds.")]
        [SerializeField] private float sentencePause = 0.25f;

        [Min(0)]
        [Tooltip("How long a line that was typed stays before the next one, where another waits, in seconds.")]
        [SerializeField] private float linePause = 1f;

        [Tooltip("Whether <b> and the like are tags of rich text; else they are shown as they stand.")]
        [SerializeField] private bool richText = true;

        [Tooltip("Whether typing stops while Time.timeScale is 0, as in a paused game, and slows down with it.")]
        [SerializeField] private bool followsTimeScale;

        [SerializeField] private UnityEvent<string> onShown = new UnityEvent<string>();
        [SerializeField] private UnityEvent onLineEnded = new UnityEvent();

        private readonly List<SpokenLine> _waiting = new List<SpokenLine>();
        private SpokenLine? _line;
        private NpcAgent? _agent;
        private bool _hasEnded;
        private float _pause;

        /// <summary>What is shown has changed.</summary>
        public event Action? Changed;

        /// <summary>A line has been typed to its end, or was cut off.</summary>
        public event Action? LineEnded;

        /// <summary>The character.</summary>
        public NpcAgent Agent => _agent != null ? _agent : _agent = GetComponent<NpcAgent>();

        /// <summary>Types the line.</summary>
        public Typewriter Typewriter { get; } = new Typewriter();

        /// <summary>Whether typing stops while Time.timeScale is 0, and slows down with it.</summary>
        public bool FollowsTimeScale
        {
            get => followsTimeScale;
            set => followsTimeScale = value;
        }

        /// <summary>The turn whose answer is shown; null for a line of the game's own, and before the first.</summary>
        public NpcTurn? Turn => _line?.Turn;

        /// <summary>Whether the character thinks about an answer of which nothing is shown yet.</summary>
        public bool IsThinking => Agent.IsBusy && !IsSpeaking;

        /// <summary>Whether a line is being typed; it is while its end has not come, too.</summary>
        public bool IsSpeaking => _line != null && !_hasEnded && Typewriter.Characters > 0;

        /// <summary>Whether anything is typed, is to be, or is thought about.</summary>
        public bool IsBusy => Agent.IsBusy || (_line != null && !_hasEnded) || _waiting.Count > 0;

        /// <summary>
        /// Why the character did not answer; null when it did. It is not the character who says this.
        /// </summary>
        public Exception? Failure { get; private set; }

        /// <summary>
        /// Has the character say a line of the game's own, when it has said what it is at. It does not learn of it.
        /// </summary>
        public void Show(string line) => _waiting.Add(new SpokenLine(line));

        /// <summary>The same, and the character remembers that it said this.</summary>
        public void ShowAndRemember(string line)
        {
            Agent.Record(NpcLine.Spoken(line));
            Show(line);
        }

        /// <summary>Shows all of this line at once: what has come, and what still comes.</summary>
        public void Skip()
        {
            Typewriter.CharactersPerSecond = 0;
            Typewriter.ShowAll();
            Tell();
        }

        /// <summary>
        /// Cuts the character off: it remembers what was read of what it said, also where the answer is whole. What
        /// waits behind is not said.
        /// </summary>
        public void Interrupt()
        {
            var heard = Typewriter.Read;
            foreach (var line in _waiting)
            {
                line.Turn?.Interrupt(string.Empty);
            }

            _waiting.Clear();
            var turn = _line?.Turn;
            if (turn == Agent.CurrentTurn)
            {
                Agent.Interrupt(turn == null ? null : heard);
            }
            else
            {
                // An answer is under way of which the player has seen nothing.
                Agent.Interrupt(string.Empty);
                turn?.Interrupt(heard);
            }

            if (_line != null && !_hasEnded)
            {
                Typewriter.Cut();
                EndLine();
            }
        }

        private void OnEnable()
        {
            Agent.ThinkingStarted += Think;
            Agent.TextStreamed += Hear;
            Agent.Failed += Fail;
        }

        private void OnDisable()
        {
            Agent.ThinkingStarted -= Think;
            Agent.TextStreamed -= Hear;
            Agent.Failed -= Fail;
            Interrupt();
        }

        private void Update()
        {
            var seconds = followsTimeScale ? Time.deltaTime : Time.unscaledDeltaTime;
            if (_hasEnded || _line == null)
            {
                BeginNext(seconds);
            }

            if (_line is { } line && !_hasEnded)
            {
                Type(line, seconds);
            }
        }

        private void Think()
        {
            Failure = null;
            _waiting.Add(new SpokenLine(Agent.CurrentTurn!));
        }

        private void Hear(string text)
        {
            var turn = Agent.CurrentTurn;
            if (_line?.Turn == turn && !_hasEnded)
            {
                _line!.Add(text);
                return;
            }

            foreach (var line in _waiting)
            {
                if (line.Turn == turn)
                {
                    line.Add(text);
                }
            }
        }

        private void Fail(Exception failure) => Failure = failure;

        private void BeginNext(float seconds)
        {
            _pause -= seconds;
            if (_waiting.Count == 0 || _pause > 0)
            {
                return;
            }

            _line = _waiting[0];
            _waiting.RemoveAt(0);
            _hasEnded = false;
            Typewriter.Clear();
            Typewriter.CharactersPerSecond = charactersPerSecond;
            Typewriter.SentencePause = sentencePause;
            Typewriter.RichText = richText;
            Tell();
        }

        private void Type(SpokenLine line, float seconds)
        {
            var before = Typewriter.Characters;
            var more = line.Take();
            if (more.Length > 0)
            {
                Typewriter.Append(more);
            }

            if (line.IsWhole && !Typewriter.IsComplete)
            {
                Typewriter.Complete();
            }

            if (line.Turn is { IsDone: true } turn && (turn.WasInterrupted || turn.Failure != null)
                && Typewriter.Text != turn.Text)
            {
                // What counts is what the character remembers, or the fallback line in its place: the game may cut
                // an answer that has come to its end, but is not shown so far.
                Typewriter.Replace(turn.Text);
            }

            if (Typewriter.Advance(seconds) || Typewriter.Characters != before)
            {
                Tell();
            }

            if (Typewriter.IsComplete && Typewriter.IsCaughtUp)
            {
                EndLine();
            }
        }

        private void EndLine()
        {
            _hasEnded = true;
            _pause = linePause;
            Tell();
            LineEnded?.Invoke();
            onLineEnded.Invoke();
        }

        private void Tell()
        {
            Changed?.Invoke();
            onShown.Invoke(Typewriter.Shown);
        }
    }
}
