using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using Townsfolk.Unity;
using UnityEngine;
using UnityEngine.Events;
using UnityStubs;
using Object = UnityEngine.Object;

namespace Townsfolk.Tests.EndToEnd
{
    /// <summary>The components, in the stubs' player, with the real runtime.</summary>
    [TestFixture]
    [Timeout(600000)]
    internal sealed class AgentTests
    {
        private Scene _scene = null!;

        [SetUp]
        public async Task OpenAsync() => _scene = new Scene(await SharedRuntime.Process.GetAsync());

        [TearDown]
        public void Close() => _scene.Dispose();

        [Test]
        public void EventsComeInOrderOnTheMainThread()
        {
            var agent = Scene.Character();
            var heard = Scene.Listen(agent);
            var streamed = string.Empty;
            var finished = string.Empty;
            Scene.Event<UnityEvent<string>>(agent, "onTextStreamed").AddListener(text => streamed += text);
            Scene.Event<UnityEvent<string>>(agent, "onReplyFinished").AddListener(text => finished = text);
            agent.Say("What is your name?");
            Assert.That(agent.IsBusy, Is.True);
            Scene.FramesUntil(() => !agent.IsBusy);

            Assert.That(heard.First(), Is.EqualTo("thinking"));
            Assert.That(heard.Last(), Is.EqualTo("finished " + finished));
            Assert.That(heard, Has.Some.StartsWith("text ").And.Some.StartsWith("sentence "));
            Assert.That(heard, Has.None.EqualTo("WRONG THREAD"));
            Assert.That(streamed.Trim(), Is.EqualTo(finished).And.Not.Empty);
            Assert.That(agent.CurrentText.Trim(), Is.EqualTo(finished));
        }

        [Test]
        public async Task AnAnswerCanBeAwaited([Values] TownsfolkWire wire)
        {
            _scene.Settings.wire = wire;
            var agent = Scene.Character(tokens: 5);
            var reply = WaitAsync(agent.SayAsync("Hello!"));
            Scene.FramesUntil(() => reply.IsCompleted);
            Assert.That(await reply, Is.EqualTo(agent.CurrentText.Trim()));
        }

        [Test]
        public async Task AWaitThatIsCancelledCutsTheAnswerOff()
        {
            var agent = Scene.Character(tokens: SharedRuntime.Long);
            using var cancellation = new CancellationTokenSource();
            agent.TextStreamed += _ => cancellation.Cancel();
            var reply = WaitAsync(agent.SayAsync("Tell me everything.", cancellation.Token));
            Scene.FramesUntil(() => reply.IsCompleted);
            Assert.That(reply.IsCanceled, Is.True);
            Assert.That(agent.IsBusy, Is.False);
            Assert.That((await SpeakingAsync()).Any(), Is.False);
        }

        [Test]
        public void LinesQueueUpAndAreAnsweredInOrder()
        {
            var agent = Scene.Character(tokens: 5);
            var heard = Scene.Listen(agent);
            for (var i = 0; i < 3; i++)
            {
                agent.Say("Line " + i);
            }

            Scene.FramesUntil(() => !agent.IsBusy);
            Assert.That(heard.Count(one => one.StartsWith("finished ", StringComparison.Ordinal)), Is.EqualTo(3));

            // A line that waits is not thought about before the answer to the one before it has ended.
            Assert.That(
                heard.Where(one => one == "thinking" || one.StartsWith("finished ", StringComparison.Ordinal))
                    .Select(one => one.Split(' ')[0]),
                Is.EqualTo(new[] { "thinking", "finished", "thinking", "finished", "thinking", "finished" }));
            var history = Scene.Remembered(agent);
            Assert.That(
                history.Where(line => line.Kind == V1.EntryKind.Heard).Select(line => line.Text),
                Is.EqualTo(new[] { "Line 0", "Line 1", "Line 2" }));
        }

        [Test]
        public void AnInterruptionKeepsWhatWasHeardAndDropsWhatWaits()
        {
            var agent = Scene.Character(tokens: SharedRuntime.Long);
            var heard = Scene.Listen(agent);
            agent.Say("Tell me everything.");
            agent.Say("And then?");
            Scene.FramesUntil(() => agent.CurrentText.Length > 10);
            var shown = agent.CurrentText.Substring(0, 5);
            agent.Interrupt(shown);
            Scene.FramesUntil(() => !agent.IsBusy);
            Assert.That(heard.Count(one => one.StartsWith("interrupted", StringComparison.Ordinal)), Is.EqualTo(2));
            var line = Scene.Remembered(agent).Single(entry => entry.Kind == V1.EntryKind.Spoke);
            Assert.That(line.Text, Is.EqualTo(shown).Or.EqualTo(shown.Trim()));
            Assert.That(line.Cut, Is.True);
        }

