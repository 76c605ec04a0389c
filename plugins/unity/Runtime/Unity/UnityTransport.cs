using System;
using Townsfolk.Rpc;
#if TOWNSFOLK_YETANOTHERHTTPHANDLER
using Cysharp.Net.Http;
#elif UNITY_6000_5_OR_NEWER
using UnityEngine.Networking;
#endif

namespace Townsfolk.Unity
{
    /// <summary>The ways that this Unity has to a runtime.</summary>
    public static class UnityTransport
    {
        /// <summary>Returns the transport of a wire.</summary>
        /// <exception cref="NotSupportedException">This Unity has no HTTP/2; the message says how to get it.</exception>
        public static HttpTransport For(TownsfolkWire wire)
        {
            if (wire == TownsfolkWire.GrpcWeb)
            {
                return HttpTransport.GrpcWeb;
            }

#if TOWNSFOLK_YETANOTHERHTTPHANDLER
            return new HttpTransport(RpcWire.Grpc, endpoint => new YetAnotherHttpHandler
            {
                Http2Only = true,
                RootCertificates = endpoint.RootCertificate,
            });
#elif UNITY_6000_5_OR_NEWER
            return new HttpTransport(RpcWire.Grpc, endpoint => endpoint.RootCertificate == null
                ? new UnityHttpMessageHandler { HttpForcedVersion = HttpForcedVersion.HTTP2 }
                : throw new NotSupportedException(
                    "UnityHttpMessageHandler trusts the system's root certificates only: install "
                    + "YetAnotherHttpHandler, or use the gRPC-Web wire"));
#else
            throw new NotSupportedException(
                "gRPC over HTTP/2 needs the package com.cysharp.yetanotherhttphandler, or Unity 6000.5 or "
                + "later; the gRPC-Web wire needs neither");
#endif
        }
    }
}
