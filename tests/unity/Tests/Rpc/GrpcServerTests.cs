using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using Townsfolk.Rpc;
using Townsfolk.Tests.Support;

namespace Townsfolk.Tests.Rpc
{
    /// <summary>All four kinds of calls against grpcio, the reference server.</summary>
    [TestFixture]
    [Timeout(600000)]
    internal sealed class GrpcServerTests
    {
        private static readonly RpcMethod<byte[], byte[]> Unary = Frames.Method("Unary");
        private static readonly RpcMethod<byte[], byte[]> Count = Frames.Method("Count");
        private static readonly RpcMethod<byte[], byte[]> Total = Frames.Method("Total");
        private static readonly RpcMethod<byte[], byte[]> Duplex = Frames.Method("Duplex");

        private Process _server = null!;
        private RpcChannel _channel = null!;

        [OneTimeSetUp]
        public void Start()
        {
            var start = new ProcessStartInfo(Repository.Python)
            {
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
            };
            start.ArgumentList.Add(Path.Combine(Repository.Root, "tests", "unity", "echo_server.py"));
            _server = Process.Start(start)!;
            var port = int.Parse(_server.StandardOutput.ReadLine()!);
            _channel = HttpTransport.Grpc.Connect(new RuntimeEndpoint("127.0.0.1", port, 0, "secret"));
        }

        [OneTimeTearDown]
        public void Stop()
        {
            _channel.Dispose();
            _server.StandardInput.Close();
            _server.WaitForExit(5000);
            _server.Dispose();
        }

        [Test]
        public async Task Unary_Echoes() => Assert.That(await AskAsync("hello"), Is.EqualTo("hello"));

        [Test]
        public void Unary_FailsWithStatusMessageAndTrailers()
        {
            var failure = Assert.ThrowsAsync<RpcException>(() => AskAsync("fail"))!;
            Assert.That(failure.Code, Is.EqualTo(StatusCode.FailedPrecondition));
            Assert.That(failure.Message, Is.EqualTo("wie gewünscht: 100 %"));
            Assert.That(failure.Trailers["reason"], Is.EqualTo("asked"));
        }

        [Test]
        public async Task Metadata_TravelsBothWays()
        {
            var options = new CallOptions(metadata: new Dictionary<string, string> { ["mood"] = "good" });
            using var call = _channel.ServerStreaming(Unary, Encoding.UTF8.GetBytes("metadata"), options);
            Assert.That(await call.MoveNextAsync(), Is.True);
            var seen = Encoding.UTF8.GetString(call.Current).Split('\n');
            Assert.That(seen, Does.Contain("mood=good").And.Contain("authorization=Bearer secret"));
            Assert.That(call.Headers["first"], Is.EqualTo("1"));
            Assert.That(await call.MoveNextAsync(), Is.False);
            Assert.That(call.Trailers["last"], Is.EqualTo("2"));
        }

        [Test]
        public async Task Deadline_ReachesTheServer()
        {
            var left = double.Parse(await AskAsync("time", TimeSpan.FromSeconds(300)));
            Assert.That(left, Is.GreaterThan(1).And.LessThanOrEqualTo(300));
        }

        [Test]
        public async Task ServerStreaming_DeliversEachMessage()
        {
            using var call = _channel.ServerStreaming(Count, Encoding.UTF8.GetBytes("1000"));
            for (var i = 0; i < 1000; i++)
            {
                Assert.That(await call.MoveNextAsync(), Is.True);
                Assert.That(Encoding.UTF8.GetString(call.Current), Is.EqualTo(i.ToString()));
            }

            Assert.That(await call.MoveNextAsync(), Is.False);
            Assert.That(await call.MoveNextAsync(), Is.False);
        }

