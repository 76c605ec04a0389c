using System;
using System.Collections.Generic;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using Townsfolk.V1;
using UnityEngine;
using UnityEngine.Events;
#if UNITY_2023_1_OR_NEWER
using ReplyTask = UnityEngine.Awaitable<string>;
#else
using ReplyTask = System.Threading.Tasks.Task<string>;
#endif

namespace Townsfolk.Unity
{
    /// <summary>Makes a game object a character that can be spoken to. Use it from the main thread.</summary>
    [AddComponentMenu("Townsfolk/NPC Agent")]
    [DisallowMultipleComponent]
    public sealed class NpcAgent : MonoBehaviour
    {
        [Header("Character")]
        [Tooltip("Who the character is.")]
        [SerializeField] private NpcPersona? persona;

        [Tooltip("What the character knows of the world. The same packs in the same order share memory.")]
        [SerializeField] private LorePack[] lore = Array.Empty<LorePack>();

        [Tooltip("How words are chosen; empty takes the model's defaults.")]
        [SerializeField] private SamplingPreset? sampling;

        [Header("Conversation")]
        [Tooltip("Who speaks to the character when Say is not told otherwise.")]
        [SerializeField] private string playerName = "Player";

        [Min(0)]
        [Tooltip("An answer ends after this many milliseconds, with what was said until then; 0: no limit.")]
        [SerializeField] private int deadlineMs;

        [Tooltip("One of these is said when the runtime fails, so that the game goes on.")]
        [SerializeField] private string[] fallbackLines = Array.Empty<string>();

        [Header("Priority")]
        [SerializeField] private DistancePriority priority = new DistancePriority();

        [Header("Events")]
        [SerializeField] private UnityEvent onThinkingStarted = new UnityEvent();
        [SerializeField] private UnityEvent<string> onTextStreamed = new UnityEvent<string>();
        [SerializeField] private UnityEvent<string> onSentenceReady = new UnityEvent<string>();
        [SerializeField] private UnityEvent<string> onReplyFinished = new UnityEvent<string>();
        [SerializeField] private UnityEvent<string> onInterrupted = new UnityEvent<string>();
        [SerializeField] private UnityEvent<string> onFailed = new UnityEvent<string>();

        private readonly List<NpcTurn> _turns = new List<NpcTurn>();
        private readonly StringBuilder _text = new StringBuilder(4096);
        private readonly CancellationTokenSource _destroyed = new CancellationTokenSource();
        private Task _lastTurn = Task.CompletedTask;
        private TownsfolkRuntime? _runtime;
        private Task<NpcSession>? _opening;
        private int _fallback;

        /// <summary>A line was said, and no answer has begun.</summary>
        public event Action? ThinkingStarted;

        /// <summary>More of the answer's text.</summary>
        public event Action<string>? TextStreamed;

        /// <summary>A sentence of the answer is whole: it can be spoken aloud.</summary>
        public event Action<string>? SentenceReady;

        /// <summary>The answer is whole.</summary>
        public event Action<string>? ReplyFinished;

        /// <summary>The answer was cut off; the text is what the character remembers of it.</summary>
        public event Action<string>? Interrupted;

        /// <summary>The answer failed; the character can still be spoken to.</summary>
        public event Action<Exception>? Failed;

        /// <summary>Who the character is. A change takes effect with the next conversation.</summary>
        public NpcPersona? Persona
        {
            get => persona;
            set => persona = value;
        }

        /// <summary>What the character knows of the world. A change takes effect with the next conversation.</summary>
        public LorePack[] Lore
        {
            get => lore;
            set => lore = value;
        }

        /// <summary>How words are chosen. A change takes effect with the next conversation.</summary>
        public SamplingPreset? Sampling
        {
            get => sampling;
            set => sampling = value;
        }

        /// <summary>One of these is said when the runtime fails.</summary>
        public string[] FallbackLines
        {
            get => fallbackLines;
            set => fallbackLines = value;
        }

        /// <summary>An answer's time limit in milliseconds; 0 means none.</summary>
        public int DeadlineMs
        {
            get => deadlineMs;
            set => deadlineMs = value;
        }

        /// <summary>Who goes first when the runtime is short of room or time.</summary>
        public DistancePriority Priority => priority;

        /// <summary>Whether an answer is under way or awaited.</summary>
        public bool IsBusy => _turns.Count > 0;

        /// <summary>What has been said of the current answer.</summary>
        public string CurrentText => _text.ToString();

        /// <summary>Speaks to the character; the answer comes in the events.</summary>
        public void Say(string text) => Begin(text, null, CancellationToken.None);

        /// <summary>Speaks to the character and waits for the answer; the events come too.</summary>
        /// <param name="text">What is said.</param>
        /// <param name="cancellation">Ends the wait and cuts the answer off.</param>
        /// <returns>The whole answer, or what an interrupted one keeps, or a fallback line.</returns>
        public ReplyTask SayAsync(string text, CancellationToken cancellation = default)
        {
            var reply = new ReplyPromise();
            Begin(text, reply, cancellation);
            return reply.Reply;
        }

        /// <summary>Cuts off the current answer and all that wait behind it.</summary>
        /// <param name="heard">
        /// What the player has heard or read of it: the character remembers exactly that much. Null means
        /// all that was generated.
        /// </param>
        public void Interrupt(string? heard = null)
        {
            if (_turns.Count == 0)
            {
                return;
            }

            for (var i = 1; i < _turns.Count; i++)
            {
                _turns[i].Cancel();
            }

            var current = _turns[0];
            if (_opening is { Status: TaskStatus.RanToCompletion } open)
            {
                _ = Task.Run(() => AgentCalls.InterruptAsync(open.Result, current, heard));
            }
            else
            {
                current.Cancel();
            }
        }

