using System;
using System.Globalization;
using System.Linq;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using Townsfolk;
using Townsfolk.Rpc;

namespace FramingProbe
{
    /// <summary>
    /// The call layer on Mono's class library, the nearest relative of Unity's: `FramingProbe PORT MODE`.
    /// Messages are plain bytes, as protobuf's own code does not run on Debian's Mono.
    /// </summary>
    internal static class Program
    {
        private static readonly RpcMethod<byte[], byte[]> Count = new RpcMethod<byte[], byte[]>(
            "/test/Count", request => request, Copy);

        private static readonly RpcMethod<byte[], byte[]> Stall = new RpcMethod<byte[], byte[]>(
            "/test/Stall", request => request, Copy);

        private static async Task Main(string[] arguments)
        {
            var port = int.Parse(arguments[0], CultureInfo.InvariantCulture);
            using var channel = HttpTransport.GrpcWeb.Connect(new RuntimeEndpoint("127.0.0.1", 0, port, "secret"));
            switch (arguments[1])
            {
                case "stream":
                    await StreamAsync(channel);
                    break;
                case "many":
                    var counts = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => CountAsync(channel)));
                    Console.WriteLine("streams " + counts.Length + " messages " + counts.Sum());
                    break;
                case "cancel":
                    await CancelAsync(channel);
                    break;
                case "deadline":
                    await DeadlineAsync(channel);
                    break;
            }
        }

        private static async Task StreamAsync(RpcChannel channel)
        {
            using var call = channel.ServerStreaming(Count, new byte[] { 1 });
            while (await call.MoveNextAsync())
            {
                Console.WriteLine("message " + Encoding.UTF8.GetString(call.Current));
            }

            Console.WriteLine("status " + call.Trailers["grpc-status"]);
        }

        private static async Task<int> CountAsync(RpcChannel channel)
        {
            using var call = channel.ServerStreaming(Count, new byte[] { 1 });
            var count = 0;
            while (await call.MoveNextAsync())
            {
                count++;
            }

            return count;
        }

        private static async Task CancelAsync(RpcChannel channel)
        {
            using var cancellation = new CancellationTokenSource();
            using var call = channel.ServerStreaming(
                Stall, new byte[] { 1 }, new CallOptions(cancellation: cancellation.Token));
            await call.MoveNextAsync();
            cancellation.Cancel();
            try
            {
                await call.MoveNextAsync();
            }
            catch (OperationCanceledException)
            {
                Console.WriteLine("cancelled");
            }

            // The server sees the closed connection while this process still lives.
            await Task.Delay(Timeout.Infinite);
        }

        private static async Task DeadlineAsync(RpcChannel channel)
        {
            using var call = channel.ServerStreaming(
                Stall, new byte[] { 1 }, new CallOptions(TimeSpan.FromMilliseconds(500)));
            try
            {
                // One message comes, on a busy machine after the deadline, too; then none.
                await call.MoveNextAsync();
                await call.MoveNextAsync();
            }
            catch (DeadlineExceededException)
            {
                Console.WriteLine("deadline");
            }
        }

        private static byte[] Copy(byte[] buffer, int offset, int count)
        {
            var copy = new byte[count];
            Buffer.BlockCopy(buffer, offset, copy, 0, count);
            return copy;
        }
    }
}
