using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Net;
using System.Net.Http;
using System.Net.Sockets;
using System.Threading;
using System.Threading.Tasks;

namespace Townsfolk.Rpc
{
    /// <summary>
    /// A call under way. Its responses are read one after the other by one reader; requests can be
    /// written from any thread. Disposing it before its end cancels it on the server too.
    /// </summary>
    public sealed class RpcCall<TRequest, TResponse> : IAsyncEnumerator<TResponse>, IDisposable
    {
        private static readonly IReadOnlyDictionary<string, string> NoMetadata =
            new Dictionary<string, string>();

        private readonly RpcMethod<TRequest, TResponse> _method;
        private readonly RpcWire _wire;
        private readonly int _maxMessageBytes;
        private readonly Abort _abort;
        private readonly DuplexContent? _requests;
        private readonly Task<HttpResponseMessage> _sending;
        private HttpResponseMessage? _response;
        private FrameReader? _frames;
        private bool _ended;
        private int _disposed;

        internal RpcCall(
            HttpMessageInvoker http,
            HttpRequestMessage request,
            RpcMethod<TRequest, TResponse> method,
            RpcWire wire,
            int maxMessageBytes,
            CallOptions options,
            CancellationToken channelClosed)
        {
            _method = method;
            _wire = wire;
            _maxMessageBytes = maxMessageBytes;
            _requests = request.Content as DuplexContent;
            _abort = new Abort(options.Timeout, options.Cancellation, channelClosed);
            _sending = SendAsync(http, request);
        }

        /// <summary>The metadata before the first response; empty until it has come.</summary>
        public IReadOnlyDictionary<string, string> Headers { get; private set; } = NoMetadata;

        /// <summary>The metadata after the last response; empty until the call has ended.</summary>
        public IReadOnlyDictionary<string, string> Trailers { get; private set; } = NoMetadata;

        /// <summary>The response that <see cref="MoveNextAsync"/> read last.</summary>
        public TResponse Current { get; private set; } = default!;

        /// <summary>Reads the next response; false when the call has ended well.</summary>
        /// <exception cref="RpcException">The call failed.</exception>
        /// <exception cref="OperationCanceledException">The caller cancelled or disposed it.</exception>
        public async ValueTask<bool> MoveNextAsync()
        {
            if (_ended)
            {
                return false;
            }

            try
            {
                if (await ReadAsync().ConfigureAwait(false))
                {
                    return true;
                }
            }
            catch (Exception exception)
            {
                var failure = Translate(exception);
                Release();
                if (ReferenceEquals(failure, exception))
                {
                    throw;
                }

                throw failure;
            }

            Release();
            return false;
        }

        /// <summary>Writes a request; waits while the server takes no more.</summary>
        /// <exception cref="InvalidOperationException">This call streams no requests, or they are complete.</exception>
        /// <exception cref="RpcException">The call has ended; the responses tell why.</exception>
        public async Task WriteAsync(TRequest request)
        {
            if (_requests == null)
            {
                throw new InvalidOperationException("this call streams no requests");
            }

            var frame = Frame.Of(_method.Serialize(request));
            try
            {
                await _requests.WriteAsync(frame, _abort).ConfigureAwait(false);
            }
            catch (Exception exception) when (!(exception is InvalidOperationException))
            {
                throw Translate(exception);
            }
        }

        /// <summary>Tells the server that no more requests come.</summary>
        public void Complete() => _requests?.Complete();

        /// <summary>Cancels the call where it has not ended.</summary>
        public void Dispose()
        {
            if (Interlocked.Exchange(ref _disposed, 1) == 0)
            {
                Release();
            }
        }

        /// <inheritdoc cref="Dispose"/>
        public ValueTask DisposeAsync()
        {
            Dispose();
            return default;
        }

        /// <summary>Reads the one response of a call that has one.</summary>
        internal async Task<TResponse> SingleAsync()
        {
            using (this)
            {
                if (!await MoveNextAsync().ConfigureAwait(false))
                {
                    throw new ProtocolException("the answer has a good status but no message");
                }

                var response = Current;
                if (await MoveNextAsync().ConfigureAwait(false))
                {
                    throw new ProtocolException("the answer has more than one message");
                }

                return response;
            }
        }

        private async Task<HttpResponseMessage> SendAsync(HttpMessageInvoker http, HttpRequestMessage request)
        {
            try
            {
                return await http.SendAsync(request, _abort.Token).ConfigureAwait(false);
            }
            catch (Exception exception)
            {
                _requests?.Abandon(exception);
                throw;
            }
        }

