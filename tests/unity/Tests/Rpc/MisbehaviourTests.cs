using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using Townsfolk.Rpc;

namespace Townsfolk.Tests.Rpc
{
    /// <summary>The call layer against a server that does wrong: a typed error each time, never a hang.</summary>
    [TestFixture("grpc")]
    [TestFixture("grpc-web")]
    [Parallelizable(ParallelScope.All)]
    [Timeout(600000)]
    internal sealed class MisbehaviourTests
    {
        private const int MaxMessageBytes = 1000;
        private readonly HttpTransport _transport;
        private readonly (string Name, string Value) _contentType;

        public MisbehaviourTests(string wire)
        {
            _transport = wire == "grpc" ? HttpTransport.Grpc : HttpTransport.GrpcWeb;
            _contentType = ("content-type", "application/" + wire);
        }

        [Test]
        public async Task AGoodAnswerIsRead()
        {
            var (messages, failure) = await CallAsync(async answer =>
            {
                await OpenAsync(answer);
                await answer.BodyAsync(Frames.Make(0, new byte[] { 1, 2 }));
                await answer.BodyAsync(Frames.Make(0, Array.Empty<byte>()));
                await answer.TrailersAsync(("grpc-status", "0"));
            });
            Assert.That(failure, Is.Null);
            Assert.That(messages, Is.EqualTo(new[] { new byte[] { 1, 2 }, Array.Empty<byte>() }));
        }

        [Test]
        public async Task FramesMayBeCutIntoAnyPieces()
        {
            var (messages, failure) = await CallAsync(async answer =>
            {
                await OpenAsync(answer);
                foreach (var one in Frames.Make(0, new byte[] { 7, 8, 9 }))
                {
                    await answer.BodyAsync(new[] { one });
                }

                await answer.TrailersAsync(("grpc-status", "0"));
            });
            Assert.That(failure, Is.Null);
            Assert.That(messages, Is.EqualTo(new[] { new byte[] { 7, 8, 9 } }));
        }

        [Test]
        public async Task AnErrorStatusKeepsCodeMessageAndMetadata()
        {
            var (_, failure) = await CallAsync(async answer =>
            {
                await OpenAsync(answer);
                await answer.TrailersAsync(
                    ("grpc-status", "5"), ("grpc-message", "no%20lore%20%27caf%C3%A9%27 100%"), ("hint", "x"));
            });
            var status = Expect<RpcException>(failure, StatusCode.NotFound);
            Assert.That(status.Message, Is.EqualTo("no lore 'café' 100%"));
            Assert.That(status.Trailers["hint"], Is.EqualTo("x"));
        }

        [Test]
        public async Task TheStatusMayStandInTheHeaders()
        {
            var (_, failure) = await CallAsync(async answer =>
            {
                await answer.HeadersAsync(
                    200, _contentType, ("grpc-status", "16"), ("grpc-message", "no token"));
                await answer.EndAsync();
            });
            Expect<UnauthenticatedException>(failure, StatusCode.Unauthenticated);
        }

        [TestCase(401, StatusCode.Unauthenticated)]
        [TestCase(403, StatusCode.PermissionDenied)]
        [TestCase(404, StatusCode.Unimplemented)]
        [TestCase(503, StatusCode.Unavailable)]
        [TestCase(500, StatusCode.Unknown)]
        public async Task AnHttpErrorIsMapped(int status, StatusCode code)
        {
            var (_, failure) = await CallAsync(async answer =>
            {
                await answer.HeadersAsync(status, ("content-type", "text/html"));
                await answer.EndAsync();
            });
            Expect<RpcException>(failure, code);
        }

        [Test]
        public async Task AnotherServersPageIsRefused()
        {
            var (_, failure) = await CallAsync(async answer =>
            {
                await answer.HeadersAsync(200, ("content-type", "text/html"));
                await answer.BodyAsync(new byte[] { 60, 104, 116 });
                await answer.EndAsync();
            });
            Expect<ProtocolException>(failure, StatusCode.Internal);
        }