        [Test]
        public async Task WithoutARuntimeTheFallbackLineIsSaid()
        {
            _scene.Settings.webPort = 1;
            _scene.Settings.reconnectTimeout = 0.2f;
            var agent = Scene.Character();
            agent.FallbackLines = new[] { "Hm? Speak up." };
            var heard = Scene.Listen(agent);
            var reply = WaitAsync(agent.SayAsync("Hello!"));
            Scene.FramesUntil(() => reply.IsCompleted);
            Assert.That(await reply, Is.EqualTo("Hm? Speak up."));
            Assert.That(agent.CurrentText, Is.EqualTo("Hm? Speak up."));
            Assert.That(heard, Does.Contain("finished Hm? Speak up.").And.None.StartsWith("failed"));
            Assert.That(agent.CurrentTurn!.Failure, Is.InstanceOf<Townsfolk.Rpc.RuntimeUnavailableException>());
            Assert.That(Player.Messages, Has.Some.StartsWith("warning: Townsfolk: Mara says a fallback line"));
        }

        [TestCase(true, "")]
        [TestCase(false, "")]
        public void SettingsThatDescribeNoRuntimeFailEachLineAndSaySo(bool launch, string nothing)
        {
            _scene.Settings.launchRuntime = launch;
            _scene.Settings.command = nothing;
            _scene.Settings.host = nothing;
            var agent = Scene.Character();
            for (var i = 0; i < 2; i++)
            {
                var turn = agent.BeginTurn("Hello!");
                Scene.FramesUntil(() => turn.IsDone);
                Assert.That(turn.Failure, Is.InstanceOf<RuntimeStartException>());
                Assert.That(turn.Failure!.Message, Does.Contain("Project Settings, Townsfolk"));
            }
        }

        [Test]
        public void EndingTheConnectionEndsWhatIsUnderWay()
        {
            var agent = Scene.Character(tokens: SharedRuntime.Long);
            var heard = Scene.Listen(agent);
            var reply = WaitAsync(agent.SayAsync("Tell me everything."));
            agent.Say("And then?");
            Scene.FramesUntil(() => agent.CurrentText.Length > 0);
            TownsfolkRuntime.Shutdown();
            Assert.That(agent.IsBusy, Is.False);
            Assert.That(reply.IsCanceled, Is.True);
            Assert.That(heard.Count(one => one.StartsWith("interrupted", StringComparison.Ordinal)), Is.EqualTo(2));

            // The next line makes a new connection.
            agent.Sampling!.maxNewTokens = agent.Sampling.minNewTokens = 5;
            agent.Say("Hello?");
            Scene.FramesUntil(() => !agent.IsBusy);
            Assert.That(heard.Last(), Does.StartWith("finished "));
        }

        [Test]
        public void ExactlyOneEventEndsAFailedTurn([Values] bool fallback)
        {
            var agent = Scene.Character();
            agent.Sampling!.temperature = 99f;
            agent.FallbackLines = fallback ? new[] { "Hm? Speak up." } : Array.Empty<string>();
            var heard = Scene.Listen(agent);
            agent.Say("Hello!");
            Scene.FramesUntil(() => !agent.IsBusy);
            Assert.That(heard, Is.EqualTo(fallback
                ? new[] { "thinking", "text Hm? Speak up.", "sentence Hm? Speak up.", "finished Hm? Speak up." }
                : new[] { "thinking", "failed RpcException" }));

            // The next line opens the session anew, with the settings as they are then.
            agent.Sampling.temperature = 0.5f;
            agent.Say("Hello?");
            Scene.FramesUntil(() => !agent.IsBusy);
            Assert.That(heard.Last(), Does.StartWith("finished ").And.Not.EqualTo("finished Hm? Speak up."));
        }

        [Test]
        public void AListenerThatThrowsHarmsNobody()
        {
            var agent = Scene.Character(tokens: 5);
            agent.TextStreamed += _ => throw new InvalidOperationException("a bug in the game");
            agent.Say("Hello!");
            Scene.FramesUntil(() => !agent.IsBusy);
            Assert.That(Player.Messages, Has.Some.Contains("a bug in the game"));
        }

        [Test]
        public void ThePriorityFollowsTheDistance()
        {
            var player = new GameObject("Player");
            var agent = Scene.Character(tokens: 5);
            agent.Priority.listener = player.transform;
            agent.Priority.near = 80;
            agent.Priority.far = -80;
            agent.Say("Hello!");
            Scene.FramesUntil(() => !agent.IsBusy);
            Scene.FramesUntil(() => PriorityInRuntime() == 80);
            player.transform.position = new Vector3(1000f, 0f, 0f);
            Scene.FramesUntil(() => PriorityInRuntime() == -80);
        }

