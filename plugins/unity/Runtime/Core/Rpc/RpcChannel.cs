using System;
using System.Collections.Generic;
using System.Net.Http;
using System.Net.Http.Headers;
using System.Threading;
using System.Threading.Tasks;

namespace Townsfolk.Rpc
{
    /// <summary>Makes gRPC calls to one server over any HttpMessageHandler. Safe from any thread.</summary>
    public sealed class RpcChannel : IDisposable
    {
        /// <summary>The default of the largest message that is taken, in bytes.</summary>
        public const int DefaultMaxMessageBytes = 4 * 1024 * 1024;

        private readonly HttpMessageInvoker _http;
        private readonly Uri _address;
        private readonly string? _token;
        private readonly int _maxMessageBytes;
        private readonly IReadOnlyDictionary<string, string>? _metadata;
        private readonly CancellationTokenSource _closed = new CancellationTokenSource();

        /// <summary>Creates a channel. Nothing is sent before the first call.</summary>
        /// <param name="address">Scheme, host and port.</param>
        /// <param name="wire">How calls lie in HTTP.</param>
        /// <param name="handler">Carries the requests; the channel disposes it.</param>
        /// <param name="token">Sent with every call as "authorization: Bearer TOKEN"; null for none.</param>
        /// <param name="maxMessageBytes">A longer message fails its call with ResourceExhausted.</param>
        /// <param name="metadata">Sent with every call besides; null for none.</param>
        public RpcChannel(
            Uri address,
            RpcWire wire,
            HttpMessageHandler handler,
            string? token = null,
            int maxMessageBytes = DefaultMaxMessageBytes,
            IReadOnlyDictionary<string, string>? metadata = null)
        {
            if (maxMessageBytes < 1)
            {
                throw new ArgumentOutOfRangeException(nameof(maxMessageBytes), maxMessageBytes, "must be above 0");
            }

            _address = address;
            Wire = wire;
            _http = new HttpMessageInvoker(handler, disposeHandler: true);
            _token = string.IsNullOrEmpty(token) ? null : token;
            _maxMessageBytes = maxMessageBytes;
            _metadata = metadata;
        }

        /// <summary>How calls lie in HTTP.</summary>
        public RpcWire Wire { get; }

        /// <summary>One request, one response.</summary>
        /// <exception cref="RpcException">The call failed.</exception>
        public Task<TResponse> UnaryAsync<TRequest, TResponse>(
            RpcMethod<TRequest, TResponse> method, TRequest request, CallOptions options = default) =>
            ServerStreaming(method, request, options).SingleAsync();

        /// <summary>One request, many responses.</summary>
        public RpcCall<TRequest, TResponse> ServerStreaming<TRequest, TResponse>(
            RpcMethod<TRequest, TResponse> method, TRequest request, CallOptions options = default) =>
            Start(method, new ByteArrayContent(Frame.Of(method.Serialize(request))), options);

        /// <summary>Many requests, one response.</summary>
        /// <exception cref="RpcException">The call failed.</exception>
        /// <exception cref="NotSupportedException">The wire can't stream requests.</exception>
        public async Task<TResponse> ClientStreamingAsync<TRequest, TResponse>(
            RpcMethod<TRequest, TResponse> method,
            IAsyncEnumerable<TRequest> requests,
            CallOptions options = default)
        {
            using var call = Duplex(method, options);
            try
            {
                await foreach (var request in requests.ConfigureAwait(false))
                {
                    await call.WriteAsync(request).ConfigureAwait(false);
                }
            }
            catch (RpcException)
            {
                // The server has answered before the last request: its answer counts, read below.
            }

            call.Complete();
            return await call.SingleAsync().ConfigureAwait(false);
        }

        /// <summary>Many requests, many responses, in any order.</summary>
        /// <exception cref="NotSupportedException">The wire can't stream requests.</exception>
        public RpcCall<TRequest, TResponse> Duplex<TRequest, TResponse>(
            RpcMethod<TRequest, TResponse> method, CallOptions options = default)
        {
            if (!Wire.StreamsRequests)
            {
                throw new NotSupportedException("gRPC-Web can't stream requests: use the HTTP/2 wire");
            }

            return Start(method, new DuplexContent(), options);
        }

        /// <summary>Ends all calls and closes the connections.</summary>
        public void Dispose()
        {
            // Not every handler ends its streams when it is disposed; the source itself needs no disposal.
            _closed.Cancel();
            _http.Dispose();
        }

        private static void AddTo(HttpRequestMessage request, IReadOnlyDictionary<string, string>? metadata)
        {
            if (metadata != null)
            {
                foreach (var pair in metadata)
                {
                    Metadata.Add(request.Headers, pair.Key, pair.Value);
                }
            }
        }

        private RpcCall<TRequest, TResponse> Start<TRequest, TResponse>(
            RpcMethod<TRequest, TResponse> method, HttpContent content, CallOptions options)
        {
            var request = new HttpRequestMessage(HttpMethod.Post, new Uri(_address, method.Path))
            {
                Content = content,
                Version = Wire.HttpVersion,
            };
            content.Headers.ContentType = new MediaTypeHeaderValue(Wire.ContentType);
            Wire.Prepare(request);
            if (_token != null)
            {
                Metadata.Add(request.Headers, "authorization", "Bearer " + _token);
            }

            AddTo(request, _metadata);
            AddTo(request, options.Metadata);
            if (options.Timeout is { } timeout)
            {
                request.Headers.TryAddWithoutValidation("grpc-timeout", Metadata.Timeout(timeout));
            }

            return new RpcCall<TRequest, TResponse>(
                _http, request, method, Wire, _maxMessageBytes, options, _closed.Token);
        }
    }
}
