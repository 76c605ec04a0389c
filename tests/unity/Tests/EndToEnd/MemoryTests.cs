using System;
using System.Linq;
using System.Threading.Tasks;
using NUnit.Framework;
using Townsfolk.Unity;
using UnityEngine;
using UnityStubs;
using Object = UnityEngine.Object;

namespace Townsfolk.Tests.EndToEnd
{
    /// <summary>What a character remembers: saved, restored, cut, forgotten, and kept over every failure.</summary>
    [TestFixture]
    [Timeout(600000)]
    internal sealed class MemoryTests
    {
        private Scene _scene = null!;

        [SetUp]
        public async Task OpenAsync() => _scene = new Scene(await SharedRuntime.Process.GetAsync());

        [TearDown]
        public void Close() => _scene.Dispose();

        [Test]
        public void ASavedConversationIsRestored()
        {
            var saved = SaveAfter("I lost my ring.");
            var agent = Named();
            agent.Restore(saved);
            Speak(agent, "Have you seen it?");
            Assert.That(Lines(agent), Has.Length.EqualTo(4));
            Assert.That(Lines(agent)[0], Is.EqualTo("I lost my ring."));
        }

        [Test]
        public void ASaveIsRestoredOverARunningConversation()
        {
            var saved = SaveAfter("I lost my ring.");
            var agent = Named(tokens: SharedRuntime.Long);
            var heard = Scene.Listen(agent);
            agent.Say("Tell me everything.");
            Scene.FramesUntil(() => agent.CurrentText.Length > 0);
            agent.Restore(saved);
            agent.Sampling!.maxNewTokens = agent.Sampling.minNewTokens = 5;
            Speak(agent, "Have you seen it?");
            Assert.That(heard, Has.Some.StartsWith("interrupted "));
            Assert.That(Lines(agent)[0], Is.EqualTo("I lost my ring."));
            Assert.That(Lines(agent), Has.Length.EqualTo(4).And.None.EqualTo("Tell me everything."));
        }

        [Test]
        public void ARestoredSaveSurvivesARuntimeThatIsNotUpYet()
        {
            var saved = SaveAfter("I lost my ring.");
            var webPort = _scene.Settings.webPort;
            TownsfolkRuntime.Shutdown();
            _scene.Settings.webPort = 1;
            _scene.Settings.reconnectTimeout = 0.2f;
            var agent = Named();
            agent.Restore(saved);
            Speak(agent, "Have you seen it?");
            Assert.That(agent.CurrentTurn!.Failure, Is.Not.Null);
            Assert.That(Lines(agent, inRuntime: false)[0], Is.EqualTo("I lost my ring."), "the next save has it");

            TownsfolkRuntime.Shutdown();
            _scene.Settings.webPort = webPort;
            Speak(agent, "Have you seen it?");
            Assert.That(Lines(agent)[0], Is.EqualTo("I lost my ring."));
        }

        [Test]
        public void AConversationSurvivesTheEndOfTheConnection()
        {
            var agent = Named();
            Speak(agent, "I lost my ring.");
            TownsfolkRuntime.Shutdown();
            Assert.That(Lines(agent, inRuntime: false), Has.Length.EqualTo(2));
            Speak(agent, "Have you seen it?");
            Assert.That(Lines(agent), Has.Length.EqualTo(4));
        }

        [Test]
        public void ASaveNeedsNoRuntime()
        {
            var agent = Named();
            Assert.That(Lines(agent, inRuntime: false), Is.Empty);
            Assert.That(TownsfolkRuntime.Exists, Is.False, "a character that nobody spoke to started a runtime");
        }

        [Test]
        public void ASaveHasTheAnswerUnderWay()
        {
            var agent = Named(tokens: SharedRuntime.Long);
            agent.Say("Tell me everything.");
            Scene.FramesUntil(() => agent.CurrentText.Length > 0);
            var until = agent.CurrentText;
            var lines = V1.SessionConfig.Parser.ParseFrom(agent.Save()).History;
            Assert.That(lines[0].Text, Is.EqualTo("Tell me everything."));
            Assert.That(lines[1].Text, Does.StartWith(until.Trim()));
            Assert.That(lines[1].Cut, Is.True);
        }

