using System;
using System.Collections.Generic;
using System.Runtime.CompilerServices;
using System.Threading;
using System.Threading.Tasks;
using Townsfolk.Rpc;
using Townsfolk.V1;

namespace Townsfolk
{
    /// <summary>
    /// One character's conversation. Safe from any thread; turns said at once queue up and are answered
    /// in order. Behaves the same on both wires: everything is a short call or a stream of responses.
    /// </summary>
    public sealed class NpcSession : IAsyncDisposable
    {
        // What a runtime takes by default, less what the request holds beside the history.
        private const int MaxRequestBytes = (1024 * 1024) - 1024;
        private static readonly TimeSpan CloseTimeout = TimeSpan.FromSeconds(2);

        private readonly TownsfolkClient _client;
        private readonly SessionConfig _config;
        private readonly Transcript _transcript;
        private readonly SemaphoreSlim _opening = new SemaphoreSlim(1, 1);
        private volatile RpcChannel? _openOn;
        private bool _mayExist;
        private volatile bool _closed;

        internal NpcSession(TownsfolkClient client, SessionConfig config)
        {
            _client = client;
            _config = config.Clone();
            if (_config.SessionId.Length == 0)
            {
                _config.SessionId = Guid.NewGuid().ToString("N");
            }

            _transcript = new Transcript(config.Persona?.Name ?? string.Empty, config.History);
            _config.History.Clear();
        }

        /// <summary>The session's id in the runtime.</summary>
        public string SessionId => _config.SessionId;

        /// <summary>
        /// What the character remembers, as far as this client has seen it: lines, events, cut answers. An answer
        /// under way is not in it.
        /// </summary>
        public IReadOnlyList<TranscriptEntry> History => _transcript.Snapshot();

        /// <summary>Speaks to the character; see <see cref="SayAsync(Utterance, CancellationToken)"/>.</summary>
        public IAsyncEnumerable<NpcEvent> SayAsync(string text, CancellationToken cancellation = default) =>
            SayAsync(new Utterance { Text = text }, cancellation);

        /// <summary>
        /// Speaks to the character and streams the answer: started, texts and sentences, and at last
        /// finished or interrupted. Cancelling, or leaving the loop, interrupts the answer. A runtime that
        /// is lost before the answer begins is waited for; one that is lost later fails the turn.
        /// </summary>
        /// <exception cref="RpcException">The turn failed; the session lives on.</exception>
        /// <exception cref="OperationCanceledException">The caller cancelled.</exception>
        public async IAsyncEnumerable<NpcEvent> SayAsync(
            Utterance utterance, [EnumeratorCancellation] CancellationToken cancellation = default)
        {
            var request = new SayRequest { SessionId = SessionId, Utterance = utterance.Clone() };
            if (request.Utterance.TurnId.Length == 0)
            {
                // An id of our own makes a turn that is sent again after a lost connection the same turn.
                request.Utterance.TurnId = Guid.NewGuid().ToString("N");
            }

            using var turn = new TurnStream(_client, this, request, cancellation);
            while (await turn.MoveNextAsync().ConfigureAwait(false))
            {
                yield return turn.Current;
            }
        }

        /// <summary>Cuts answers off, also one that is whole but not yet heard to its end.</summary>
        /// <param name="heard">
        /// What the player has heard or read of the answer: the character remembers exactly that much. Null keeps
        /// all that was generated.
        /// </param>
        /// <param name="turnId">
        /// The turn, which may have ended: <see cref="NpcEvent.TurnId"/>. Null means the current one and all that
        /// wait behind it; when there is none and `heard` is given, the newest answer.
        /// </param>
        /// <param name="cancellation">Ends the call.</param>
        /// <returns>The turns that were cut off, oldest first.</returns>
        public async Task<IReadOnlyList<string>> InterruptAsync(
            string? heard = null, string? turnId = null, CancellationToken cancellation = default)
        {
            var request = new InterruptSessionRequest
            {
                SessionId = SessionId,
                Interrupt = new Interrupt { TurnId = turnId ?? string.Empty },
            };
            var heardCharacters = heard != null ? CodePoints.Count(heard) : (int?)null;
            if (heardCharacters is { } count)
            {
                request.Interrupt.HeardCharacters = count;
            }

            if (_openOn is { } channel)
            {
                try
                {
                    var response = await channel.UnaryAsync(
                        TownsfolkMethods.InterruptSession, request, _client.ShortCall(cancellation))
                        .ConfigureAwait(false);
                    if (response.TurnIds.Count > 0 && heardCharacters is { } characters)
                    {
                        _transcript.Cut(response.TurnIds[0], characters);
                    }

                    return response.TurnIds;
                }
                catch (RpcException gone)
                    when (gone.Code == StatusCode.NotFound || gone is RuntimeUnavailableException)
                {
                    // A runtime that is gone, or does not know the session, is saying nothing in it.
                }
            }

            // The runtime that the session is opened on next is told what is left.
            var cut = heardCharacters is { } kept ? _transcript.Cut(turnId ?? string.Empty, kept) : null;
            return cut != null ? new[] { cut } : Array.Empty<string>();
        }