        [Test]
        public void LoreIsSharedAndEventsAreKnown()
        {
            var lore = ScriptableObject.CreateInstance<LorePack>();
            lore.loreId = "agents-" + Guid.NewGuid();
            lore.text = "The ford floods in spring.";
            var agents = new[] { Scene.Character("Mara", 5, lore), Scene.Character("Joss", 5, lore) };
            foreach (var agent in agents)
            {
                agent.Notify("The mill is on fire.");
                agent.Say("What happened?");
            }

            Scene.FramesUntil(() => agents.All(agent => !agent.IsBusy));
            Assert.That(Scene.Remembered(agents[1]).First().Kind, Is.EqualTo(V1.EntryKind.Event));
        }

        [Test]
        public async Task ADestroyedCharacterLeavesTheRuntime()
        {
            var agent = Scene.Character("Gone " + Guid.NewGuid().ToString("N").Substring(0, 8), tokens: SharedRuntime.Long);
            agent.Say("Tell me everything.");
            Scene.FramesUntil(() => agent.CurrentText.Length > 0);
            Object.Destroy(agent.gameObject);
            using var client = SharedRuntime.Connect("grpc");
            while ((await client.ListSessionsAsync()).Any(one => one.PersonaName == agent.name))
            {
                await Task.Delay(20);
            }
        }

        [Test]
        public void AnAgentWithoutAPersonaSaysSo()
        {
            var agent = new GameObject("Nobody").AddComponent<NpcAgent>();
            Assert.That(() => agent.Say("Hello!"), Throws.InvalidOperationException.With.Message.Contains("persona"));
        }

        [Test]
        public void TheMainThreadAllocatesNothingForAToken()
        {
            const int First = 5;
            const int Enough = 50;
            var agent = Scene.Character(tokens: 120);
            var texts = 0;
            var counted = 0;
            var before = 0L;
            var allocated = 0L;
            agent.TextStreamed += _ =>
            {
                texts++;
                if (texts > First)
                {
                    counted++;
                    allocated += GC.GetAllocatedBytesForCurrentThread() - before;
                }

                before = GC.GetAllocatedBytesForCurrentThread();
            };

            void Answer()
            {
                texts = 0;
                agent.Say("Tell me everything.");
                Scene.FramesUntil(() => !agent.IsBusy);
            }

            // The first answer grows what grows once.
            Answer();
            counted = 0;
            allocated = 0L;
            // All that has come since the last frame is one text, so a fast machine needs more answers.
            while (counted < Enough)
            {
                Answer();
            }

            // A lock that was waited for has an object of its own, once; one object for each token would be 24 bytes and more.
            Assert.That(allocated, Is.LessThan(12 * counted));
        }

        [Test]
        public void ASilentCharacterCostsAFrameNoAllocation()
        {
            var agent = Scene.Character(tokens: 5);
            agent.Say("Hello!");
            Scene.FramesUntil(() => !agent.IsBusy);
            // The first priority is told, and what is done once is done.
            Scene.FramesUntil(() => Player.Time > 2f);
            var before = GC.GetAllocatedBytesForCurrentThread();
            for (var i = 0; i < 100; i++)
            {
                Player.Frame();
            }

            // One object for each frame would be 2400 bytes and more.
            Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(1000));
        }

        [Test]
        public void AFrameKeepsItsBudget()
        {
            _scene.Settings.frameBudget = 1f;
            var agent = Scene.Character(tokens: 60);
            var perFrame = new List<int>();
            var count = 0;
            agent.TextStreamed += _ =>
            {
                count++;
                Thread.Sleep(2);
            };
            agent.Say("Tell me everything.");
            Scene.FramesUntil(() =>
            {
                perFrame.Add(count);
                count = 0;
                return !agent.IsBusy;
            });
            // Each text takes more than the budget, so that no frame hands out a second one.
            Assert.That(perFrame.Max(), Is.EqualTo(1));
        }

        private static async Task<string> WaitAsync(Awaitable<string> reply) => await reply;

        private static int PriorityInRuntime()
        {
            var asking = Task.Run(() => TownsfolkRuntime.Instance.Client.ListSessionsAsync());
            asking.Wait();
            return asking.Result.Max(one => one.Priority) == 80
                ? 80
                : asking.Result.Min(one => one.Priority);
        }

        private static async Task<IEnumerable<V1.SessionSummary>> SpeakingAsync()
        {
            using var client = SharedRuntime.Connect("grpc");
            while (true)
            {
                var speaking = (await client.ListSessionsAsync()).Where(one => one.Speaking).ToList();
                if (speaking.Count == 0)
                {
                    return speaking;
                }

                await Task.Delay(20);
            }
        }
    }
}