        [Test]
        public void ASaveWorksWhileTheCharacterIsDestroyed()
        {
            var agent = Named();
            Speak(agent, "I lost my ring.");
            var saver = agent.gameObject.AddComponent<SavesWhenDestroyed>();
            Object.Destroy(agent.gameObject);
            var again = Named();
            again.Restore(saver.Saved);
            Assert.That(Lines(again, inRuntime: false)[0], Is.EqualTo("I lost my ring."));
        }

        [Test]
        public void WhatIsNoSaveIsRefused()
        {
            var agent = Named();
            Speak(agent, "I lost my ring.");
            Assert.That(
                () => agent.Restore(new byte[] { 1, 2, 3 }),
                Throws.ArgumentException.With.Message.Contains("no saved conversation"));
            Assert.That(Lines(agent), Has.Length.EqualTo(2));
        }

        [Test]
        public void AnAnswerThatIsWholeIsCutToWhatWasHeard([Values] bool byTurn)
        {
            var agent = Named(tokens: 20);
            var heard = Scene.Listen(agent);
            var turn = agent.BeginTurn("Tell me everything.");
            Scene.FramesUntil(() => turn.IsDone);
            Assert.That(heard.Last(), Is.EqualTo("finished " + turn.Text));
            var shown = turn.Text.Substring(0, 5);
            if (byTurn)
            {
                turn.Interrupt(shown);
            }
            else
            {
                agent.Interrupt(shown);
            }

            Assert.That(turn.Text, Is.EqualTo(shown));
            Assert.That(turn.WasInterrupted, Is.True);
            Assert.That(agent.CurrentText, Is.EqualTo(shown));
            Scene.FramesUntil(() => Lines(agent, inRuntime: false)[1] == shown);
            Assert.That(Lines(agent)[1], Is.EqualTo(shown));
            Assert.That(heard.Last(), Does.StartWith("finished "), "no event follows");
        }

        [Test]
        public void AnInterruptAfterTheEndThatHeardAllCutsNothing()
        {
            var agent = Named(tokens: 5);
            Speak(agent, "Hello!");
            var whole = agent.CurrentText;
            agent.Interrupt(whole);
            agent.Interrupt();
            Speak(agent, "And then?");
            Assert.That(Lines(agent)[1], Is.EqualTo(whole));
        }

        [Test]
        public void OneTurnOfSeveralIsCut()
        {
            var agent = Named(tokens: 5);
            var first = agent.BeginTurn("Line 0");
            var second = agent.BeginTurn("Line 1");
            var third = agent.BeginTurn("Line 2");
            second.Interrupt();
            Scene.FramesUntil(() => !agent.IsBusy);
            Assert.That(first.WasInterrupted, Is.False);
            Assert.That(second.WasInterrupted, Is.True);
            Assert.That(third.FinishReason, Is.EqualTo(V1.FinishReason.Length));
            Assert.That(Lines(agent), Has.None.EqualTo("Line 1"));
        }

        [Test]
        public void AnEndedConversationIsForgotten()
        {
            var agent = Named();
            Speak(agent, "I lost my ring.");
            agent.EndConversation();
            Speak(agent, "Who are you?");
            Assert.That(Lines(agent)[0], Is.EqualTo("Who are you?"));
            SessionsUntil(agent.Persona!.characterName, 1);
        }

        [Test]
        public void AnotherPersonaAnswersForItself()
        {
            var agent = Named();
            Speak(agent, "I lost my ring.");
            var before = agent.Persona!;
            agent.Persona = Named().Persona;
            Speak(agent, "Who are you?");
            Assert.That(Lines(agent), Has.Length.EqualTo(2), "it was not there before");
            SessionsUntil(before.characterName, 0);
            SessionsUntil(agent.Persona!.characterName, 1);
        }