        [Test]
        public async Task AMissingStatusIsAnError()
        {
            var (messages, failure) = await CallAsync(async answer =>
            {
                await OpenAsync(answer);
                await answer.BodyAsync(Frames.Make(0, new byte[] { 1 }));
                await answer.EndAsync();
            });
            Assert.That(messages, Has.Count.EqualTo(1));
            Expect<ProtocolException>(failure, StatusCode.Internal);
        }

        [TestCase("")]
        [TestCase("none")]
        [TestCase("-1")]
        public async Task AStatusThatIsNoNumberIsAnError(string status)
        {
            var (_, failure) = await CallAsync(async answer =>
            {
                await OpenAsync(answer);
                await answer.TrailersAsync(("grpc-status", status));
            });
            Expect<ProtocolException>(failure, StatusCode.Internal);
        }

        [Test]
        public async Task AStatusOfTheFutureIsUnknown()
        {
            var (_, failure) = await CallAsync(async answer =>
            {
                await OpenAsync(answer);
                await answer.TrailersAsync(("grpc-status", "99"));
            });
            Expect<RpcException>(failure, StatusCode.Unknown);
        }

        [TestCase(3)]
        [TestCase(7)]
        public async Task AnAnswerThatEndsInsideAFrameIsAnError(int bytes)
        {
            var (_, failure) = await CallAsync(async answer =>
            {
                await OpenAsync(answer);
                await answer.BodyAsync(Frames.Make(0, new byte[20])[..bytes]);
                await answer.EndAsync();
            });
            Expect<ProtocolException>(failure, StatusCode.Internal);
        }

        [Test]
        public async Task ACutConnectionIsUnavailable()
        {
            var read = new TaskCompletionSource<bool>();
            var (messages, failure) = await CallAsync(
                async answer =>
                {
                    await OpenAsync(answer);
                    await answer.BodyAsync(Frames.Make(0, new byte[] { 1 }));
                    // The reset may overtake what lies in the client's buffers.
                    await read.Task;
                    await answer.ResetAsync();
                },
                onMessage: () => read.TrySetResult(true));
            Assert.That(messages, Has.Count.EqualTo(1));
            Expect<RuntimeUnavailableException>(failure, StatusCode.Unavailable);
        }

        [Test]
        public async Task ACutBeforeTheHeadersIsUnavailable()
        {
            var (_, failure) = await CallAsync(answer => answer.ResetAsync());
            Expect<RuntimeUnavailableException>(failure, StatusCode.Unavailable);
        }

        [TestCase(MaxMessageBytes + 1u)]
        [TestCase(int.MaxValue + 1u)]
        [TestCase(uint.MaxValue)]
        public async Task AHugeMessageIsRefusedByItsLength(uint length)
        {
            var (_, failure) = await CallAsync(async answer =>
            {
                await OpenAsync(answer);
                await answer.BodyAsync(Frames.Make(0, new byte[10], length));
                await answer.ClientGoneAsync();
            });
            Expect<RpcException>(failure, StatusCode.ResourceExhausted);
        }

        [Test]
        public async Task AMessageOfExactlyTheLimitIsRead()
        {
            var (messages, failure) = await CallAsync(async answer =>
            {
                await OpenAsync(answer);
                await answer.BodyAsync(Frames.Make(0, new byte[MaxMessageBytes]));
                await answer.TrailersAsync(("grpc-status", "0"));
            });
            Assert.That(failure, Is.Null);
            Assert.That(messages[0], Has.Length.EqualTo(MaxMessageBytes));
        }

        [TestCase(1)]
        [TestCase(2)]
        [TestCase(0x81)]
        [TestCase(0xff)]
        public async Task UnknownFlagsAreAnError(int flags)
        {
            var (_, failure) = await CallAsync(async answer =>
            {
                await OpenAsync(answer);
                await answer.BodyAsync(Frames.Make((byte)flags, new byte[4]));
                await answer.TrailersAsync(("grpc-status", "0"));
            });
            Expect<ProtocolException>(failure, StatusCode.Internal);
        }

