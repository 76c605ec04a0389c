using System;
using System.Collections.Generic;
using System.Linq;
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
    public sealed class NpcAgent : NpcCharacter
    {
        [Header("Events")]
        [SerializeField] private UnityEvent onThinkingStarted = new UnityEvent();
        [SerializeField] private UnityEvent<string> onTextStreamed = new UnityEvent<string>();
        [SerializeField] private UnityEvent<string> onSentenceReady = new UnityEvent<string>();
        [SerializeField] private UnityEvent<string> onDirectionGiven = new UnityEvent<string>();
        [SerializeField] private UnityEvent<string> onReplyFinished = new UnityEvent<string>();
        [SerializeField] private UnityEvent<string> onInterrupted = new UnityEvent<string>();
        [SerializeField] private UnityEvent<string> onFailed = new UnityEvent<string>();

        private readonly AgentTurns _turns = new AgentTurns();
        private readonly AgentConversation _conversation = new AgentConversation();
        private readonly AgentActions _actions = new AgentActions();
        private readonly Hold _hold = new Hold();
        private readonly CancellationTokenSource _destroyed = new CancellationTokenSource();
        private int _fallback;

        /// <summary>The character begins to think about a line; a line that waits has its turn later.</summary>
        public event Action? ThinkingStarted;

        /// <summary>More of the answer's text.</summary>
        public event Action<string>? TextStreamed;

        /// <summary>A sentence of the answer is whole: it can be spoken aloud. Stage directions are not in it.</summary>
        public event Action<string>? SentenceReady;

        /// <summary>The same, with its turn, and where in the answer's text it stands: for lip-sync and barging in.</summary>
        public event Action<NpcEvent>? SentenceCompleted;

        /// <summary>The character does something that is not said: "slams the tankard".</summary>
        public event Action<string>? DirectionGiven;

        /// <summary>The character was not sure of a sentence.</summary>
        public event Action<string>? Hesitated;

        /// <summary>
        /// The character acts. Of an action of <see cref="AddActions"/> the method was called already; others are
        /// answered with <see cref="AnswerAction"/>, and the character waits for that.
        /// </summary>
        public event Action<ActionRequested>? ActionRequested;

        /// <summary>The answer is whole, or a fallback line was said in its place.</summary>
        public event Action<string>? ReplyFinished;

        /// <summary>The answer was cut off; the text is what the character remembers of it.</summary>
        public event Action<string>? Interrupted;

        /// <summary>The answer failed, and there is no fallback line; the character can still be spoken to.</summary>
        public event Action<Exception>? Failed;

        /// <summary>Whether an answer is under way or awaited.</summary>
        public bool IsBusy => _turns.IsBusy;

        /// <summary>
        /// The turn that is being answered; when none is, the last one, whose answer may still be shown or spoken.
        /// Null before the first line.
        /// </summary>
        public NpcTurn? CurrentTurn => _turns.Current;

        /// <summary>What has been said of the current turn's answer.</summary>
        public string CurrentText => CurrentTurn?.Text ?? string.Empty;

        /// <summary>Speaks to the character; the answer comes in the events.</summary>
        public void Say(string text) => BeginTurn(text);

        /// <summary>Speaks to the character; the answer comes in the events, and in the turn that is returned.</summary>
        public NpcTurn BeginTurn(string text) => BeginTurn(text, new NpcTurnOptions());

        /// <summary>Speaks to the character; for this turn, some things are different.</summary>
        public NpcTurn BeginTurn(string text, NpcTurnOptions options) =>
            Begin(TurnCue.Said, text, options, null, CancellationToken.None);

        /// <summary>
        /// Speaks to the character, whose answer is just what the grammar says: JSON, one of a few texts; see
        /// <see cref="Grammars"/>.
        /// </summary>
        public NpcTurn BeginTurn(string text, Grammar grammar) =>
            BeginTurn(text, new NpcTurnOptions { Grammar = grammar });

        /// <summary>Speaks to the character, who takes one of these actions now.</summary>
        public NpcTurn BeginTurn(string text, IEnumerable<string> actions) =>
            BeginTurn(text, new NpcTurnOptions { Actions = actions.ToArray(), RequireAction = true });

        /// <summary>The character speaks of its own accord: first, or again.</summary>
        public NpcTurn Greet(NpcTurnOptions? options = null) =>
            Begin(TurnCue.None, string.Empty, options, null, CancellationToken.None);

        /// <summary>Something happens in the world, and the character says something to it.</summary>
        public NpcTurn React(string happening, NpcTurnOptions? options = null) =>
            Begin(TurnCue.Event, happening, options, null, CancellationToken.None);

        /// <summary>Speaks to the character and waits for the answer; the events come too.</summary>
        /// <param name="text">What is said.</param>
        /// <param name="cancellation">Ends the wait and cuts the answer off.</param>
        /// <returns>The whole answer, or what an interrupted one keeps, or a fallback line.</returns>
        public ReplyTask SayAsync(string text, CancellationToken cancellation = default)
        {
            var reply = new ReplyPromise();
            Begin(TurnCue.Said, text, null, reply, cancellation);
            return reply.Reply;
        }

        /// <summary>
        /// Cuts off the current answer and all that wait behind it. When none is under way, the last answer, if
        /// `heard` is given: it was whole, and is still shown or spoken.
        /// </summary>
        /// <param name="heard">
        /// What the player has heard or read of it: the character remembers exactly that much. Null means
        /// all that was generated.
        /// </param>
        public void Interrupt(string? heard = null)
        {
            _turns.CancelWaiting();
            CurrentTurn?.Interrupt(heard);
        }

        /// <summary>
        /// Makes the methods of an object that have <see cref="NpcActionAttribute"/> something that the character can
        /// do, from the next line on. They are called on the main thread, the moment an action is whole.
        /// </summary>
        public void AddActions(object target) => _actions.Add(target);

        /// <summary>Says what came of an action without a method.</summary>
        public void AnswerAction(ActionRequested action, bool accepted, string text = "") =>
            _actions.Answer(_conversation.Session, action, accepted, text);

        /// <summary>
        /// The character chooses among authored texts, when the lines said before are answered. Nothing is generated,
        /// and the conversation stays as it is: so this also tells a mood, or decides what the character does.
        /// </summary>
        /// <param name="options">The texts.</param>
        /// <param name="text">What is said to the character before; null: what it would say now.</param>
        /// <param name="remember">Whether the chosen text is said, and becomes part of the conversation.</param>
        public Task<NpcChoice> ChooseAsync(string[] options, string? text = null, bool remember = false)
        {
            var request = new ChooseRequest { Remember = remember };
            request.Options.AddRange(options);
            if (text != null)
            {
                request.Utterance = new Utterance { Text = text, Speaker = PlayerName };
            }

            var cancellation = _destroyed.Token;
            return _conversation.InTurn(OpenSession(), session => session.ChooseAsync(request, cancellation));
        }

        /// <summary>The character learns of an event in the world, without answering.</summary>
        public void Notify(string text)
        {
            var cancellation = _destroyed.Token;
            var telling = _conversation.InTurn(OpenSession(), session => session.NotifyAsync(text, cancellation));
            _ = AgentCalls.WatchAsync("an event", () => telling);
        }

        /// <summary>
        /// The character remembers lines of the game's script as if it had said, heard or seen them; see
        /// <see cref="NpcLine"/>.
        /// </summary>
        public void Record(params TranscriptEntry[] lines)
        {
            var (opening, cancellation) = (OpenSession(), _destroyed.Token);
            async Task RecordAsync(NpcSession session) =>
                await session.RecordAsync(lines, cancellation).ConfigureAwait(false);
            var recording = _hold.IsHeld
                ? _hold.Record(async () => await RecordAsync(await opening.ConfigureAwait(false)).ConfigureAwait(false))
                : _conversation.InTurn(opening, RecordAsync);
            _ = AgentCalls.WatchAsync("a line of the script", () => recording);
        }

        /// <summary>
        /// Keeps the character busy, as for scripted lines, until what is returned is disposed: what it is to answer
        /// waits.
        /// </summary>
        public IDisposable KeepBusy() => _hold.Take(Think);

        /// <summary>
        /// The conversation, to be kept in a saved game; give it to <see cref="Restore"/>. No call: it works while
        /// the runtime is gone, and in OnDestroy. Of an answer under way it has what was said until now.
        /// </summary>
        public byte[] Save()
        {
            TownsfolkRuntime.Cast.TakeUp(this);
            return _conversation.Save(Persona != null ? Setup(Persona) : null);
        }

        /// <summary>
        /// Goes on where a saved conversation ended. What was said since then is forgotten, and an answer under
        /// way is cut off.
        /// </summary>
        /// <param name="saved">What <see cref="Save"/> returned.</param>
        /// <exception cref="ArgumentException">It is no saved conversation.</exception>
        public void Restore(byte[] saved) => _conversation.Restore(saved, _turns);

        /// <summary>
        /// Ends the conversation: an answer under way is cut off, and the character forgets all that was said. The
        /// next line begins another one.
        /// </summary>
        public void EndConversation()
        {
            _turns.CancelAll();
            _conversation.End();
        }

        /// <summary>What has been said of an answer that is not over.</summary>
        internal string TextOf(NpcTurn turn) => _turns.TextOf(turn);

        internal void Handle(NpcTurn turn, NpcEvent happened)
        {
            switch (happened.Kind)
            {
                case NpcEventKind.Text:
                    _turns.Append(happened.Text);
                    TextStreamed?.Invoke(happened.Text);
                    onTextStreamed.Invoke(happened.Text);
                    break;
                case NpcEventKind.Sentence:
                    SentenceCompleted?.Invoke(happened);
                    SentenceReady?.Invoke(happened.Text);
                    onSentenceReady.Invoke(happened.Text);
                    if (happened.Confidence is { Hesitated: true })
                    {
                        Hesitated?.Invoke(happened.Text);
                    }

                    break;
                case NpcEventKind.Direction:
                    DirectionGiven?.Invoke(happened.Text);
                    onDirectionGiven.Invoke(happened.Text);
                    break;
                case NpcEventKind.Action:
                    _actions.Invoke(_conversation.Session, happened.Action!);
                    ActionRequested?.Invoke(happened.Action!);
                    break;
                case NpcEventKind.Finished:
                case NpcEventKind.Interrupted:
                    turn.End(happened.Text, happened.FinishReason);
                    turn.Reply?.Succeed(turn.Text);
                    Finish(turn);
                    break;
            }
        }

        internal void HandleFailure(NpcTurn turn, Exception failure)
        {
            if (failure is OperationCanceledException)
            {
                turn.End(turn.Text, V1.FinishReason.Interrupted);
                turn.Reply?.Fail(failure);
                Finish(turn);
                return;
            }

            if (FallbackLines.Length > 0)
            {
                Debug.LogWarning($"Townsfolk: {name} says a fallback line: {failure.Message}");
                SayFallback(turn, failure);
                return;
            }

            turn.End(turn.Text, V1.FinishReason.Unspecified, failure);
            turn.Reply?.Fail(failure);
            Finish(turn, failure);
        }

        private void SayFallback(NpcTurn turn, Exception failure)
        {
            var line = FallbackLines[_fallback++ % FallbackLines.Length];
            _turns.Replace(line);
            TextStreamed?.Invoke(line);
            onTextStreamed.Invoke(line);
            SentenceReady?.Invoke(line);
            onSentenceReady.Invoke(line);
            turn.End(line, V1.FinishReason.Unspecified, failure);
            turn.Reply?.Succeed(line);
            Finish(turn);
        }

        private void Awake() => TownsfolkRuntime.Cast.Add(this);

        private void Update()
        {
            if (_conversation.Session is { } session
                && Priority.TryUpdate(transform.position, Time.unscaledTime, out var now))
            {
                TellPriority(session, now);
            }
        }

        // A method of its own: Update would make the lambda's closure in every frame.
        private static void TellPriority(NpcSession session, int now) =>
            _ = AgentCalls.WatchAsync("a priority", () => session.SetPriorityAsync(now));

        private void OnDisable() => Interrupt();

        private void OnDestroy()
        {
            TownsfolkRuntime.Cast.Remove(this);
            _destroyed.Cancel();
            _conversation.Leave(EndTurns);
        }

        private NpcTurn Begin(
            TurnCue cue, string text, NpcTurnOptions? options, ReplyPromise? reply, CancellationToken cancellation)
        {
            var opening = OpenSession();
            var runtime = _conversation.Runtime!;
            var utterance = (options ?? new NpcTurnOptions()).ToMessage(cue, text, this);
            var turn = new NpcTurn(
                this, _conversation.Current, utterance, reply, cancellation, _destroyed.Token, runtime.Ending);
            _turns.Add(turn);
            _conversation.LastTurn = turn.Start(_conversation.LastTurn, opening, _hold, runtime.Queue);
            Think();
            return turn;
        }

        private Task<NpcSession> OpenSession()
        {
            if (Persona == null)
            {
                throw new InvalidOperationException($"{name} has no persona: give its NPC Agent one");
            }

            TownsfolkRuntime.Cast.TakeUp(this);
            _conversation.Begin(Persona, EndTurns).CheckPacks(Lore);
            return _conversation.Open(Setup(Persona), Priority.Current);
        }

        private CharacterSetup Setup(NpcPersona who) =>
            new CharacterSetup(
                who, Lore, Sampling, _actions.Known, HesitationEntropy, StageDirections, OffTheRecord);

        // The oldest turn is being answered now, if there is one.
        private void Think()
        {
            if (!_hold.IsHeld && _turns.TryAdvance())
            {
                ThinkingStarted?.Invoke();
                onThinkingStarted.Invoke();
            }
        }

        // No queue is left to bring the ends of these turns.
        private void EndTurns()
        {
            foreach (var turn in _turns.TakeAll())
            {
                HandleFailure(turn, new OperationCanceledException("the connection to the runtime has ended"));
            }
        }

        // Exactly one of the three events ends each turn.
        private void Finish(NpcTurn turn, Exception? failure = null)
        {
            _turns.Remove(turn);
            try
            {
                if (failure != null)
                {
                    Failed?.Invoke(failure);
                    onFailed.Invoke(failure.Message);
                }
                else if (turn.WasInterrupted)
                {
                    Interrupted?.Invoke(turn.Text);
                    onInterrupted.Invoke(turn.Text);
                }
                else
                {
                    ReplyFinished?.Invoke(turn.Text);
                    onReplyFinished.Invoke(turn.Text);
                }
            }
            finally
            {
                Think();
            }
        }
    }
}
