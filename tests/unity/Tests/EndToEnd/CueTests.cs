using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading.Tasks;
using NUnit.Framework;
using Townsfolk.Rpc;
using Townsfolk.Unity;
using Townsfolk.V1;
using UnityStubs;
using Object = UnityEngine.Object;

namespace Townsfolk.Tests.EndToEnd
{
    /// <summary>Characters speak first, answer events, remember a script's lines, wait, and are saved at once.</summary>
    [TestFixture]
    [Timeout(600000)]
    internal sealed class CueTests
    {
        private Scene _scene = null!;

        [SetUp]
        public async Task OpenAsync() => _scene = new Scene(await SharedRuntime.Process.GetAsync());

        [TearDown]
        public void Close() => _scene.Dispose();

        [Test]
        public void ACharacterSpeaksFirst()
        {
            var agent = Named();
            var turn = agent.Greet();
            Scene.FramesUntil(() => turn.IsDone);
            Assert.That(Scene.Remembered(agent).Single().Kind, Is.EqualTo(EntryKind.Spoke));
            Assert.That(Lines(agent), Is.EqualTo(new[] { turn.Text }));
        }

        [Test]
        public void ACharacterAnswersAnEvent()
        {
            var agent = Named();
            var turn = agent.React("The door flies open.");
            Scene.FramesUntil(() => turn.IsDone);
            var lines = Scene.Remembered(agent);
            Assert.That(lines.Select(line => line.Kind), Is.EqualTo(new[] { EntryKind.Event, EntryKind.Spoke }));
            Assert.That(lines[0].Text, Is.EqualTo("The door flies open."));
            Assert.That(lines[0].TurnId, Is.EqualTo(turn.Id));
        }

        [Test]
        public void ACharacterRemembersWhatTheScriptHadItSay()
        {
            var agent = Named();
            agent.Record(NpcLine.Heard("Who goes there?", "Guard"), NpcLine.Spoken("Only me."), NpcLine.Happened("It rains."));
            var turn = agent.BeginTurn("Hello!");
            Scene.FramesUntil(() => turn.IsDone);
            Assert.That(
                Scene.Remembered(agent).Take(4).Select(line => (line.Speaker, line.Text)),
                Is.EqualTo(new[]
                {
                    ("Guard", "Who goes there?"), (agent.Persona!.characterName, "Only me."), (string.Empty, "It rains."),
                    ("Player", "Hello!"),
                }));
        }

        [Test]
        public void ALineThatCanNotBeRecordedIsLogged()
        {
            var agent = Named();
            agent.Record(NpcLine.Spoken(string.Empty));
            Scene.FramesUntil(() => Player.Messages.Any(line => line.Contains("a line of the script did not reach")));
        }

        [Test]
        public void ATurnHasOptionsOfItsOwn()
        {
            var agent = Named(tokens: 40);
            var few = UnityEngine.ScriptableObject.CreateInstance<SamplingPreset>();
            few.maxNewTokens = 3;
            var turn = agent.BeginTurn("Hello!", new NpcTurnOptions { Sampling = few, Speaker = "Joss" });
            Scene.FramesUntil(() => turn.IsDone);
            Assert.That(turn.FinishReason, Is.EqualTo(FinishReason.Length));
            Assert.That(Scene.Remembered(agent)[0].Speaker, Is.EqualTo("Joss"));
            var next = agent.BeginTurn("And then?");
            Scene.FramesUntil(() => next.IsDone);
            Assert.That(next.Text.Length, Is.GreaterThan(turn.Text.Length));
            Assert.That(Scene.Remembered(agent)[2].Speaker, Is.EqualTo("Player"));
            var late = agent.BeginTurn("Go on.", new NpcTurnOptions { DeadlineMs = 1 });
            Scene.FramesUntil(() => late.IsDone);
            Assert.That(
                late.FinishReason == FinishReason.Deadline || late.Failure is DeadlineExceededException, Is.True);
        }

        [Test]
        public void WhoIsBusyAnswersLater()
        {
            var agent = Named();
            var heard = Scene.Listen(agent);
            var busy = agent.KeepBusy();
            var again = agent.KeepBusy();
            var turn = agent.BeginTurn("Hello!");
            agent.Record(NpcLine.Spoken("Halt! In the name of the king!"));
            Scene.FramesUntil(() => Lines(agent).Length == 1);
            busy.Dispose();
            busy.Dispose();
            Player.Frame();
            Assert.That(heard, Is.Empty, "another one keeps her busy still");
            again.Dispose();
            Assert.That(heard, Is.EqualTo(new[] { "thinking" }));
            Scene.FramesUntil(() => turn.IsDone);
            Assert.That(
                Lines(agent), Is.EqualTo(new[] { "Halt! In the name of the king!", "Hello!", turn.Text }));
        }