        [Test]
        public async Task CompressionNobodyAskedForIsAnError()
        {
            var (_, failure) = await CallAsync(async answer =>
            {
                await answer.HeadersAsync(200, _contentType, ("grpc-encoding", "gzip"));
                await answer.ClientGoneAsync();
            });
            Expect<ProtocolException>(failure, StatusCode.Internal);
        }

        [Test]
        public async Task AStreamThatStallsEndsAtTheDeadlineAndTheServerLearnsOfIt()
        {
            var gone = new TaskCompletionSource<bool>();
            var (messages, failure) = await CallAsync(
                async answer =>
                {
                    await OpenAsync(answer);
                    await answer.BodyAsync(Frames.Make(0, new byte[] { 1 }));
                    await answer.ClientGoneAsync();
                    gone.SetResult(true);
                },
                new CallOptions(TimeSpan.FromSeconds(5)));
            Assert.That(messages, Has.Count.EqualTo(1));
            Expect<DeadlineExceededException>(failure, StatusCode.DeadlineExceeded);
            await gone.Task;
        }

        [Test]
        public async Task AServerThatNeverAnswersEndsAtTheDeadline()
        {
            var (_, failure) = await CallAsync(
                answer => answer.ClientGoneAsync(), new CallOptions(TimeSpan.FromMilliseconds(300)));
            Expect<DeadlineExceededException>(failure, StatusCode.DeadlineExceeded);
        }

        [Test]
        public async Task ACancelledCallEndsAtOnceAndTheServerLearnsOfIt()
        {
            using var cancellation = new CancellationTokenSource();
            var gone = new TaskCompletionSource<bool>();
            var (_, failure) = await CallAsync(
                async answer =>
                {
                    await OpenAsync(answer);
                    cancellation.CancelAfter(100);
                    await answer.ClientGoneAsync();
                    gone.SetResult(true);
                },
                new CallOptions(cancellation: cancellation.Token));
            Assert.That(failure, Is.InstanceOf<OperationCanceledException>());
            await gone.Task;
        }

        [Test]
        public async Task DisposingACallReachesTheServer()
        {
            var gone = new TaskCompletionSource<bool>();
            using var server = Serve(async answer =>
            {
                await OpenAsync(answer);
                await answer.BodyAsync(Frames.Make(0, new byte[] { 1 }));
                await answer.ClientGoneAsync();
                gone.SetResult(true);
            });
            using var channel = Connect(server);
            var call = channel.ServerStreaming(Frames.Echo, new byte[1]);
            Assert.That(await call.MoveNextAsync(), Is.True);
            var reading = call.MoveNextAsync().AsTask();
            call.Dispose();
            call.Dispose();
            Assert.That(async () => await reading, Throws.InstanceOf<OperationCanceledException>());
            await gone.Task;
        }

        [Test]
        public async Task DisposingTheChannelEndsItsCalls()
        {
            var begun = new TaskCompletionSource<bool>();
            using var server = Serve(async answer =>
            {
                await OpenAsync(answer);
                begun.TrySetResult(true);
                await answer.ClientGoneAsync();
            });
            var channel = Connect(server);
            using var call = channel.ServerStreaming(
                Frames.Echo, new byte[1], new CallOptions(TimeSpan.FromSeconds(60)));
            var reading = call.MoveNextAsync().AsTask();
            await begun.Task;
            channel.Dispose();
            Assert.That(async () => await reading, Throws.InstanceOf<RuntimeUnavailableException>());
        }

        [TestCase(1)]
        [TestCase(2)]
        [TestCase(3)]
        [TestCase(4)]
        [TestCase(5)]
        public async Task RandomBytesInTheBodyAreATypedError(int seed)
        {
            var bytes = new byte[3000];
            new Random(seed).NextBytes(bytes);
            var (_, failure) = await CallAsync(async answer =>
            {
                await OpenAsync(answer);
                await answer.BodyAsync(bytes);
                await answer.EndAsync();
            });
            Assert.That(failure, Is.InstanceOf<RpcException>());
        }

