using System;
using System.IO;
using System.Threading;
using System.Threading.Tasks;

namespace Townsfolk.Rpc
{
    /// <summary>Cuts a response body into frames. One buffer serves the whole body.</summary>
    internal sealed class FrameReader
    {
        private readonly Stream _body;
        private readonly int _maxMessageBytes;
        private byte[] _buffer = new byte[4096];
        private int _start;
        private int _end;

        public FrameReader(Stream body, int maxMessageBytes)
        {
            _body = body;
            _maxMessageBytes = maxMessageBytes;
        }

        /// <summary>The flag byte of the last frame.</summary>
        public byte Flags { get; private set; }

        /// <summary>The payload of the last frame; its bytes hold until the next read.</summary>
        public ArraySegment<byte> Payload { get; private set; }

        /// <summary>Reads the next frame; false when the body ended between two frames.</summary>
        /// <exception cref="ProtocolException">The body ended inside a frame.</exception>
        /// <exception cref="RpcException">The frame is longer than the limit.</exception>
        public async Task<bool> ReadAsync(Abort abort)
        {
            if (!await FillAsync(Frame.HeaderBytes, abort).ConfigureAwait(false))
            {
                return false;
            }

            Flags = _buffer[_start];
            var length = ((uint)_buffer[_start + 1] << 24) | ((uint)_buffer[_start + 2] << 16)
                | ((uint)_buffer[_start + 3] << 8) | _buffer[_start + 4];
            if (length > _maxMessageBytes)
            {
                throw new RpcException(
                    StatusCode.ResourceExhausted,
                    $"a message of {length} bytes came, the limit is {_maxMessageBytes}");
            }

            _start += Frame.HeaderBytes;
            if (length > 0 && !await FillAsync((int)length, abort).ConfigureAwait(false))
            {
                throw Cut();
            }

            Payload = new ArraySegment<byte>(_buffer, _start, (int)length);
            _start += (int)length;
            return true;
        }

        // True when `count` bytes lie at _start; false when the body ended before the first of them.
        private async Task<bool> FillAsync(int count, Abort abort)
        {
            if (_buffer.Length - _start < count)
            {
                var larger = count > _buffer.Length
                    ? new byte[Math.Max(count, 2 * _buffer.Length)]
                    : _buffer;
                Buffer.BlockCopy(_buffer, _start, larger, 0, _end - _start);
                _end -= _start;
                _start = 0;
                _buffer = larger;
            }

            while (_end - _start < count)
            {
                var read = await abort.RaceAsync(
                    _body.ReadAsync(_buffer, _end, _buffer.Length - _end, abort.Token))
                    .ConfigureAwait(false);
                if (read > 0)
                {
                    _end += read;
                }
                else if (_end == _start)
                {
                    return false;
                }
                else
                {
                    throw Cut();
                }
            }

            return true;
        }

        private static ProtocolException Cut() => new ProtocolException("the answer ends inside a message");
    }
}
