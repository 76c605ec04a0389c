using System;
using System.Collections.Generic;
using System.Net.Http;
using System.Net.Http.Headers;
using System.Reflection;

namespace Townsfolk.Rpc
{
    /// <summary>How calls lie in HTTP: the two wires differ in headers and in where the status comes.</summary>
    public abstract class RpcWire
    {
        /// <summary>application/grpc over HTTP/2: all four kinds of calls.</summary>
        public static readonly RpcWire Grpc = new GrpcWire();

        /// <summary>application/grpc-web+proto over HTTP/1.1: unary calls and streams of responses.</summary>
        public static readonly RpcWire GrpcWeb = new GrpcWebWire();

        private protected RpcWire()
        {
        }

        /// <summary>Whether the client can stream requests.</summary>
        public abstract bool StreamsRequests { get; }

        internal abstract string ContentType { get; }

        internal abstract Version HttpVersion { get; }

        internal abstract void Prepare(HttpRequestMessage request);

        /// <summary>Whether a frame with these flags is the trailers.</summary>
        internal abstract bool IsTrailers(byte flags);

        /// <summary>The trailers of a response whose body has ended; null when this wire has them in the body.</summary>
        internal abstract Dictionary<string, string>? Trailers(HttpResponseMessage response);

        /// <summary>Whether this content type is an answer on this wire.</summary>
        internal bool Accepts(string contentType)
        {
            var wanted = ContentType.Split('+')[0];
            return contentType.StartsWith(wanted, StringComparison.OrdinalIgnoreCase)
                && (contentType.Length == wanted.Length || contentType[wanted.Length] == '+'
                    || contentType[wanted.Length] == ';');
        }

        private sealed class GrpcWire : RpcWire
        {
            // .NET speaks HTTP/2 without TLS only when told so by HttpRequestMessage.VersionPolicy, which
            // .NET Standard 2.1 does not know: Unity's class library lacks it, .NET has it.
            private static readonly PropertyInfo? VersionPolicy =
                typeof(HttpRequestMessage).GetProperty("VersionPolicy");

            private static readonly object? RequestVersionExact = VersionPolicy == null
                ? null
                : Enum.Parse(VersionPolicy.PropertyType, "RequestVersionExact");

            public override bool StreamsRequests => true;

            internal override string ContentType => "application/grpc+proto";

            internal override Version HttpVersion { get; } = new Version(2, 0);

            internal override void Prepare(HttpRequestMessage request)
            {
                VersionPolicy?.SetValue(request, RequestVersionExact);
                request.Headers.TE.Add(new TransferCodingWithQualityHeaderValue("trailers"));
            }

            internal override bool IsTrailers(byte flags) => false;

            internal override Dictionary<string, string> Trailers(HttpResponseMessage response) =>
                Metadata.Read(response.TrailingHeaders);
        }

        private sealed class GrpcWebWire : RpcWire
        {
            public override bool StreamsRequests => false;

            internal override string ContentType => "application/grpc-web+proto";

            internal override Version HttpVersion { get; } = new Version(1, 1);

            internal override void Prepare(HttpRequestMessage request)
            {
                request.Headers.TryAddWithoutValidation("accept", ContentType);
                request.Headers.TryAddWithoutValidation("x-grpc-web", "1");
            }

            internal override bool IsTrailers(byte flags) => flags == Frame.TrailersFlag;

            internal override Dictionary<string, string>? Trailers(HttpResponseMessage response) => null;
        }
    }
}
