using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Runtime.CompilerServices;
using System.Threading;
using System.Threading.Tasks;
using Townsfolk.Rpc;
using Townsfolk.V1;

namespace Townsfolk
{
    /// <summary>
    /// A game's connection to its runtime. Safe from any thread. When the runtime goes away, calls wait
    /// for it to come back (up to <see cref="TownsfolkClientOptions.ReconnectTimeout"/>), and sessions
    /// are opened again with their transcripts.
    /// </summary>
    public sealed class TownsfolkClient : IDisposable
    {
        private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(1);
        private static readonly TimeSpan LongestReport = TimeSpan.FromSeconds(1);
        private static readonly TimeSpan LongestLoad = TimeSpan.FromMinutes(10);

        private readonly IEndpointSource _endpoints;
        private readonly ConcurrentDictionary<string, Lore> _lore = new ConcurrentDictionary<string, Lore>();
        private readonly object _lock = new object();
        private RuntimeEndpoint? _endpoint;
        private RpcChannel? _channel;
        private Task<bool>? _versionCheck;
        private bool _disposed;

        /// <summary>Creates a client. Nothing is sent before the first call.</summary>
        /// <param name="endpoints">Where the runtime is: a <see cref="FixedEndpoint"/> or a <see cref="RuntimeProcess"/>.</param>
        /// <param name="options">How to reach it; null takes the defaults.</param>
        public TownsfolkClient(IEndpointSource endpoints, TownsfolkClientOptions? options = null)
        {
            _endpoints = endpoints;
            Options = (options ?? new TownsfolkClientOptions()).Copy();
        }

        internal TownsfolkClientOptions Options { get; }

        /// <summary>What runs there: version, model, device, limits. Also the way to see whether it is well.</summary>
        public Task<GetRuntimeInfoResponse> GetRuntimeInfoAsync(CancellationToken cancellation = default) =>
            CallAsync(TownsfolkMethods.GetRuntimeInfo, new GetRuntimeInfoRequest(), cancellation);

        /// <summary>
        /// Registers world knowledge, or replaces it for sessions opened from then on. The client keeps it
        /// and registers it again when the runtime has been started anew.
        /// </summary>
        /// <returns>Its length in tokens.</returns>
        public async Task<int> RegisterLoreAsync(Lore lore, CancellationToken cancellation = default)
        {
            var request = new RegisterLoreRequest { Lore = lore.Clone() };
            var response = await CallAsync(TownsfolkMethods.RegisterLore, request, cancellation)
                .ConfigureAwait(false);
            _lore[lore.LoreId] = request.Lore;
            return response.Tokens;
        }

        /// <summary>Forgets world knowledge; sessions that were opened with it keep it.</summary>
        public Task RemoveLoreAsync(string loreId, CancellationToken cancellation = default)
        {
            _lore.TryRemove(loreId, out _);
            var request = new RemoveLoreRequest { LoreId = loreId };
            return CallAsync(TownsfolkMethods.RemoveLore, request, cancellation);
        }

        /// <summary>Opens a session for one character.</summary>
        public async Task<NpcSession> OpenSessionAsync(
            SessionConfig config, CancellationToken cancellation = default)
        {
            var session = new NpcSession(this, config);
            await session.OpenAsync(cancellation).ConfigureAwait(false);
            return session;
        }

        /// <summary>All sessions of the runtime.</summary>
        public async Task<IReadOnlyList<SessionSummary>> ListSessionsAsync(
            CancellationToken cancellation = default)
        {
            var response = await CallAsync(
                TownsfolkMethods.ListSessions, new ListSessionsRequest(), cancellation).ConfigureAwait(false);
            return response.Sessions;
        }

        /// <summary>A session's configuration and transcript, whoever opened it.</summary>
        public Task<GetSessionResponse> GetSessionAsync(
            string sessionId, CancellationToken cancellation = default) =>
            CallAsync(TownsfolkMethods.GetSession, new GetSessionRequest { SessionId = sessionId }, cancellation);

