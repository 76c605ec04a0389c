using System;

namespace Townsfolk.Rpc
{
    /// <summary>Parses one message from <paramref name="count"/> bytes at an offset.</summary>
    public delegate T MessageParser<out T>(byte[] buffer, int offset, int count);

    /// <summary>One method of a service: its path and how its messages become bytes.</summary>
    public sealed class RpcMethod<TRequest, TResponse>
    {
        /// <summary>Describes a method.</summary>
        /// <param name="path">"/package.Service/Method".</param>
        /// <param name="serialize">Turns a request into its bytes.</param>
        /// <param name="parse">Turns bytes into a response; any exception means broken data.</param>
        public RpcMethod(
            string path, Func<TRequest, byte[]> serialize, MessageParser<TResponse> parse)
        {
            Path = path;
            Serialize = serialize;
            Parse = parse;
        }

        /// <summary>"/package.Service/Method".</summary>
        public string Path { get; }

        internal Func<TRequest, byte[]> Serialize { get; }

        internal MessageParser<TResponse> Parse { get; }
    }
}
