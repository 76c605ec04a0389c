using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using Townsfolk.Rpc;
using Townsfolk.Unity;
using Townsfolk.V1;
using UnityEngine;
using static Townsfolk.Tests.EndToEnd.SharedRuntime;

namespace Townsfolk.Tests.EndToEnd
{
    /// <summary>Conversations with the real runtime, each on both wires.</summary>
    [TestFixture("grpc")]
    [TestFixture("grpc-web")]
    [Timeout(600000)]
    internal sealed class ConversationTests
    {
        private readonly string _wire;
        private TownsfolkClient _client = null!;

        public ConversationTests(string wire)
        {
            _wire = wire;
        }

        [SetUp]
        public void Connect() => _client = SharedRuntime.Connect(_wire);

        [TearDown]
        public void Disconnect() => _client.Dispose();

        [Test]
        public async Task AnAnswerStreams()
        {
            await using var session = await _client.OpenSessionAsync(Innkeeper(tokens: 40));
            var events = await ReadAsync(session, "What is your name?");
            var kinds = events.Select(happened => happened.Kind).ToList();
            Assert.That(kinds.First(), Is.EqualTo(NpcEventKind.Started));
            Assert.That(kinds.Last(), Is.EqualTo(NpcEventKind.Finished));
            // In how many pieces depends on the machine; but not whole at its end.
            Assert.That(kinds.Count(kind => kind == NpcEventKind.Text), Is.GreaterThan(1));
            Assert.That(kinds, Does.Contain(NpcEventKind.Sentence));

            var text = string.Concat(
                events.Where(happened => happened.Kind == NpcEventKind.Text).Select(happened => happened.Text));
            var last = events.Last();
            Assert.That(last.Text, Is.Not.Empty.And.EqualTo(text.Trim()));
            Assert.That(last.Usage!.GeneratedTokens, Is.GreaterThan(0));
            Assert.That(last.FinishReason, Is.Not.EqualTo(FinishReason.Unspecified));

            Assert.That(session.History.Select(line => line.Text), Is.EqualTo(new[] { "What is your name?", last.Text }));
            Assert.That((await session.SaveAsync()).History, Is.EqualTo(session.History));
        }