        [TestCase(1)]
        [TestCase(2)]
        [TestCase(3)]
        public async Task RandomBytesInsteadOfHttpAreATypedError(int seed)
        {
            var bytes = new byte[3000];
            new Random(seed).NextBytes(bytes);
            var (_, failure) = await CallAsync(
                async answer =>
                {
                    await answer.GarbageAsync(bytes);
                    await answer.ClientGoneAsync();
                },
                new CallOptions(TimeSpan.FromSeconds(5)));
            Assert.That(failure, Is.InstanceOf<RpcException>());
        }

        [Test]
        public async Task AUnaryCallWantsExactlyOneMessage([Values(0, 2)] int messages)
        {
            using var server = Serve(async answer =>
            {
                await OpenAsync(answer);
                for (var i = 0; i < messages; i++)
                {
                    await answer.BodyAsync(Frames.Make(0, new byte[] { 1 }));
                }

                await answer.TrailersAsync(("grpc-status", "0"));
            });
            using var channel = Connect(server);
            Assert.That(
                async () => await channel.UnaryAsync(Frames.Echo, new byte[1]),
                Throws.InstanceOf<ProtocolException>());
        }

        [Test]
        public async Task AMessageThatDoesNotParseIsAnError()
        {
            using var server = Serve(async answer =>
            {
                await OpenAsync(answer);
                await answer.BodyAsync(Frames.Make(0, new byte[] { 0xff, 0xff }));
                await answer.TrailersAsync(("grpc-status", "0"));
            });
            using var channel = Connect(server);
            Assert.That(
                async () => await channel.UnaryAsync(TownsfolkMethods.ListSessions, new V1.ListSessionsRequest()),
                Throws.InstanceOf<ProtocolException>());
        }

        [Test]
        public void NobodyListeningIsUnavailable()
        {
            IScriptedServer server = Serve(answer => answer.EndAsync());
            var address = server.Address;
            server.Dispose();
            using var channel = _transport.Connect(
                new RuntimeEndpoint(address.Host, address.Port, address.Port));
            Assert.That(
                async () => await channel.UnaryAsync(Frames.Echo, new byte[1]),
                Throws.InstanceOf<RuntimeUnavailableException>());
        }

        [TestCase("Upper", "x")]
        [TestCase("grpc-timeout", "1m")]
        [TestCase("key", "line\r\nbreak")]
        [TestCase("key", "café")]
        public void IllegalMetadataIsRefusedBeforeItIsSent(string key, string value)
        {
            using var server = Serve(answer => answer.EndAsync());
            using var channel = Connect(server);
            var options = new CallOptions(metadata: new Dictionary<string, string> { [key] = value });
            Assert.That(
                () => channel.ServerStreaming(Frames.Echo, new byte[1], options),
                Throws.InstanceOf<ArgumentException>());
        }

        private Task OpenAsync(IScriptedAnswer answer) => answer.HeadersAsync(200, _contentType);

        private IScriptedServer Serve(Func<IScriptedAnswer, Task> script) =>
            _transport.Wire == RpcWire.Grpc ? new Http2Server(script) : (IScriptedServer)new Http1Server(script);

        private RpcChannel Connect(IScriptedServer server) => _transport.Connect(
            new RuntimeEndpoint(server.Address.Host, server.Address.Port, server.Address.Port), MaxMessageBytes);

        private async Task<(List<byte[]> Messages, Exception? Failure)> CallAsync(
            Func<IScriptedAnswer, Task> script, CallOptions options = default, Action? onMessage = null)
        {
            using var server = Serve(script);
            using var channel = Connect(server);
            using var call = channel.ServerStreaming(Frames.Echo, new byte[] { 42 }, options);
            var messages = new List<byte[]>();
            try
            {
                while (await call.MoveNextAsync())
                {
                    messages.Add(call.Current);
                    onMessage?.Invoke();
                }
            }
            catch (Exception failure)
            {
                return (messages, failure);
            }

            return (messages, null);
        }

        private static T Expect<T>(Exception? failure, StatusCode code)
            where T : RpcException
        {
            Assert.That(failure, Is.InstanceOf<T>(), failure?.ToString());
            Assert.That(((RpcException)failure!).Code, Is.EqualTo(code), failure.ToString());
            return (T)failure;
        }
    }
}