        /// <summary>How a session's last turns went, and its last prompt as the model saw it.</summary>
        public Task<InspectSessionResponse> InspectSessionAsync(
            string sessionId, bool withPrompt, CancellationToken cancellation = default) =>
            CallAsync(
                TownsfolkMethods.InspectSession,
                new InspectSessionRequest { SessionId = sessionId, WithPrompt = withPrompt },
                cancellation);

        /// <summary>What failed of late, of all clients of the runtime.</summary>
        public async Task<IReadOnlyList<ErrorReport>> ListErrorsAsync(CancellationToken cancellation = default)
        {
            var response = await CallAsync(
                TownsfolkMethods.ListErrors, new ListErrorsRequest(), cancellation).ConfigureAwait(false);
            return response.Errors;
        }

        /// <summary>Completes a prompt as it stands: no persona, no transcript, no chat template.</summary>
        public IAsyncEnumerable<GenerateResponse> GenerateAsync(
            GenerateRequest request, CancellationToken cancellation = default) =>
            StreamAsync(TownsfolkMethods.Generate, request, cancellation);

        /// <summary>Chooses among authored texts behind a prompt; set its text or token ids, and the options.</summary>
        public async Task<NpcChoice> ChooseAsync(
            ChooseRequest request, CancellationToken cancellation = default) =>
            new NpcChoice(
                await CallAsync(TownsfolkMethods.Choose, request, cancellation).ConfigureAwait(false));

        /// <summary>Counters of the engine, again and again until cancelled.</summary>
        public IAsyncEnumerable<WatchStatsResponse> WatchStatsAsync(
            WatchStatsRequest request, CancellationToken cancellation = default) =>
            StreamAsync(TownsfolkMethods.WatchStats, request, cancellation);

        /// <summary>
        /// Has the runtime give its model's memory back, as for a loading screen. Sessions stay; answers under way
        /// pause and go on when the model is back.
        /// </summary>
        /// <param name="untilWarm">Keep it away until <see cref="WarmAsync"/>; else the next line that is said loads it.</param>
        /// <param name="cancellation">Ends the wait.</param>
        /// <returns>What the runtime takes then, in MiB.</returns>
        public async Task<int> ReleaseAsync(bool untilWarm = false, CancellationToken cancellation = default)
        {
            var request = new ReleaseRequest { UntilWarm = untilWarm };
            var response = await CallAsync(TownsfolkMethods.Release, request, cancellation).ConfigureAwait(false);
            return response.MemoryUsedMib;
        }

        /// <summary>Has the runtime load its model, and waits for that.</summary>
        /// <returns>What the runtime takes then, in MiB.</returns>
        public async Task<int> WarmAsync(CancellationToken cancellation = default)
        {
            var options = new CallOptions(LongestLoad, null, cancellation);
            var response = await RetryAsync(
                channel => channel.UnaryAsync(TownsfolkMethods.Warm, new WarmRequest(), options),
                cancellation).ConfigureAwait(false);
            return response.MemoryUsedMib;
        }

        /// <summary>Ends all calls and the connection. The runtime keeps the sessions until they expire.</summary>
        public void Dispose()
        {
            RpcChannel? channel;
            lock (_lock)
            {
                _disposed = true;
                channel = _channel;
                _channel = null;
            }

            channel?.Dispose();
        }

        /// <summary>Tells of frames, once: what comes late is of no use.</summary>
        internal async Task ReportFramesAsync(ReportFramesRequest request)
        {
            var channel = await ChannelAsync(CancellationToken.None).ConfigureAwait(false);
            var options = new CallOptions(LongestReport, null, CancellationToken.None);
            await channel.UnaryAsync(TownsfolkMethods.ReportFrames, request, options).ConfigureAwait(false);
        }

