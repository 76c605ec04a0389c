using System;
using System.Threading.Tasks;

namespace Townsfolk.Tests.Rpc
{
    /// <summary>What a scripted server can do with one call, right or wrong, on either wire.</summary>
    internal interface IScriptedAnswer
    {
        /// <summary>The request's headers, "name: value" lines; empty on HTTP/2 (not decoded there).</summary>
        string RequestHead { get; }

        Task HeadersAsync(int status, params (string Name, string Value)[] headers);

        /// <summary>Sends body bytes at once.</summary>
        Task BodyAsync(byte[] bytes);

        /// <summary>Ends the answer with trailers, as the wire has them.</summary>
        Task TrailersAsync(params (string Name, string Value)[] trailers);

        /// <summary>Ends the answer as HTTP wants it, without trailers.</summary>
        Task EndAsync();

        /// <summary>Breaks the call off: RST_STREAM on HTTP/2, a closed connection on HTTP/1.1.</summary>
        Task ResetAsync();

        /// <summary>Sends bytes that are no HTTP.</summary>
        Task GarbageAsync(byte[] bytes);

        /// <summary>Done when the client has cancelled the call.</summary>
        Task ClientGoneAsync();
    }

    /// <summary>A server that answers every call by a script.</summary>
    internal interface IScriptedServer : IDisposable
    {
        Uri Address { get; }
    }
}