        /// <summary>The character learns of an event in the world, without answering.</summary>
        public void Notify(string text)
        {
            var opening = OpenSession();
            var cancellation = _destroyed.Token;
            var before = _lastTurn;
            _lastTurn = Task.Run(() => AgentCalls.NotifyAsync(before, opening, text, cancellation));
        }

        /// <summary>The conversation, to be kept in a saved game; give it to <see cref="Restore"/>.</summary>
        public async Task<byte[]> SaveAsync(CancellationToken cancellation = default)
        {
            var session = await OpenSession();
            var config = await session.SaveAsync(cancellation);
            return Google.Protobuf.MessageExtensions.ToByteArray(config);
        }

        /// <summary>Begins the conversation where a saved one ended. Before the first line.</summary>
        /// <exception cref="InvalidOperationException">The conversation has begun.</exception>
        public void Restore(byte[] saved)
        {
            if (_opening != null)
            {
                throw new InvalidOperationException("the conversation has begun: restore it before the first line");
            }

            OpenSession(SessionConfig.Parser.ParseFrom(saved).History);
        }

        internal void Handle(NpcTurn turn, NpcEvent happened)
        {
            switch (happened.Kind)
            {
                case NpcEventKind.Started:
                    _text.Clear();
                    break;
                case NpcEventKind.Text:
                    _text.Append(happened.Text);
                    TextStreamed?.Invoke(happened.Text);
                    onTextStreamed.Invoke(happened.Text);
                    break;
                case NpcEventKind.Sentence:
                    SentenceReady?.Invoke(happened.Text);
                    onSentenceReady.Invoke(happened.Text);
                    break;
                case NpcEventKind.Finished:
                    End(turn);
                    Finish(turn, happened.Text);
                    break;
                case NpcEventKind.Interrupted:
                    End(turn);
                    turn.Reply?.Succeed(happened.Text);
                    RaiseInterrupted(happened.Text);
                    break;
            }
        }

        internal void HandleFailure(NpcTurn turn, Exception failure)
        {
            End(turn);
            if (failure is OperationCanceledException)
            {
                turn.Reply?.Fail(failure);
                RaiseInterrupted(_text.ToString());
                return;
            }

            Failed?.Invoke(failure);
            onFailed.Invoke(failure.Message);
            if (fallbackLines.Length == 0)
            {
                turn.Reply?.Fail(failure);
                return;
            }

            var line = fallbackLines[_fallback++ % fallbackLines.Length];
            TextStreamed?.Invoke(line);
            onTextStreamed.Invoke(line);
            SentenceReady?.Invoke(line);
            onSentenceReady.Invoke(line);
            Finish(turn, line);
        }

        private void Update()
        {
            if (_opening is { Status: TaskStatus.RanToCompletion } open
                && priority.TryUpdate(transform.position, Time.unscaledTime, out var now))
            {
                TellPriority(open.Result, now);
            }
        }

        // A method of its own: Update would make the lambda's closure in every frame.
        private static void TellPriority(NpcSession session, int now) =>
            _ = Task.Run(() => AgentCalls.SetPriorityAsync(session, now));

        private void OnDisable() => Interrupt();

        private void OnDestroy()
        {
            _destroyed.Cancel();
            if (!(_runtime is null))
            {
                _runtime.Ended -= EndTurns;
            }

            if (_opening is { } opening)
            {
                _ = Task.Run(() => AgentCalls.CloseAsync(opening));
            }
        }

        private void Begin(string text, ReplyPromise? reply, CancellationToken cancellation)
        {
            var opening = OpenSession();
            var runtime = _runtime!;
            var utterance = new Utterance { Text = text, Speaker = playerName, DeadlineMs = deadlineMs };
            var turn = new NpcTurn(this, utterance, reply, cancellation, _destroyed.Token, runtime.Ending);
            _turns.Add(turn);
            if (_turns.Count == 1)
            {
                _text.Clear();
            }

            var before = _lastTurn;
            _lastTurn = Task.Run(() => turn.RunAsync(before, opening, runtime.Queue));
            ThinkingStarted?.Invoke();
            onThinkingStarted.Invoke();
        }

        private Task<NpcSession> OpenSession(IEnumerable<TranscriptEntry>? history = null)
        {
            var runtime = TownsfolkRuntime.Instance;
            if (_opening == null || _opening.IsFaulted || _opening.IsCanceled || _runtime != runtime)
            {
                if (persona == null)
                {
                    throw new InvalidOperationException($"{name} has no persona: give its NPC Agent one");
                }

                var known = LorePack.ToMessages(lore);
                var config = persona.ToSession(known, sampling);
                config.Priority = priority.Current;
                if (history != null)
                {
                    config.History.AddRange(history);
                }

                if (_runtime != runtime)
                {
                    runtime.Ended += EndTurns;
                    _runtime = runtime;
                }

                _opening = Task.Run(() => AgentCalls.OpenAsync(runtime, config, known));
            }

            return _opening;
        }

        private void End(NpcTurn turn)
        {
            _turns.Remove(turn);
            turn.Dispose();
        }

        // No queue is left to bring the ends of these turns.
        private void EndTurns()
        {
            foreach (var turn in _turns.ToArray())
            {
                HandleFailure(turn, new OperationCanceledException("the connection to the runtime has ended"));
            }
        }

        private void Finish(NpcTurn turn, string text)
        {
            turn.Reply?.Succeed(text);
            ReplyFinished?.Invoke(text);
            onReplyFinished.Invoke(text);
        }

        private void RaiseInterrupted(string text)
        {
            Interrupted?.Invoke(text);
            onInterrupted.Invoke(text);
        }
    }
}
