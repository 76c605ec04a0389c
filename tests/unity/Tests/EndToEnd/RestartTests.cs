using System;
using System.IO;
using System.Linq;
using System.Threading.Tasks;
using NUnit.Framework;
using Townsfolk.Rpc;
using Townsfolk.Tests.Support;
using Townsfolk.V1;
using static Townsfolk.Tests.EndToEnd.SharedRuntime;

namespace Townsfolk.Tests.EndToEnd
{
    /// <summary>A runtime that dies, ends, or never starts.</summary>
    [TestFixture]
    [Timeout(600000)]
    internal sealed class RestartTests
    {
        [TestCase("grpc")]
        [TestCase("grpc-web")]
        public async Task AKilledRuntimeIsStartedAgainAndTheConversationGoesOn(string wire)
        {
            using var runtime = new RuntimeProcess(Launch());
            using var client = SharedRuntime.Connect(wire, runtime);
            await client.RegisterLoreAsync(new Lore { LoreId = "ford", Text = "The ford floods in spring." });
            var session = await client.OpenSessionAsync(Innkeeper(tokens: 5, lore: "ford"));
            await ReadAsync(session, "I lost my ring.");
            var before = session.History;

            Kill(runtime);
            Assert.That(runtime.IsRunning, Is.False);
            await ReadAsync(session, "Have you seen it?");
            Assert.That(runtime.IsRunning, Is.True);
            Assert.That((await session.SaveAsync()).History.Take(2), Is.EqualTo(before));

            // Killed in the middle of an answer: that turn fails, what was heard is kept, the next one works.
            var text = string.Empty;
            var failure = Assert.CatchAsync<RpcException>(async () =>
            {
                var longer = new Utterance
                {
                    Text = "Tell me everything.",
                    Sampling = new SamplingParams { MinNewTokens = 300, MaxNewTokens = 300 },
                };
                foreach (var id in Vocabulary.Ends)
                {
                    longer.Sampling.LogitBias[id] = -100;
                }

                await foreach (var happened in session.SayAsync(longer))
                {
                    text += happened.Kind == NpcEventKind.Text ? happened.Text : string.Empty;
                    if (text.Trim().Length > 0 && runtime.ProcessId != null)
                    {
                        Kill(runtime);
                    }
                }
            });
            Assert.That(failure, Is.InstanceOf<RuntimeUnavailableException>());
            await ReadAsync(session, "Go on.");
            var history = (await session.SaveAsync()).History;
            Assert.That(history.Single(line => line.Cut).Text, Is.EqualTo(text.Trim()));
            Assert.That(history.Take(2), Is.EqualTo(before));
            await session.DisposeAsync();
        }

        [Test]
        public async Task DisposingEndsTheRuntime()
        {
            var runtime = new RuntimeProcess(Launch());
            await runtime.GetAsync();
            using var process = System.Diagnostics.Process.GetProcessById(runtime.ProcessId!.Value);
            runtime.Dispose();
            Assert.That(process.HasExited, Is.True);
            Assert.That(runtime.IsRunning, Is.False);
            runtime.Dispose();
            Assert.CatchAsync<ObjectDisposedException>(() => runtime.GetAsync());
        }

        [Test]
        public async Task DisposingDuringTheStartEndsTheStart()
        {
            var runtime = new RuntimeProcess(Launch());
            var begun = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
            runtime.Log.LineAdded += _ => begun.TrySetResult(true);
            var starting = runtime.GetAsync();
            await begun.Task;
            runtime.Dispose();
            Assert.CatchAsync<OperationCanceledException>(() => starting);
        }

        [Test]
        public async Task StoppedItStartsAgainWhenNeeded()
        {
            using var runtime = new RuntimeProcess(Launch());
            var first = await runtime.GetAsync();
            Assert.That(await runtime.GetAsync(), Is.SameAs(first));
            await runtime.StopAsync();
            Assert.That(runtime.IsRunning, Is.False);
            Assert.That(await runtime.GetAsync(), Is.Not.SameAs(first));
        }

        [Test]
        public void AMissingProgramIsNamed()
        {
            using var runtime = new RuntimeProcess(new RuntimeLaunch { Command = "no-such-townsfolk" });
            var failure = Assert.CatchAsync<RuntimeStartException>(() => runtime.GetAsync())!;
            Assert.That(failure.Message, Does.Contain("no-such-townsfolk"));
        }

        [Test]
        public void ARuntimeThatEndsAtOnceShowsItsLog()
        {
            var launch = Launch();
            launch.Model = Path.Combine(Path.GetTempPath(), "no-such-model");
            using var runtime = new RuntimeProcess(launch);
            var failure = Assert.CatchAsync<RuntimeStartException>(() => runtime.GetAsync())!;
            Assert.That(failure.Message, Does.Contain("no-such-model"));
        }

        private static void Kill(RuntimeProcess runtime)
        {
            using var process = System.Diagnostics.Process.GetProcessById(runtime.ProcessId!.Value);
            process.Kill();
            process.WaitForExit();
            while (runtime.IsRunning)
            {
                Task.Delay(10).Wait();
            }
        }
    }
}