        /// <summary>
        /// The character chooses what to say among authored texts; nothing is generated. The conversation stays as it
        /// is unless the request says to remember: so this also tells a mood, or decides what the character does.
        /// </summary>
        /// <param name="request">The options, and what is said to the character before. Its session id is set here.</param>
        /// <param name="cancellation">Ends the call.</param>
        public async Task<NpcChoice> ChooseAsync(
            ChooseRequest request, CancellationToken cancellation = default)
        {
            var own = request.Clone();
            own.SessionId = SessionId;
            var response = await InOpenSessionAsync(TownsfolkMethods.Choose, own, cancellation)
                .ConfigureAwait(false);
            var choice = new NpcChoice(response);
            if (own.Remember)
            {
                _transcript.AddChoice(response.TurnId, own.Utterance, choice.Text);
            }

            return choice;
        }

        /// <summary>Says what came of an action, for which the character waits.</summary>
        /// <param name="actionId">The action, of <see cref="NpcEvent.Action"/>.</param>
        /// <param name="accepted">Whether it is done.</param>
        /// <param name="text">The result, or the reason why it is not done; the character learns it.</param>
        /// <param name="cancellation">Ends the call.</param>
        public Task AnswerActionAsync(
            string actionId, bool accepted, string text = "", CancellationToken cancellation = default)
        {
            var request = new AnswerActionRequest { SessionId = SessionId, ActionId = actionId };
            if (accepted)
            {
                request.Accept = text;
            }
            else
            {
                request.Reject = text;
            }

            return _client.CallAsync(TownsfolkMethods.AnswerAction, request, cancellation);
        }

        /// <summary>The character learns of an event in the world, without answering.</summary>
        public async Task NotifyAsync(string text, CancellationToken cancellation = default)
        {
            var request = new NotifySessionRequest { SessionId = SessionId, Text = text };
            await InOpenSessionAsync(TownsfolkMethods.NotifySession, request, cancellation)
                .ConfigureAwait(false);
            _transcript.AddEvent(text);
        }

        /// <summary>
        /// The character remembers lines of the game's script as if it had said, heard or seen them; see
        /// <see cref="NpcLine"/>. During an answer they come after it.
        /// </summary>
        public async Task RecordAsync(
            IEnumerable<TranscriptEntry> lines, CancellationToken cancellation = default)
        {
            var request = new RecordLinesRequest { SessionId = SessionId, Recorded = new RecordedLines() };
            request.Recorded.Lines.AddRange(lines);
            var response = await InOpenSessionAsync(TownsfolkMethods.RecordLines, request, cancellation)
                .ConfigureAwait(false);
            _transcript.AddRecorded(response.Recorded.Lines);
        }

        /// <summary>Changes who goes first when the runtime is short of room or time; -100 to 100.</summary>
        public async Task SetPriorityAsync(int priority, CancellationToken cancellation = default)
        {
            var request = new UpdateSessionRequest { SessionId = SessionId, Priority = priority };
            await InOpenSessionAsync(TownsfolkMethods.UpdateSession, request, cancellation)
                .ConfigureAwait(false);
            _config.Priority = priority;
        }

        /// <summary>
        /// The session as the runtime has it: what a saved game keeps. Opening a session with it restores
        /// the conversation.
        /// </summary>
        public async Task<SessionConfig> SaveAsync(CancellationToken cancellation = default)
        {
            var request = new GetSessionRequest { SessionId = SessionId };
            var response = await InOpenSessionAsync(TownsfolkMethods.GetSession, request, cancellation)
                .ConfigureAwait(false);
            return response.Config;
        }

        /// <summary>
        /// The same as this client knows it: no call, also while the runtime is gone. What has been said of an
        /// answer under way is in it, marked as cut.
        /// </summary>
        public SessionConfig Save()
        {
            var config = _config.Clone();
            config.History.AddRange(_transcript.Snapshot(withUnderWay: true));
            return config;
        }