        [Test]
        public void WhatWaitsIsCutOffAtOnce()
        {
            var agent = Named();
            using var busy = agent.KeepBusy();
            var turn = agent.BeginTurn("Hello!");
            turn.Interrupt();
            Scene.FramesUntil(() => turn.IsDone);
            Assert.That(turn.WasInterrupted, Is.True);
            Assert.That(Lines(agent), Is.Empty);
        }

        [Test]
        public void SentencesSayWhereTheyStand()
        {
            var agent = Named(tokens: 40);
            var sentences = new List<NpcEvent>();
            agent.SentenceCompleted += sentences.Add;
            var turn = agent.BeginTurn("Tell me everything.");
            Scene.FramesUntil(() => turn.IsDone);
            Assert.That(sentences, Is.Not.Empty);
            Assert.That(sentences.Select(one => one.TurnId), Is.All.EqualTo(turn.Id));
            Assert.That(
                sentences.Select(one => turn.Text.Substring(one.Offset, one.Length)), Is.EqualTo(sentences.Select(one => one.Text)));
        }

        [Test]
        public void AllAreSavedAndRestoredAtOnce()
        {
            var agents = new[] { Named(), Named() };
            var turns = agents.Select((agent, i) => agent.BeginTurn($"I am number {i}.")).ToArray();
            Scene.FramesUntil(() => turns.All(turn => turn.IsDone));
            var saved = TownsfolkRuntime.Cast.Save();
            var later = agents[0].BeginTurn("This never happened.");
            Scene.FramesUntil(() => later.IsDone);
            Object.Destroy(agents[1].gameObject);
            TownsfolkRuntime.Cast.Restore(saved);
            Assert.That(Lines(agents[0]), Is.EqualTo(new[] { "I am number 0.", turns[0].Text }));
            Assert.That(TownsfolkRuntime.Cast.Save(), Is.EqualTo(saved), "who is not there is not lost");

            var back = Named();
            back.Persona = agents[1].Persona;
            var next = back.BeginTurn("Do you remember?");
            Scene.FramesUntil(() => next.IsDone);
            Assert.That(Lines(back).Take(2), Is.EqualTo(new[] { "I am number 1.", turns[1].Text }));
            Scene.Remembered(back);
        }

        [Test]
        public void WhoHasASaveKeyIsRememberedWhileItsSceneIsAway()
        {
            var agent = Named();
            agent.SaveKey = "innkeeper-" + Guid.NewGuid();
            var turn = agent.BeginTurn("I lost my ring.");
            Scene.FramesUntil(() => turn.IsDone);
            Object.Destroy(agent.gameObject);
            var saved = SavedGame.Parser.ParseFrom(TownsfolkRuntime.Cast.Save());
            Assert.That(saved.Characters[agent.SaveKey].History[0].Text, Is.EqualTo("I lost my ring."));
            var back = Named();
            back.SaveKey = agent.SaveKey;
            Assert.That(Lines(back)[0], Is.EqualTo("I lost my ring."));
        }

        [Test]
        public void TwoOfOneKeyAreNotSaved()
        {
            var agents = new[] { Named(), Named() };
            agents[1].SaveKey = agents[0].SaveKey;
            Assert.That(
                () => TownsfolkRuntime.Cast.Save(),
                Throws.InvalidOperationException.With.Message.Contains("Save Key").And.Message.Contains(agents[0].SaveKey));
        }

        [Test]
        public void WhatIsNoSavedGameIsRefused()
        {
            var agent = Named();
            var turn = agent.BeginTurn("I lost my ring.");
            Scene.FramesUntil(() => turn.IsDone);
            Assert.That(() => TownsfolkRuntime.Cast.Restore(new byte[] { 1, 2, 3 }), Throws.ArgumentException);
            Assert.That(Lines(agent), Has.Length.EqualTo(2));
        }

        private static NpcAgent Named(int tokens = 5) =>
            Scene.Character("Mara " + Guid.NewGuid().ToString("N").Substring(0, 8), tokens);

        private static string[] Lines(NpcAgent agent) =>
            SessionConfig.Parser.ParseFrom(agent.Save()).History.Select(line => line.Text).ToArray();
    }
}