        [Test]
        public void AnEditedCharacterGoesOnWithTheSameMemories()
        {
            var agent = Named();
            Speak(agent, "I lost my ring.");
            agent.Persona!.description = "You are the king.";
            var lore = ScriptableObject.CreateInstance<LorePack>();
            lore.loreId = "memories-" + Guid.NewGuid();
            lore.text = "The ford floods in spring.";
            agent.Lore = new[] { lore };
            Speak(agent, "Who are you?");
            var saved = V1.SessionConfig.Parser.ParseFrom(agent.Save());
            Assert.That(saved.Persona.Description, Is.EqualTo("You are the king."));
            Assert.That(saved.LoreIds, Is.EqualTo(new[] { lore.loreId }));
            Assert.That(Lines(agent), Has.Length.EqualTo(4));
            SessionsUntil(agent.Persona.characterName, 1);
        }

        [Test]
        public void LoreThatWasEditedIsSentAgain()
        {
            var lore = ScriptableObject.CreateInstance<LorePack>();
            lore.loreId = "edited-" + Guid.NewGuid();
            lore.text = "The ford floods in spring.";
            var agent = Named(lore);
            Speak(agent, "Hello!");
            var before = SystemTokens(agent);
            lore.text += " In autumn it falls dry, and children look for coins between the stones.";
            Speak(agent, "Hello!");
            Assert.That(SystemTokens(agent), Is.GreaterThan(before + 5));
            Assert.That(Lines(agent), Has.Length.EqualTo(4));
        }

        [Test]
        public void TwoPacksWithOneIdAreWarnedOf()
        {
            var packs = new[] { "spring", "autumn" }.Select(season =>
            {
                var pack = ScriptableObject.CreateInstance<LorePack>();
                pack.name = season;
                pack.loreId = "ford";
                pack.text = $"The ford floods in {season}.";
                return pack;
            }).ToList();
            foreach (var pack in packs)
            {
                Speak(Named(pack), "Hello!");
            }

            Assert.That(Player.Messages, Has.Some.Contains("'spring' and 'autumn' have the same id 'ford'"));
        }

        private static NpcAgent Named(int tokens, params LorePack[] lore) =>
            Scene.Character("Mara " + Guid.NewGuid().ToString("N").Substring(0, 8), tokens, lore);

        private static NpcAgent Named(params LorePack[] lore) => Named(5, lore);

        private static void Speak(NpcAgent agent, string line)
        {
            var turn = agent.BeginTurn(line);
            Scene.FramesUntil(() => turn.IsDone);
        }

        private static byte[] SaveAfter(string line)
        {
            var agent = Named();
            Speak(agent, line);
            return agent.Save();
        }

        private static string[] Lines(NpcAgent agent, bool inRuntime = true) => inRuntime
            ? Scene.Remembered(agent).Select(line => line.Text).ToArray()
            : V1.SessionConfig.Parser.ParseFrom(agent.Save()).History.Select(line => line.Text).ToArray();

        private static int SystemTokens(NpcAgent agent)
        {
            var sessions = Task.Run(() => TownsfolkRuntime.Instance.Client.ListSessionsAsync()).Result;
            var id = sessions.Single(one => one.PersonaName == agent.Persona!.characterName).SessionId;
            using var channel = Townsfolk.Rpc.HttpTransport.GrpcWeb.Connect(SharedRuntime.Process.GetAsync().Result);
            var open = new V1.OpenSession { Config = new V1.SessionConfig { SessionId = id }, Resume = true };
            return channel.UnaryAsync(TownsfolkMethods.OpenSession, new V1.OpenSessionRequest { Open = open })
                .Result.Opened.SystemTokens;
        }

        private static void SessionsUntil(string personaName, int count) => Scene.FramesUntil(
            () => Task.Run(() => TownsfolkRuntime.Instance.Client.ListSessionsAsync()).Result
                .Count(one => one.PersonaName == personaName) == count);

        private sealed class SavesWhenDestroyed : MonoBehaviour
        {
            public byte[] Saved { get; private set; } = Array.Empty<byte>();

            public void OnDestroy() => Saved = GetComponent<NpcAgent>().Save();
        }
    }
}
