using System;
using System.Collections.Concurrent;
using System.Linq;
using System.Net;
using System.Net.Http;
using System.Net.Http.Headers;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using Google.Protobuf;
using NUnit.Framework;
using Townsfolk.Rpc;
using Townsfolk.Tests.Rpc;
using Townsfolk.V1;

namespace Townsfolk.Tests
{
    /// <summary>What a game's frames become on the wire, and what noting them costs the thread that draws.</summary>
    [TestFixture]
    [Timeout(600000)]
    internal sealed class FrameReporterTests
    {
        private Reports _reports = null!;
        private TownsfolkClient _client = null!;
        private FrameReporter _reporter = null!;

        [SetUp]
        public void Open()
        {
            _reports = new Reports();
            _client = new TownsfolkClient(
                new FixedEndpoint(new RuntimeEndpoint("localhost", port: 1, webPort: 1)),
                new TownsfolkClientOptions { Transport = new HttpTransport(RpcWire.GrpcWeb, _ => _reports) });
            _reporter = new FrameReporter(_client) { Policy = PacePolicy.Smooth };
        }

        [TearDown]
        public void Close()
        {
            _reporter.Dispose();
            _client.Dispose();
        }

        [Test]
        public void EveryFrameIsReportedOnce()
        {
            HoldAReport();
            for (var i = 0; i < 40; i++)
            {
                _reporter.Note(0.001 * i, 0.008, 60);
            }

            _reports.Go.Set();
            var first = _reports.Seen.Take();
            _reporter.Note(0, 20, 120);
            var second = _reports.Seen.Take();
            Assert.That(first.Frames, Has.Count.EqualTo(40));
            Assert.That(first.TargetUs, Is.EqualTo(16666));
            Assert.That(first.Policy, Is.EqualTo(PacePolicy.Smooth));
            Assert.That(first.Frames.Select(frame => frame.BusyUs), Is.All.EqualTo(8000));
            Assert.That(first.Frames[39].AgeUs, Is.GreaterThan(first.Frames[0].AgeUs).And.GreaterThanOrEqualTo(39_000));
            Assert.That(second.Frames, Has.Count.EqualTo(1));
            Assert.That(second.TargetUs, Is.EqualTo(8333));
            Assert.That(second.Frames[0].BusyUs, Is.EqualTo(10_000_000), "no more than the contract allows");
            Assert.That(second.ClockUs, Is.GreaterThan(first.ClockUs));
            Assert.That(second.Reporter, Is.EqualTo(first.Reporter).And.Not.Empty);
        }

        [Test]
        public void MoreFramesThanAReportHoldsAreLeftOut()
        {
            HoldAReport();
            for (var i = 0; i < 300; i++)
            {
                _reporter.Note(0, 0.001, 1000);
            }

            _reports.Go.Set();
            Assert.That(_reports.Seen.Take().Frames, Has.Count.EqualTo(256));
        }

        [Test]
        public void NotingAFrameAllocatesNothing()
        {
            // What is made once.
            NoteUntil(reports: 2);
            var before = GC.GetAllocatedBytesForCurrentThread();
            NoteUntil(reports: 5);
            // A lock that was waited for has an object of its own, once; a report would be some 15 KB.
            Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(1000));
        }

        [Test]
        public void TheEndIsReported()
        {
            _reporter.Note(0, 0, 60);
            _reporter.Dispose();
            _reporter.Note(0, 0, 60);
            ReportFramesRequest last;
            do
            {
                last = _reports.Seen.Take();
            }
            while (!last.Done);
            Assert.That(last.Frames, Is.Empty);
        }

        [Test]
        public void ARuntimeThatKnowsNothingOfFramesIsLeftAlone()
        {
            _reports.Status = StatusCode.Unimplemented;
            _reporter.Note(0, 0, 60);
            var all = new[] { _reports.Seen.Take(), _reports.Seen.Take() };
            Assert.That(all.Select(one => one.Done), Is.EqualTo(new[] { false, true }));
        }

        // While a report is on its way, frames wait for the next.
        private void HoldAReport()
        {
            _reports.Go.Reset();
            _reporter.Note(0, 0, 60);
            _reports.Seen.Take();
        }

        private void NoteUntil(int reports)
        {
            while (_reports.Count < reports)
            {
                _reporter.Note(0.001, 0.008, 60);
                Thread.Sleep(1);
            }
        }

        /// <summary>Answers in the place of a runtime, and keeps what was reported.</summary>
        private sealed class Reports : HttpMessageHandler
        {
            private int _count;

            public StatusCode Status { get; set; } = StatusCode.Ok;

            /// <summary>Answers wait for this.</summary>
            public ManualResetEventSlim Go { get; } = new ManualResetEventSlim(true);

            public int Count => Volatile.Read(ref _count);

            public BlockingCollection<ReportFramesRequest> Seen { get; } =
                new BlockingCollection<ReportFramesRequest>(new ConcurrentQueue<ReportFramesRequest>());

            protected override async Task<HttpResponseMessage> SendAsync(
                HttpRequestMessage request, CancellationToken cancellation)
            {
                if (request.RequestUri!.AbsolutePath.EndsWith("/GetRuntimeInfo", StringComparison.Ordinal))
                {
                    // The client asks once which contract the runtime has.
                    var contract = new ContractVersion { Major = Contract.Own.Major, Minor = Contract.Own.Minor };
                    return Answer(StatusCode.Ok, new GetRuntimeInfoResponse { Contract = contract });
                }

                Assert.That(request.RequestUri.AbsolutePath, Does.EndWith("/ReportFrames"));
                var frame = await request.Content!.ReadAsByteArrayAsync(cancellation);
                Seen.Add(ReportFramesRequest.Parser.ParseFrom(frame.AsSpan(5)), CancellationToken.None);
                Interlocked.Increment(ref _count);
                Go.Wait(cancellation);
                return Answer(Status, new ReportFramesResponse());
            }

            private static HttpResponseMessage Answer(StatusCode status, IMessage message)
            {
                var trailers = Frames.Make(0x80, Encoding.ASCII.GetBytes($"grpc-status:{(int)status}\r\n"));
                var body = status == StatusCode.Ok ? Frames.Make(0, message.ToByteArray()).Concat(trailers) : trailers;
                var answer = new HttpResponseMessage(HttpStatusCode.OK) { Content = new ByteArrayContent(body.ToArray()) };
                answer.Content.Headers.ContentType = new MediaTypeHeaderValue("application/grpc-web+proto");
                return answer;
            }
        }
    }
}
