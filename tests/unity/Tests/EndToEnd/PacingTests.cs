using System;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using Townsfolk.Unity;
using Townsfolk.V1;

namespace Townsfolk.Tests.EndToEnd
{
    /// <summary>The real runtime is told of frames, and releases and loads its model when asked.</summary>
    [TestFixture]
    [Timeout(600000)]
    internal sealed class PacingTests
    {
        private Scene _scene = null!;

        [SetUp]
        public async Task OpenAsync() => _scene = new Scene(await SharedRuntime.Process.GetAsync());

        [TearDown]
        public void Close() => _scene.Dispose();

        [Test]
        public void TheRuntimeIsToldOfFrames([Values] TownsfolkWire wire)
        {
            _scene.Settings.wire = wire;
            _scene.Settings.framePolicy = FramePolicy.Smooth;
            var runtime = TownsfolkRuntime.Instance;
            Assert.That(runtime.ReportsFrames, Is.True);
            using var over = new CancellationTokenSource();
            FramePace? pace = null;
            var watching = Task.Run(async () =>
            {
                using var client = SharedRuntime.Connect("grpc");
                var request = new WatchStatsRequest { IntervalMs = 50 };
                await foreach (var stats in client.WatchStatsAsync(request, over.Token))
                {
                    Volatile.Write(ref pace, stats.Pace);
                }
            });
            Scene.FramesUntil(() => Volatile.Read(ref pace) != null);
            Assert.That(Volatile.Read(ref pace)!.Policy, Is.EqualTo(PacePolicy.Smooth));
            runtime.ReportsFrames = false;
            Scene.FramesUntil(() => Volatile.Read(ref pace) == null);
            runtime.ReportsFrames = true;
            Scene.FramesUntil(() => Volatile.Read(ref pace) != null);
            over.Cancel();
            Assert.That(async () => await watching, Throws.InstanceOf<Exception>());
        }

        [Test]
        public void NothingIsReportedWhereThatIsSwitchedOff()
        {
            _scene.Settings.reportFrames = false;
            Assert.That(TownsfolkRuntime.Instance.ReportsFrames, Is.False);
        }

        [Test]
        public async Task TheModelIsReleasedAndLoadedAgain([Values("grpc", "grpc-web")] string wire)
        {
            using var client = SharedRuntime.Connect(wire);
            await using var session = await client.OpenSessionAsync(SharedRuntime.Innkeeper(tokens: 5));
            Assert.That(await client.ReleaseAsync(untilWarm: true), Is.Positive);
            var info = await client.GetRuntimeInfoAsync();
            Assert.That(info.ModelState, Is.EqualTo(ModelState.Released));
            var answer = SharedRuntime.ReadAsync(session, "Hello!");
            Assert.That(await client.WarmAsync(), Is.Positive);
            Assert.That((await answer).Last(), Has.Property("Kind").EqualTo(NpcEventKind.Finished));
            Assert.That((await client.GetRuntimeInfoAsync()).ModelState, Is.EqualTo(ModelState.Loaded));
        }
    }
}