        /// <summary>Ends the session; the runtime forgets it. A runtime that is gone has done so already.</summary>
        public async ValueTask DisposeAsync()
        {
            if (_closed)
            {
                return;
            }

            _closed = true;
            if (_openOn is { } channel)
            {
                try
                {
                    await channel.UnaryAsync(
                        TownsfolkMethods.CloseSession,
                        new CloseSessionRequest { SessionId = SessionId },
                        new CallOptions(CloseTimeout)).ConfigureAwait(false);
                }
                catch (RpcException)
                {
                    // Closed, expired, or the runtime is gone: there is nothing left to end.
                }
            }
        }

        /// <summary>Follows what happens, to tell it again to a runtime that lost it.</summary>
        internal Transcript Transcript => _transcript;

        internal Task OpenAsync(CancellationToken cancellation) =>
            _client.RetryAsync(channel => OpenOnAsync(channel, cancellation), cancellation);

        /// <summary>Makes sure that the session exists at the end of this channel.</summary>
        internal async Task<bool> OpenOnAsync(RpcChannel channel, CancellationToken cancellation)
        {
            if (_closed)
            {
                throw new ObjectDisposedException(nameof(NpcSession));
            }

            if (ReferenceEquals(_openOn, channel))
            {
                return true;
            }

            await _opening.WaitAsync(cancellation).ConfigureAwait(false);
            try
            {
                if (!ReferenceEquals(_openOn, channel))
                {
                    // A first attempt whose answer was lost has opened it all the same.
                    var resumed = _mayExist && await ResumeAsync(channel, cancellation).ConfigureAwait(false);
                    _mayExist = true;
                    if (!resumed)
                    {
                        await CreateAsync(channel, cancellation).ConfigureAwait(false);
                    }

                    _openOn = channel;
                }

                return true;
            }
            catch (RpcException failure) when (!(failure is RuntimeUnavailableException))
            {
                _mayExist = _openOn != null;
                throw;
            }
            finally
            {
                _opening.Release();
            }
        }

        /// <summary>The runtime does not know the session any more: the next use opens it again.</summary>
        internal void Lose() => _openOn = null;

        private async Task<bool> ResumeAsync(RpcChannel channel, CancellationToken cancellation)
        {
            var options = _client.ShortCall(cancellation);
            var attach = new OpenSessionRequest
            {
                Open = new OpenSession
                {
                    Config = new SessionConfig { SessionId = SessionId },
                    Resume = true,
                },
            };
            try
            {
                await channel.UnaryAsync(TownsfolkMethods.OpenSession, attach, options).ConfigureAwait(false);
                var known = await channel.UnaryAsync(
                    TownsfolkMethods.GetSession,
                    new GetSessionRequest { SessionId = SessionId },
                    options).ConfigureAwait(false);
                _transcript.Replace(known.Config.History);
                return true;
            }
            catch (RpcException failure) when (failure.Code == StatusCode.NotFound)
            {
                return false;
            }
        }

        private async Task CreateAsync(RpcChannel channel, CancellationToken cancellation)
        {
            var config = _config.Clone();
            config.History.AddRange(_transcript.Newest(MaxRequestBytes - config.CalculateSize()));
            var request = new OpenSessionRequest { Open = new OpenSession { Config = config } };
            var options = _client.ShortCall(cancellation);
            try
            {
                await channel.UnaryAsync(TownsfolkMethods.OpenSession, request, options).ConfigureAwait(false);
                return;
            }
            catch (RpcException failure) when (failure.Code == StatusCode.NotFound)
            {
                // A runtime that was started anew lacks the lore.
                if (await _client.RegisterAgainAsync(channel, config.LoreIds, cancellation)
                    .ConfigureAwait(false) == 0)
                {
                    throw;
                }
            }

            await channel.UnaryAsync(TownsfolkMethods.OpenSession, request, options).ConfigureAwait(false);
        }

        private Task<TResponse> InOpenSessionAsync<TRequest, TResponse>(
            RpcMethod<TRequest, TResponse> method, TRequest request, CancellationToken cancellation) =>
            _client.RetryAsync(
                async channel =>
                {
                    await OpenOnAsync(channel, cancellation).ConfigureAwait(false);
                    try
                    {
                        return await channel.UnaryAsync(method, request, _client.ShortCall(cancellation))
                            .ConfigureAwait(false);
                    }
                    catch (RpcException failure) when (failure.Code == StatusCode.NotFound)
                    {
                        Lose();
                    }

                    await OpenOnAsync(channel, cancellation).ConfigureAwait(false);
                    return await channel.UnaryAsync(method, request, _client.ShortCall(cancellation))
                        .ConfigureAwait(false);
                },
                cancellation);
    }
}