        private async Task<bool> ReadAsync()
        {
            if (_frames == null && !await OpenAsync().ConfigureAwait(false))
            {
                return false;
            }

            if (!await _frames!.ReadAsync(_abort).ConfigureAwait(false))
            {
                Finish(_wire.Trailers(_response!) ?? new Dictionary<string, string>());
                return false;
            }

            if (_wire.IsTrailers(_frames.Flags))
            {
                Finish(Metadata.Parse(_frames.Payload));
                return false;
            }

            if (_frames.Flags != 0)
            {
                throw new ProtocolException(_frames.Flags == Frame.CompressedFlag
                    ? "a compressed message came, and no compression was agreed on"
                    : $"a frame with unknown flags 0x{_frames.Flags:x2} came");
            }

            Current = Parse(_frames.Payload);
            return true;
        }

        // False when the headers already hold the status: there is no body.
        private async Task<bool> OpenAsync()
        {
            _response = await _abort.RaceAsync(_sending).ConfigureAwait(false);
            var headers = Metadata.Read(_response.Headers);
            Headers = headers;
            if (headers.ContainsKey("grpc-status"))
            {
                Finish(headers);
                return false;
            }

            if (_response.StatusCode != HttpStatusCode.OK)
            {
                throw RpcException.From(CodeOf(_response.StatusCode), "HTTP status "
                    + ((int)_response.StatusCode).ToString(CultureInfo.InvariantCulture)
                    + " without a gRPC status: is this the right address and port?");
            }

            IEnumerable<string>? types = null;
            _response.Content?.Headers.TryGetValues("content-type", out types);
            var contentType = types?.FirstOrDefault() ?? string.Empty;
            if (!_wire.Accepts(contentType))
            {
                throw new ProtocolException(
                    $"the answer is of type '{contentType}' instead of {_wire.ContentType}: "
                    + "is this the right port for this wire?");
            }

            if (headers.TryGetValue("grpc-encoding", out var encoding) && encoding != "identity")
            {
                throw new ProtocolException($"the answer is compressed ('{encoding}') without being asked to");
            }

            var body = await _abort.RaceAsync(_response.Content!.ReadAsStreamAsync()).ConfigureAwait(false);
            _frames = new FrameReader(body, _maxMessageBytes);
            return true;
        }

        private void Finish(Dictionary<string, string> trailers)
        {
            Trailers = trailers;
            if (!trailers.TryGetValue("grpc-status", out var status))
            {
                throw new ProtocolException("the answer ended without a status");
            }

            if (!int.TryParse(status, NumberStyles.None, CultureInfo.InvariantCulture, out var code))
            {
                throw new ProtocolException($"the status of the answer is '{status}', not a number");
            }

            if (code != 0)
            {
                trailers.TryGetValue("grpc-message", out var message);
                throw RpcException.From(
                    code <= 16 ? (StatusCode)code : StatusCode.Unknown,
                    Metadata.PercentDecode(message ?? string.Empty),
                    trailers);
            }
        }

        private TResponse Parse(ArraySegment<byte> payload)
        {
            try
            {
                return _method.Parse(payload.Array!, payload.Offset, payload.Count);
            }
            catch (Exception exception)
            {
                throw new ProtocolException("a message could not be parsed", exception);
            }
        }

        private Exception Translate(Exception exception)
        {
            if (_abort.CallerCancelled || (_abort.Requested && !(exception is RpcException)))
            {
                return _abort.Reason();
            }

            switch (exception)
            {
                case RpcException known:
                    return known;
                case HttpRequestException _:
                case IOException _:
                case SocketException _:
                case WebException _:
                case ObjectDisposedException _:
                case OperationCanceledException _:
                    return new RuntimeUnavailableException(
                        "the runtime can't be reached or the connection was lost: "
                        + exception.GetBaseException().Message, null, exception);
                default:
                    return new RpcException(StatusCode.Unknown, exception.Message, null, exception);
            }
        }

        private void Release()
        {
            _ended = true;
            _abort.Cancel();
            _requests?.Complete();
            if (_response != null)
            {
                _response.Dispose();
            }
            else
            {
                Abort.Forget(_sending);
            }

            _abort.Dispose();
        }

        private static StatusCode CodeOf(HttpStatusCode status)
        {
            switch ((int)status)
            {
                case 400:
                case 431:
                    return StatusCode.Internal;
                case 401:
                    return StatusCode.Unauthenticated;
                case 403:
                    return StatusCode.PermissionDenied;
                case 404:
                    return StatusCode.Unimplemented;
                case 429:
                case 502:
                case 503:
                case 504:
                    return StatusCode.Unavailable;
                default:
                    return StatusCode.Unknown;
            }
        }
    }
}
