using System;

namespace Townsfolk.Rpc
{
    /// <summary>
    /// One length-prefixed frame: a flag byte, four bytes of big-endian length, the payload.
    /// Source: PROTOCOL-HTTP2.md and PROTOCOL-WEB.md of gRPC.
    /// </summary>
    internal static class Frame
    {
        public const int HeaderBytes = 5;
        public const byte CompressedFlag = 0x01;
        public const byte TrailersFlag = 0x80;

        /// <summary>Returns the frame of an uncompressed message.</summary>
        public static byte[] Of(byte[] message)
        {
            var frame = new byte[HeaderBytes + message.Length];
            frame[1] = (byte)(message.Length >> 24);
            frame[2] = (byte)(message.Length >> 16);
            frame[3] = (byte)(message.Length >> 8);
            frame[4] = (byte)message.Length;
            Buffer.BlockCopy(message, 0, frame, HeaderBytes, message.Length);
            return frame;
        }
    }
}