        [Test]
        public async Task AnAnswerIsWhatItsGrammarSays()
        {
            await using var session = await _client.OpenSessionAsync(Innkeeper());
            const string Schema =
                @"{""type"": ""object"", ""properties"": {""gold"": {""type"": ""integer"", ""maximum"": 9, ""minimum"": 1}},"
                + @"""required"": [""gold""]}";
            var said = new Utterance { Text = "How much?", Grammar = Grammars.JsonSchema(Schema) };
            var events = await ReadAsync(session, said);
            Assert.That(events.Last().Text, Does.Match(@"^\{""gold"": [1-9]\}$"));
            Assert.That(events.Select(happened => happened.Kind), Does.Not.Contain(NpcEventKind.Sentence));

            said = new Utterance { Text = "Agreed?", Grammar = Grammars.Choices(new[] { "Aye.", "Never!" }) };
            Assert.That((await ReadAsync(session, said)).Last().Text, Is.AnyOf("Aye.", "Never!"));

            said = new Utterance { Text = "Hm?", Grammar = Grammars.Regex("(") };
            var refused = Assert.ThrowsAsync<RpcException>(() => ReadAsync(session, said))!;
            Assert.That(refused.Code, Is.EqualTo(StatusCode.InvalidArgument));
            Assert.That(refused.Message, Does.Contain("unclosed group"));
        }

        private enum Item
        {
            Ale,
            Bread,
        }

        private sealed class Shop
        {
            public List<Item> Given { get; } = new List<Item>();

            [NpcAction("Gives the player something.", When = "It is paid for.")]
            public string GiveItem(Item item, int count = 1)
            {
                Given.Add(item);
                return "it is on the table";
            }

            [NpcAction("Opens the door.")]
            private void OpenDoor() => throw new NpcActionRefusedException("it is locked");
        }

        [Test]
        public async Task AMethodIsAnAction()
        {
            var shop = new Shop();
            var actions = new NpcActions();
            actions.Add(shop);
            Assert.Throws<ArgumentException>(() => actions.Add(shop));
            var config = Innkeeper();
            config.Actions.AddRange(actions.ToMessages());
            config.HesitationEntropy = 0.01f;
            await using var session = await _client.OpenSessionAsync(config);
            var settled = new List<string>();
            var sure = 0;
            foreach (var name in actions.Names)
            {
                var now = new ActionsNow { Required = true };
                now.Names.Add(name);
                await foreach (var happened in session.SayAsync(new Utterance { Text = "Please!", Actions = now }))
                {
                    if (happened.Kind == NpcEventKind.Action)
                    {
                        var done = actions.Invoke(happened.Action!, out var outcome);
                        await session.AnswerActionAsync(happened.Action!.ActionId, done!.Value, outcome);
                    }
                    else if (happened.Kind == NpcEventKind.ActionSettled)
                    {
                        settled.Add(happened.Message.ActionSettled.Text);
                    }
                    else if (happened.Confidence is { Hesitated: true })
                    {
                        sure++;
                    }
                }
            }

            Assert.That(shop.Given, Has.Count.EqualTo(1));
            Assert.That(settled, Has.Exactly(1).Contains("it is on the table"));
            Assert.That(settled, Has.Exactly(1).Contains("OpenDoor() is not done: it is locked"));
            Assert.That(sure, Is.GreaterThan(0));
            Assert.That((await session.SaveAsync()).History, Is.EqualTo(session.History));
        }

        [Test]
        public async Task PartsOfAPersonaWeighMore()
        {
            var persona = ScriptableObject.CreateInstance<NpcPersona>();
            persona.characterName = "Mira";
            persona.goals = new[] { "Sell ale" };
            persona.contrastStrength = 0.5f;
            persona.contrastFields = new[] { PersonaField.Goals };
            await using var session = await _client.OpenSessionAsync(persona.ToSession(Array.Empty<Lore>(), null));
            var last = NpcEventKind.Other;
            await foreach (var happened in session.SayAsync(new Utterance { Text = "Hello" }))
            {
                last = happened.Kind;
            }

            Assert.That(last, Is.EqualTo(NpcEventKind.Finished));

            var kept = (await session.SaveAsync()).Contrast;
            Assert.That(kept.Strength, Is.EqualTo(0.5f));
            Assert.That(kept.Fields, Is.EqualTo(persona.contrastFields));
        }

        [Test]
        public async Task ACharacterChoosesAmongTexts()
        {
            await using var session = await _client.OpenSessionAsync(Innkeeper());
            var request = new ChooseRequest { Utterance = new Utterance { Text = "Will you help?", Speaker = "Tom" } };
            request.Options.AddRange(new[] { "Aye.", "Never!" });
            var choice = await session.ChooseAsync(request);
            Assert.That(choice.Text, Is.EqualTo(request.Options[choice.Index]));
            Assert.That(choice.Options.Sum(option => option.Probability), Is.EqualTo(1).Within(1e-5));
            Assert.That(session.History, Is.Empty);

            request.Remember = true;
            choice = await session.ChooseAsync(request);
            Assert.That(
                session.History.Select(line => line.Text), Is.EqualTo(new[] { "Will you help?", choice.Text }));
            Assert.That((await session.SaveAsync()).History, Is.EqualTo(session.History));

            var alone = new ChooseRequest { Text = "Well, " };
            alone.Options.AddRange(new[] { "yes", "no" });
            Assert.That((await _client.ChooseAsync(alone)).Options, Has.Count.EqualTo(2));
        }

        [Test]
        public async Task TwentyCharactersSpeakAtOnce()
        {
            var sessions = await Task.WhenAll(Enumerable.Range(0, 20).Select(
                i => _client.OpenSessionAsync(Innkeeper("Mara " + i, tokens: 12))));
            var answers = await Task.WhenAll(sessions.Select(session => ReadAsync(session, "Hello!")));
            foreach (var answer in answers)
            {
                Assert.That(answer.Last().Kind, Is.EqualTo(NpcEventKind.Finished));
                Assert.That(answer.Last().Usage!.GeneratedTokens, Is.EqualTo(12));
            }

            await Task.WhenAll(sessions.Select(session => session.DisposeAsync().AsTask()));
        }

        [Test]
        public async Task AnInterruptedAnswerKeepsWhatWasHeard()
        {
            await using var session = await _client.OpenSessionAsync(Innkeeper(tokens: Long));
            var text = string.Empty;
            var heard = string.Empty;
            NpcEvent last = default;
            await foreach (var happened in session.SayAsync("Tell me everything."))
            {
                last = happened;
                text += happened.Kind == NpcEventKind.Text ? happened.Text : string.Empty;
                if (heard.Length == 0 && text.Length >= 8)
                {
                    heard = text.Substring(0, 5);
                    Assert.That(await session.InterruptAsync(heard), Has.Count.EqualTo(1));
                }
            }

            Assert.That(last.Kind, Is.EqualTo(NpcEventKind.Interrupted), Log);
            Assert.That(last.FinishReason, Is.EqualTo(FinishReason.Interrupted));
            Assert.That(last.Text, Is.EqualTo(heard).Or.EqualTo(heard.Trim()));
            var line = (await session.SaveAsync()).History.Last();
            Assert.That(line.Cut, Is.True);
            Assert.That(line.Text, Is.EqualTo(last.Text));
            Assert.That(await session.InterruptAsync(), Is.Empty);
        }

        [TestCase(true)]
        [TestCase(false)]
        public async Task AnAnswerThatHasEndedKeepsWhatWasHeard(bool byTurn)
        {
            await using var session = await _client.OpenSessionAsync(Innkeeper(tokens: 20));
            var first = (await ReadAsync(session, "Tell me everything.")).Last();
            var second = (await ReadAsync(session, "And then?")).Last();
            Assert.That(new[] { first.TurnId, second.TurnId }, Is.Unique.And.None.Empty);

            var (cut, whole) = byTurn ? (first, second) : (second, first);
            var heard = cut.Text.Substring(0, 5);
            var ids = byTurn ? await session.InterruptAsync(heard, cut.TurnId) : await session.InterruptAsync(heard);
            Assert.That(ids, Is.EqualTo(new[] { cut.TurnId }));
            var history = (await session.SaveAsync()).History;
            Assert.That(history.Single(line => line.Cut).Text, Is.EqualTo(heard));
            Assert.That(history.Single(line => line.Cut).TurnId, Is.EqualTo(cut.TurnId));
            Assert.That(history.Select(line => line.Text), Does.Contain(whole.Text));
            Assert.That(session.History, Is.EqualTo(history));
            Assert.That(await session.InterruptAsync("more than was said of it, by far".PadRight(999)), Is.Empty);
        }

        [Test]
        public async Task WhatWasHeardCountsAlsoWhenTheRuntimeHasLostTheSession()
        {
            await using var session = await _client.OpenSessionAsync(Innkeeper(tokens: 20));
            var answer = (await ReadAsync(session, "Tell me everything.")).Last();
            using (var channel = Transport(_wire).Connect(await Process.GetAsync()))
            {
                await channel.UnaryAsync(
                    TownsfolkMethods.CloseSession, new CloseSessionRequest { SessionId = session.SessionId });
            }

            var heard = answer.Text.Substring(0, 5);
            Assert.That(await session.InterruptAsync(heard), Is.EqualTo(new[] { answer.TurnId }));
            await ReadAsync(session, "And then?");
            Assert.That((await session.SaveAsync()).History[1].Text, Is.EqualTo(heard));
        }

        [Test]
        public async Task LeavingTheLoopInterruptsTheAnswer()
        {
            await using var session = await _client.OpenSessionAsync(Innkeeper(tokens: Long));
            await foreach (var happened in session.SayAsync("Tell me everything."))
            {
                if (happened.Kind == NpcEventKind.Text)
                {
                    break;
                }
            }

            await NobodySpeaksAsync(session.SessionId);
            Assert.That(session.History.Last().Cut, Is.True);
        }

        [Test]
        public async Task CancellingReachesTheRuntime()
        {
            await using var session = await _client.OpenSessionAsync(Innkeeper(tokens: Long));
            using var cancellation = new CancellationTokenSource();
            Assert.CatchAsync<OperationCanceledException>(async () =>
            {
                await foreach (var happened in session.SayAsync("Tell me everything.", cancellation.Token))
                {
                    cancellation.Cancel();
                }
            });
            await NobodySpeaksAsync(session.SessionId);
        }

        [Test]
        public async Task ADeadlineEndsAnAnswerThatBegan()
        {
            await using var session = await _client.OpenSessionAsync(Innkeeper(tokens: Long));
            NpcEvent last = default;
            // Twice as long each time, so that one in which a token comes ends long before the answer does.
            for (var milliseconds = 100; milliseconds < 60000; milliseconds *= 2)
            {
                try
                {
                    var utterance = new Utterance { Text = "Tell me everything.", DeadlineMs = milliseconds };
                    await foreach (var happened in session.SayAsync(utterance))
                    {
                        last = happened;
                    }

                    break;
                }
                catch (DeadlineExceededException)
                {
                    // Too short for a first token on a busy machine.
                }
            }

            Assert.That(last.Kind, Is.EqualTo(NpcEventKind.Finished));
            Assert.That(last.FinishReason, Is.EqualTo(FinishReason.Deadline));
        }

        [Test]
        public async Task ACallsDeadlineIsKept()
        {
            using var channel = Transport(_wire).Connect(await Process.GetAsync());
            using var call = channel.ServerStreaming(
                TownsfolkMethods.WatchStats,
                new WatchStatsRequest { IntervalMs = 50 },
                new CallOptions(TimeSpan.FromSeconds(3)));
            var count = 0;
            Assert.ThrowsAsync<DeadlineExceededException>(async () =>
            {
                while (await call.MoveNextAsync())
                {
                    count++;
                }
            });
            Assert.That(count, Is.GreaterThan(0));
        }

        [Test]
        public async Task AWrongTokenIsRefused()
        {
            var right = await Process.GetAsync();
            using var client = SharedRuntime.Connect(_wire, new FixedEndpoint(
                new RuntimeEndpoint(right.Host, right.Port, right.WebPort, "wrong")));
            Assert.ThrowsAsync<UnauthenticatedException>(() => client.GetRuntimeInfoAsync());
            Assert.ThrowsAsync<UnauthenticatedException>(() => client.OpenSessionAsync(Innkeeper()));
        }

        [Test]
        public void BadInputNamesTheField()
        {
            var failure = Assert.CatchAsync<RpcException>(
                () => _client.OpenSessionAsync(new SessionConfig { Persona = new Persona() }))!;
            Assert.That(failure.Code, Is.EqualTo(StatusCode.InvalidArgument));
            Assert.That(failure.Message, Does.Contain("name"));
        }

        [Test]
        public async Task AFailedTurnLeavesTheSessionAlive()
        {
            await using var session = await _client.OpenSessionAsync(Innkeeper(tokens: 5));
            var bad = new Utterance { Text = "Hello", Sampling = new SamplingParams { Temperature = 99 } };
            var failure = Assert.CatchAsync<RpcException>(async () =>
            {
                await foreach (var happened in session.SayAsync(bad))
                {
                    Assert.Fail("an event came: " + happened.Message);
                }
            })!;
            Assert.That(failure.Code, Is.EqualTo(StatusCode.InvalidArgument));
            Assert.That((await ReadAsync(session, "Hello!")).Last().Kind, Is.EqualTo(NpcEventKind.Finished));
        }

        [Test]
        public async Task EventsAndPrioritiesReachTheSession()
        {
            await using var session = await _client.OpenSessionAsync(Innkeeper());
            await session.NotifyAsync("The mill is on fire.");
            await session.SetPriorityAsync(30);
            var saved = await session.SaveAsync();
            Assert.That(saved.Priority, Is.EqualTo(30));
            Assert.That(saved.History.Single().Kind, Is.EqualTo(EntryKind.Event));
            Assert.That(session.History, Is.EqualTo(saved.History));
        }

        [Test]
        public async Task ASavedConversationGoesOn()
        {
            SessionConfig saved;
            await using (var session = await _client.OpenSessionAsync(Innkeeper(tokens: 5)))
            {
                await ReadAsync(session, "I lost my ring.");
                saved = await session.SaveAsync();
            }

            await using var again = await _client.OpenSessionAsync(saved);
            await ReadAsync(again, "Have you seen it?");
            Assert.That((await again.SaveAsync()).History.Take(2), Is.EqualTo(saved.History));
        }

        [Test]
        public async Task ASessionThatTheRuntimeLostIsOpenedAgainWithItsTranscript()
        {
            await _client.RegisterLoreAsync(new Lore { LoreId = "ford-" + _wire, Text = "The ford floods in spring." });
            await using var session = await _client.OpenSessionAsync(Innkeeper(tokens: 5, lore: "ford-" + _wire));
            await ReadAsync(session, "I lost my ring.");
            var before = session.History;
            using (var channel = Transport(_wire).Connect(await Process.GetAsync()))
            {
                await channel.UnaryAsync(
                    TownsfolkMethods.CloseSession, new CloseSessionRequest { SessionId = session.SessionId });
            }

            await ReadAsync(session, "Have you seen it?");
            Assert.That((await session.SaveAsync()).History.Take(2), Is.EqualTo(before));
        }

        [Test]
        public async Task APromptIsCompleted()
        {
            var request = new GenerateRequest
            {
                Text = "The inn",
                Sampling = new SamplingParams { MaxNewTokens = 8, MinNewTokens = 8 },
            };
            var pieces = new List<GenerateResponse>();
            await foreach (var piece in _client.GenerateAsync(request))
            {
                pieces.Add(piece);
            }

            Assert.That(pieces.Last().Finished.Usage.GeneratedTokens, Is.EqualTo(8));
        }

        [Test]
        public async Task CountersAreWatched()
        {
            using var cancellation = new CancellationTokenSource();
            var reports = 0;
            Assert.CatchAsync<OperationCanceledException>(async () =>
            {
                await foreach (var report in _client.WatchStatsAsync(
                    new WatchStatsRequest { IntervalMs = 50 }, cancellation.Token))
                {
                    if (++reports == 3)
                    {
                        cancellation.Cancel();
                    }
                }
            });
            Assert.That(reports, Is.EqualTo(3));
            Assert.That((await _client.GetRuntimeInfoAsync()).ContextTokens, Is.GreaterThan(0));
        }

        private async Task NobodySpeaksAsync(string sessionId)
        {
            while (true)
            {
                var sessions = await _client.ListSessionsAsync();
                if (!sessions.Single(one => one.SessionId == sessionId).Speaking)
                {
                    return;
                }

                await Task.Delay(20);
            }
        }
    }
}