        /// <summary>Makes a short call; tries again while the runtime can't be reached.</summary>
        internal Task<TResponse> CallAsync<TRequest, TResponse>(
            RpcMethod<TRequest, TResponse> method, TRequest request, CancellationToken cancellation) =>
            RetryAsync(
                channel => channel.UnaryAsync(method, request, ShortCall(cancellation)), cancellation);

        /// <summary>The options of a short call.</summary>
        internal CallOptions ShortCall(CancellationToken cancellation) =>
            new CallOptions(Options.CallTimeout, null, cancellation);

        /// <summary>Runs an attempt on the channel; again, after a pause, while the runtime can't be reached.</summary>
        internal async Task<T> RetryAsync<T>(
            Func<RpcChannel, Task<T>> attempt, CancellationToken cancellation)
        {
            var waited = Stopwatch.StartNew();
            var pause = TimeSpan.FromMilliseconds(50);
            while (true)
            {
                try
                {
                    var channel = await ChannelAsync(cancellation).ConfigureAwait(false);
                    return await attempt(channel).ConfigureAwait(false);
                }
                catch (RuntimeUnavailableException)
                    when (!_disposed && waited.Elapsed + pause < Options.ReconnectTimeout)
                {
                    await Task.Delay(pause, cancellation).ConfigureAwait(false);
                    pause = pause + pause < LongestPause ? pause + pause : LongestPause;
                }
            }
        }

        /// <summary>Sends the lore of these ids again, as far as it was registered here.</summary>
        /// <returns>How many were sent.</returns>
        internal async Task<int> RegisterAgainAsync(
            RpcChannel channel, IEnumerable<string> loreIds, CancellationToken cancellation)
        {
            var known = loreIds.Where(_lore.ContainsKey).ToList();
            foreach (var id in known)
            {
                await channel.UnaryAsync(
                    TownsfolkMethods.RegisterLore,
                    new RegisterLoreRequest { Lore = _lore[id] },
                    ShortCall(cancellation)).ConfigureAwait(false);
            }

            return known.Count;
        }

        private async Task<RpcChannel> ChannelAsync(CancellationToken cancellation)
        {
            var endpoint = await _endpoints.GetAsync(cancellation).ConfigureAwait(false);
            RpcChannel? old = null;
            RpcChannel channel;
            Task<bool> check;
            try
            {
                lock (_lock)
                {
                    if (_disposed)
                    {
                        throw new ObjectDisposedException(nameof(TownsfolkClient));
                    }

                    if (_channel == null || !ReferenceEquals(endpoint, _endpoint))
                    {
                        old = _channel;
                        _channel = Options.Transport.Connect(endpoint, Options.MaxMessageBytes);
                        _endpoint = endpoint;
                        _versionCheck = null;
                    }

                    channel = _channel;
                    check = _versionCheck ??= CheckVersionAsync(channel);
                }
            }
            finally
            {
                old?.Dispose();
            }

            await check.ConfigureAwait(false);
            return channel;
        }

        // Where the runtime does not say its version yet, the next call asks again.
        private async Task<bool> CheckVersionAsync(RpcChannel channel)
        {
            var isKnown = await Contract.CheckAsync(channel, ShortCall(CancellationToken.None), Options.Warn)
                .ConfigureAwait(false);
            if (!isKnown)
            {
                lock (_lock)
                {
                    _versionCheck = ReferenceEquals(channel, _channel) ? null : _versionCheck;
                }
            }

            return isKnown;
        }

        private async IAsyncEnumerable<TResponse> StreamAsync<TRequest, TResponse>(
            RpcMethod<TRequest, TResponse> method,
            TRequest request,
            [EnumeratorCancellation] CancellationToken cancellation)
        {
            var options = new CallOptions(cancellation: cancellation);
            var channel = await ChannelAsync(cancellation).ConfigureAwait(false);
            using var call = channel.ServerStreaming(method, request, options);
            while (await call.MoveNextAsync().ConfigureAwait(false))
            {
                yield return call.Current;
            }
        }
    }
}
