using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Threading;
using System.Threading.Tasks;

namespace Townsfolk.Tests.Rpc
{
    /// <summary>
    /// The least of HTTP/2 (RFC 9113) that can answer a gRPC call wrongly: request headers are not
    /// decoded, response headers are literals without compression, flow control is left to small bodies.
    /// </summary>
    internal sealed class Http2Server : IScriptedServer
    {
        private const int HeadersFrame = 1;
        private const int ResetFrame = 3;
        private const int SettingsFrame = 4;
        private const int PingFrame = 6;
        private const int EndStream = 1;
        private const int EndHeaders = 4;

        private readonly TcpListener _listener = new TcpListener(IPAddress.Loopback, 0);
        private readonly Func<IScriptedAnswer, Task> _script;

        public Http2Server(Func<IScriptedAnswer, Task> script)
        {
            _script = script;
            _listener.Start();
            _ = AcceptAsync();
        }

        public Uri Address => new Uri("http://127.0.0.1:" + ((IPEndPoint)_listener.LocalEndpoint).Port);

        public void Dispose() => _listener.Stop();

        private async Task AcceptAsync()
        {
            try
            {
                while (true)
                {
                    _ = new Connection(await _listener.AcceptTcpClientAsync(), _script).RunAsync();
                }
            }
            catch (Exception exception) when (exception is SocketException || exception is ObjectDisposedException)
            {
                // Stopped.
            }
        }

        private sealed class Connection
        {
            private readonly TcpClient _client;
            private readonly NetworkStream _stream;
            private readonly Func<IScriptedAnswer, Task> _script;
            private readonly SemaphoreSlim _writing = new SemaphoreSlim(1, 1);
            private readonly ConcurrentDictionary<int, TaskCompletionSource<bool>> _gone =
                new ConcurrentDictionary<int, TaskCompletionSource<bool>>();

            public Connection(TcpClient client, Func<IScriptedAnswer, Task> script)
            {
                client.NoDelay = true;
                _client = client;
                _stream = client.GetStream();
                _script = script;
            }

            public async Task RunAsync()
            {
                try
                {
                    await ReadExactlyAsync(24); // "PRI * HTTP/2.0..."
                    await SendAsync(SettingsFrame, 0, 0, Array.Empty<byte>());
                    while (true)
                    {
                        await HandleFrameAsync();
                    }
                }
                catch (Exception exception) when (exception is IOException || exception is ObjectDisposedException)
                {
                    foreach (var gone in _gone.Values)
                    {
                        gone.TrySetResult(true);
                    }
                }
                finally
                {
                    _client.Dispose();
                }
            }

            public Task Gone(int stream) => GoneSource(stream).Task;

            public async Task SendAsync(int type, int flags, int stream, byte[] payload)
            {
                var frame = new byte[9 + payload.Length];
                frame[0] = (byte)(payload.Length >> 16);
                frame[1] = (byte)(payload.Length >> 8);
                frame[2] = (byte)payload.Length;
                frame[3] = (byte)type;
                frame[4] = (byte)flags;
                BitConverter.GetBytes(IPAddress.HostToNetworkOrder(stream)).CopyTo(frame, 5);
                payload.CopyTo(frame, 9);
                await RawAsync(frame);
            }

            public async Task RawAsync(byte[] bytes)
            {
                await _writing.WaitAsync();
                try
                {
                    await _stream.WriteAsync(bytes);
                }
                finally
                {
                    _writing.Release();
                }
            }

            private async Task HandleFrameAsync()
            {
                var head = await ReadExactlyAsync(9);
                var payload = await ReadExactlyAsync((head[0] << 16) | (head[1] << 8) | head[2]);
                var stream = IPAddress.NetworkToHostOrder(BitConverter.ToInt32(head, 5)) & int.MaxValue;
                var acknowledged = (head[4] & 1) != 0;
                switch ((int)head[3])
                {
                    case HeadersFrame:
                        _ = AnswerAsync(new Answer(this, stream));
                        break;
                    case ResetFrame:
                        GoneSource(stream).TrySetResult(true);
                        break;
                    case SettingsFrame when !acknowledged:
                        await SendAsync(SettingsFrame, 1, 0, Array.Empty<byte>());
                        break;
                    case PingFrame when !acknowledged:
                        await SendAsync(PingFrame, 1, 0, payload);
                        break;
                }
            }

            private async Task AnswerAsync(Answer answer)
            {
                try
                {
                    await _script(answer);
                }
                catch (Exception exception) when (exception is IOException || exception is ObjectDisposedException)
                {
                    // The client went first.
                }
            }

            private TaskCompletionSource<bool> GoneSource(int stream) =>
                _gone.GetOrAdd(stream, _ => new TaskCompletionSource<bool>(
                    TaskCreationOptions.RunContinuationsAsynchronously));

            private async Task<byte[]> ReadExactlyAsync(int count)
            {
                var bytes = new byte[count];
                await _stream.ReadExactlyAsync(bytes);
                return bytes;
            }
        }

        private sealed class Answer : IScriptedAnswer
        {
            private const int DataFrame = 0;
            private const int Cancel = 8;

            private readonly Connection _connection;
            private readonly int _stream;

            public Answer(Connection connection, int stream)
            {
                _connection = connection;
                _stream = stream;
            }

            public string RequestHead => string.Empty;

            public Task HeadersAsync(int status, params (string Name, string Value)[] headers) =>
                _connection.SendAsync(
                    HeadersFrame, EndHeaders, _stream, Encode(headers.Prepend((":status", status.ToString()))));

            public async Task BodyAsync(byte[] bytes)
            {
                foreach (var part in bytes.Chunk(16384))
                {
                    await _connection.SendAsync(DataFrame, 0, _stream, part);
                }
            }

            public Task TrailersAsync(params (string Name, string Value)[] trailers) =>
                _connection.SendAsync(HeadersFrame, EndHeaders | EndStream, _stream, Encode(trailers));

            public Task EndAsync() => _connection.SendAsync(DataFrame, EndStream, _stream, Array.Empty<byte>());

            public Task ResetAsync() =>
                _connection.SendAsync(ResetFrame, 0, _stream, new byte[] { 0, 0, 0, Cancel });

            public Task GarbageAsync(byte[] bytes) => _connection.RawAsync(bytes);

            public Task ClientGoneAsync() => _connection.Gone(_stream);

            // RFC 7541, 6.2.2: literal header field without indexing, new name, no Huffman code.
            private static byte[] Encode(IEnumerable<(string Name, string Value)> headers)
            {
                var block = new MemoryStream();
                foreach (var (name, value) in headers)
                {
                    block.WriteByte(0);
                    WriteText(block, name);
                    WriteText(block, value);
                }

                return block.ToArray();
            }

            private static void WriteText(MemoryStream block, string text)
            {
                var rest = text.Length;
                if (rest < 127)
                {
                    block.WriteByte((byte)rest);
                }
                else
                {
                    block.WriteByte(127);
                    for (rest -= 127; rest >= 128; rest /= 128)
                    {
                        block.WriteByte((byte)(128 | (rest % 128)));
                    }

                    block.WriteByte((byte)rest);
                }

                block.Write(Encoding.Latin1.GetBytes(text));
            }
        }
    }
}
