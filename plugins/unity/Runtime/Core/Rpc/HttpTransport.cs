using System;
using System.Net.Http;

namespace Townsfolk.Rpc
{
    /// <summary>
    /// A wire and what carries it: the seam for HttpMessageHandlers of one's own
    /// (YetAnotherHttpHandler, UnityHttpMessageHandler, a test's).
    /// </summary>
    public sealed class HttpTransport
    {
        /// <summary>gRPC over HTTP/2 with the platform's own handler: .NET can, Unity's class library can't.</summary>
        public static readonly HttpTransport Grpc = new HttpTransport(RpcWire.Grpc, StockHandler.Create);

        /// <summary>gRPC-Web over HTTP/1.1 with the platform's own handler: works everywhere with sockets.</summary>
        public static readonly HttpTransport GrpcWeb = new HttpTransport(RpcWire.GrpcWeb, StockHandler.Create);

        private readonly Func<RuntimeEndpoint, HttpMessageHandler> _createHandler;

        /// <summary>Joins a wire and a factory of handlers.</summary>
        /// <param name="wire">How calls lie in HTTP.</param>
        /// <param name="createHandler">Called once for each connection to a runtime.</param>
        public HttpTransport(RpcWire wire, Func<RuntimeEndpoint, HttpMessageHandler> createHandler)
        {
            Wire = wire;
            _createHandler = createHandler;
        }

        /// <summary>How calls lie in HTTP.</summary>
        public RpcWire Wire { get; }

        /// <summary>Creates a channel to a runtime. Nothing is sent before the first call.</summary>
        /// <exception cref="ArgumentException">The endpoint has no port for this wire.</exception>
        public RpcChannel Connect(
            RuntimeEndpoint endpoint, int maxMessageBytes = RpcChannel.DefaultMaxMessageBytes)
        {
            var port = Wire == RpcWire.Grpc ? endpoint.Port : endpoint.WebPort;
            if (port == 0)
            {
                throw new ArgumentException(Wire == RpcWire.Grpc
                    ? "the endpoint has no gRPC port"
                    : "the endpoint has no gRPC-Web port: start the runtime with --web-port");
            }

            var address = new UriBuilder(endpoint.UseTls ? "https" : "http", endpoint.Host, port).Uri;
            return new RpcChannel(
                address, Wire, _createHandler(endpoint), endpoint.Token, maxMessageBytes, Contract.Metadata);
        }
    }
}
