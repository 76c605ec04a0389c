using System;
using System.Linq;
using Townsfolk.Rpc;

namespace Townsfolk.Tests.Rpc
{
    /// <summary>Frames and the plain-bytes method of the call layer's tests.</summary>
    internal static class Frames
    {
        public static readonly RpcMethod<byte[], byte[]> Echo = Method("Echo");

        public static RpcMethod<byte[], byte[]> Method(string name) => new RpcMethod<byte[], byte[]>(
            "/test.Echo/" + name,
            request => request,
            (buffer, offset, count) => buffer.AsSpan(offset, count).ToArray());

        /// <summary>A frame; <paramref name="length"/> is what its header claims, the truth by default.</summary>
        public static byte[] Make(byte flags, byte[] payload, uint? length = null)
        {
            var claimed = length ?? (uint)payload.Length;
            var head = new[]
            {
                flags, (byte)(claimed >> 24), (byte)(claimed >> 16), (byte)(claimed >> 8), (byte)claimed,
            };
            return head.Concat(payload).ToArray();
        }
    }
}