        [Test]
        public async Task Cancellation_ReachesTheServer()
        {
            using var cancellation = new CancellationTokenSource();
            using (var call = _channel.ServerStreaming(
                Count, Encoding.UTF8.GetBytes("forever:token"), new CallOptions(cancellation: cancellation.Token)))
            {
                Assert.That(await call.MoveNextAsync(), Is.True);
                cancellation.Cancel();
                var failure = Assert.CatchAsync(async () =>
                {
                    while (await call.MoveNextAsync())
                    {
                    }
                });
                Assert.That(failure, Is.InstanceOf<OperationCanceledException>());
            }

            using (var call = _channel.ServerStreaming(Count, Encoding.UTF8.GetBytes("forever:disposed")))
            {
                Assert.That(await call.MoveNextAsync(), Is.True);
            }

            while ((await AskAsync("cancelled")).Split('\n').Length < 2)
            {
                await Task.Delay(20);
            }
        }

        [Test]
        public async Task ClientStreaming_SendsEachRequest()
        {
            var answer = await _channel.ClientStreamingAsync(Total, Numbers(100));
            Assert.That(Encoding.UTF8.GetString(answer), Is.EqualTo("4950"));
        }

        [Test]
        public async Task ClientStreaming_TakesAnEarlyAnswer()
        {
            var answer = await _channel.ClientStreamingAsync(Total, NumbersAndMore());
            Assert.That(Encoding.UTF8.GetString(answer), Is.EqualTo("3"));
        }

        [Test]
        public async Task Duplex_GoesToAndFro()
        {
            using var call = _channel.Duplex(Duplex);
            foreach (var word in new[] { "one", "two", "three" })
            {
                await call.WriteAsync(Encoding.UTF8.GetBytes(word));
                Assert.That(await call.MoveNextAsync(), Is.True);
                Assert.That(Encoding.UTF8.GetString(call.Current), Is.EqualTo(word.ToUpperInvariant()));
            }

            call.Complete();
            Assert.That(await call.MoveNextAsync(), Is.False);
        }

        [Test]
        public async Task Duplex_EndsWithTheServersError()
        {
            using var call = _channel.Duplex(Duplex);
            await call.WriteAsync(Encoding.UTF8.GetBytes("fail"));
            var failure = Assert.CatchAsync<RpcException>(async () => await call.MoveNextAsync())!;
            Assert.That(failure.Code, Is.EqualTo(StatusCode.Aborted));
            Assert.CatchAsync<Exception>(() => call.WriteAsync(new byte[1]));
        }

        [Test]
        public async Task TwentyStreamsAtOnce()
        {
            var counts = await Task.WhenAll(Enumerable.Range(0, 20).Select(async _ =>
            {
                using var call = _channel.ServerStreaming(Count, Encoding.UTF8.GetBytes("200"));
                var count = 0;
                while (await call.MoveNextAsync())
                {
                    count++;
                }

                return count;
            }));
            Assert.That(counts, Is.All.EqualTo(200));
        }

        [Test]
        public void AMissingMethodIsUnimplemented()
        {
            var failure = Assert.CatchAsync<RpcException>(
                () => _channel.UnaryAsync(Frames.Method("Nothing"), new byte[1]))!;
            Assert.That(failure.Code, Is.EqualTo(StatusCode.Unimplemented));
        }

        private async Task<string> AskAsync(string text, TimeSpan? timeout = null) => Encoding.UTF8.GetString(
            await _channel.UnaryAsync(Unary, Encoding.UTF8.GetBytes(text), new CallOptions(timeout)));

        private static async IAsyncEnumerable<byte[]> Numbers(int count)
        {
            for (var i = 0; i < count; i++)
            {
                yield return Encoding.UTF8.GetBytes(i.ToString());
                await Task.Yield();
            }
        }

        private static async IAsyncEnumerable<byte[]> NumbersAndMore()
        {
            yield return Encoding.UTF8.GetBytes("3");
            yield return Encoding.UTF8.GetBytes("enough");
            for (var i = 0; i < 50; i++)
            {
                await Task.Delay(5);
                yield return Encoding.UTF8.GetBytes("1");
            }
        }
    }
}
