using System;
using System.Threading;
using System.Threading.Tasks;
using Townsfolk.Rpc;
using Townsfolk.V1;

namespace Townsfolk
{
    /// <summary>Reads one turn: starts it, again where the runtime was lost before it began, and ends it.</summary>
    internal sealed class TurnStream : IDisposable
    {
        // What the runtime may need beyond the turn's own deadline to say that it has passed.
        private static readonly TimeSpan DeadlineGrace = TimeSpan.FromSeconds(5);

        private readonly TownsfolkClient _client;
        private readonly NpcSession _session;
        private readonly SayRequest _request;
        private readonly CancellationToken _caller;
        private readonly CancellationTokenSource _silence;
        private RpcCall<SayRequest, SayResponse>? _call;
        private bool _ended;

        public TurnStream(
            TownsfolkClient client, NpcSession session, SayRequest request, CancellationToken caller)
        {
            _client = client;
            _session = session;
            _request = request;
            _caller = caller;
            _silence = CancellationTokenSource.CreateLinkedTokenSource(caller);
            session.Transcript.Ask(request.Utterance);
        }

        public NpcEvent Current { get; private set; }

        public async Task<bool> MoveNextAsync()
        {
            try
            {
                return await ReadAsync().ConfigureAwait(false);
            }
            catch (Exception failure) when (!(failure is OperationCanceledException))
            {
                _session.Transcript.Fail(_request.Utterance.TurnId);
                throw;
            }
        }

        public void Dispose()
        {
            _session.Transcript.Leave(_request.Utterance.TurnId);
            _call?.Dispose();
            _silence.Dispose();
        }

        private async Task<bool> ReadAsync()
        {
            _silence.CancelAfter(_client.Options.SilenceTimeout);
            bool moved;
            try
            {
                moved = _call == null
                    ? await _client.RetryAsync(StartAsync, _silence.Token).ConfigureAwait(false)
                    : await _call.MoveNextAsync().ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (!_caller.IsCancellationRequested && _silence.IsCancellationRequested)
            {
                throw new RuntimeUnavailableException(
                    $"nothing came from the runtime for {_client.Options.SilenceTimeout.TotalSeconds:0} s");
            }

            if (!moved)
            {
                return _ended ? false : throw new ProtocolException("the answer has no last event");
            }

            var happened = _call!.Current.Event ?? throw new ProtocolException("a message without an event came");
            _session.Transcript.Follow(happened);
            if (happened.EventCase == SessionEvent.EventOneofCase.Error)
            {
                throw RpcException.From(CodeOf(happened.Error.Code), happened.Error.Message);
            }

            _ended |= happened.EventCase == SessionEvent.EventOneofCase.TurnFinished
                || happened.EventCase == SessionEvent.EventOneofCase.TurnInterrupted;
            Current = new NpcEvent(happened);
            return true;
        }

        // Opens the session where it is not open, says the line, and reads the first event.
        private async Task<bool> StartAsync(RpcChannel channel)
        {
            for (var again = false; ; again = true)
            {
                await _session.OpenOnAsync(channel, _silence.Token).ConfigureAwait(false);
                var deadline = _request.Utterance.DeadlineMs;
                var limit = deadline > 0
                    ? TimeSpan.FromMilliseconds(deadline) + DeadlineGrace
                    : (TimeSpan?)null;
                var call = channel.ServerStreaming(
                    TownsfolkMethods.Say, _request, new CallOptions(limit, null, _silence.Token));
                try
                {
                    var moved = await call.MoveNextAsync().ConfigureAwait(false);
                    _call = call;
                    return moved;
                }
                catch (RpcException failure) when (failure.Code == StatusCode.NotFound && !again)
                {
                    // The runtime was started anew behind the same address, or the session expired.
                    call.Dispose();
                    _session.Lose();
                }
                catch
                {
                    call.Dispose();
                    throw;
                }
            }
        }

        private static StatusCode CodeOf(ErrorCode code)
        {
            switch (code)
            {
                case ErrorCode.InvalidArgument:
                    return StatusCode.InvalidArgument;
                case ErrorCode.NotFound:
                    return StatusCode.NotFound;
                case ErrorCode.ResourceExhausted:
                    return StatusCode.ResourceExhausted;
                case ErrorCode.FailedPrecondition:
                    return StatusCode.FailedPrecondition;
                case ErrorCode.DeadlineExceeded:
                    return StatusCode.DeadlineExceeded;
                case ErrorCode.AlreadyExists:
                    return StatusCode.AlreadyExists;
                case ErrorCode.Internal:
                    return StatusCode.Internal;
                default:
                    return StatusCode.Unknown;
            }
        }
    }
}
