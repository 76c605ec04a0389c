using System;
using System.IO;
using System.Linq;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Threading.Tasks;

namespace Townsfolk.Tests.Rpc
{
    /// <summary>An HTTP/1.1 server of one call a connection, for gRPC-Web answers right and wrong.</summary>
    internal sealed class Http1Server : IScriptedServer
    {
        private readonly TcpListener _listener = new TcpListener(IPAddress.Loopback, 0);
        private readonly Func<IScriptedAnswer, Task> _script;

        public Http1Server(Func<IScriptedAnswer, Task> script)
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
                    _ = ServeAsync(await _listener.AcceptTcpClientAsync());
                }
            }
            catch (Exception exception) when (exception is SocketException || exception is ObjectDisposedException)
            {
                // Stopped.
            }
        }

        private async Task ServeAsync(TcpClient client)
        {
            using (client)
            {
                try
                {
                    client.NoDelay = true;
                    var head = await ReadRequestAsync(client.GetStream());
                    await _script(new Answer(client, head));
                }
                catch (IOException)
                {
                    // The client went first.
                }
            }
        }

        private static async Task<string> ReadRequestAsync(NetworkStream stream)
        {
            var received = new MemoryStream();
            var buffer = new byte[4096];
            while (true)
            {
                var read = await stream.ReadAsync(buffer);
                if (read == 0)
                {
                    throw new IOException("no request");
                }

                received.Write(buffer, 0, read);
                var text = Encoding.Latin1.GetString(received.ToArray());
                var end = text.IndexOf("\r\n\r\n", StringComparison.Ordinal);
                if (end < 0)
                {
                    continue;
                }

                var head = text.Substring(0, end);
                var length = head.Split("\r\n")
                    .Where(line => line.StartsWith("content-length:", StringComparison.OrdinalIgnoreCase))
                    .Select(line => int.Parse(line.Split(':')[1]))
                    .Single();
                if (text.Length >= end + 4 + length)
                {
                    return head;
                }
            }
        }

        private sealed class Answer : IScriptedAnswer
        {
            private readonly TcpClient _client;
            private readonly NetworkStream _stream;

            public Answer(TcpClient client, string head)
            {
                _client = client;
                _stream = client.GetStream();
                RequestHead = head;
            }

            public string RequestHead { get; }

            public Task HeadersAsync(int status, params (string Name, string Value)[] headers) =>
                WriteAsync($"HTTP/1.1 {status} Scripted\r\n"
                    + string.Concat(headers.Select(header => $"{header.Name}: {header.Value}\r\n"))
                    + "transfer-encoding: chunked\r\n\r\n");

            public async Task BodyAsync(byte[] bytes)
            {
                await WriteAsync($"{bytes.Length:x}\r\n");
                await _stream.WriteAsync(bytes);
                await WriteAsync("\r\n");
            }

            public async Task TrailersAsync(params (string Name, string Value)[] trailers)
            {
                var text = string.Concat(trailers.Select(trailer => $"{trailer.Name}: {trailer.Value}\r\n"));
                await BodyAsync(Frames.Make(0x80, Encoding.UTF8.GetBytes(text)));
                await EndAsync();
            }

            public Task EndAsync() => WriteAsync("0\r\n\r\n");

            public Task ResetAsync()
            {
                _client.Client.LingerState = new LingerOption(true, 0);
                _client.Close();
                return Task.CompletedTask;
            }

            public Task GarbageAsync(byte[] bytes) => _stream.WriteAsync(bytes).AsTask();

            public async Task ClientGoneAsync()
            {
                try
                {
                    while (await _stream.ReadAsync(new byte[256]) > 0)
                    {
                    }
                }
                catch (IOException)
                {
                    // Reset by the client.
                }
            }

            private Task WriteAsync(string text) => _stream.WriteAsync(Encoding.Latin1.GetBytes(text)).AsTask();
        }
    }
}
