using System.Collections.Generic;
using System.Linq;
using System.Reflection;
using System.Threading.Tasks;
using NUnit.Framework;
using Townsfolk.Unity;
using UnityStubs;

namespace Townsfolk.Tests.EndToEnd
{
    /// <summary>What a character says is typed line after line, and what was read is what it remembers.</summary>
    [TestFixture]
    [Timeout(600000)]
    internal sealed class SpeechTests
    {
        private Scene _scene = null!;
        private NpcSpeech _speech = null!;

        [SetUp]
        public async Task OpenAsync() => _scene = new Scene(await SharedRuntime.Process.GetAsync());

        [TearDown]
        public void Close() => _scene.Dispose();

        [Test]
        public void AnAnswerIsTypedToItsEnd()
        {
            Open(tokens: 20, charactersPerSecond: 300f);
            var lengths = new List<int>();
            var ends = 0;
            _speech.Changed += () => lengths.Add(_speech.Typewriter.VisibleCharacters);
            _speech.LineEnded += () => ends++;
            _speech.Agent.Say("Hello!");
            Assert.That(_speech.IsThinking, Is.True);
            Scene.FramesUntil(() => !_speech.IsBusy);
            Assert.That(_speech.Typewriter.Shown.Trim(), Is.EqualTo(_speech.Agent.CurrentText));
            Assert.That(lengths, Is.Ordered);
            Assert.That(lengths.Distinct().Count(), Is.GreaterThan(3), "bit by bit");
            Assert.That(ends, Is.EqualTo(1));
        }

        [Test]
        public void TheNextLineWaitsUntilThisOneIsRead()
        {
            Open(tokens: 10, charactersPerSecond: 100f);
            var ended = new List<string>();
            _speech.LineEnded += () => ended.Add(_speech.Typewriter.Shown.Trim());
            var turns = new[] { _speech.Agent.BeginTurn("Line 0"), _speech.Agent.BeginTurn("Line 1") };
            _speech.Show("The door <b>opens</b>.");
            Scene.FramesUntil(() => !_speech.IsBusy);
            // The second line was still to be thought about when the door opened.
            Assert.That(ended, Is.EqualTo(new[] { turns[0].Text, "The door <b>opens</b>.", turns[1].Text }));
        }

        [Test]
        public void WhatWasReadOfAWholeAnswerIsRemembered()
        {
            Open(tokens: 30, charactersPerSecond: 20f);
            _speech.Agent.Say("Tell me everything.");
            Scene.FramesUntil(() => !_speech.Agent.IsBusy, seconds: 0f);
            Scene.FramesUntil(() => _speech.Typewriter.VisibleCharacters > 5);
            var read = _speech.Typewriter.Read;
            Assert.That(read.Length, Is.LessThan(_speech.Agent.CurrentText.Length));
            _speech.Interrupt();
            Assert.That(_speech.IsBusy, Is.False);
            Assert.That(_speech.Typewriter.Shown, Is.EqualTo(read));
            Scene.FramesUntil(() => Lines()[1] == read);
            Assert.That(Scene.Remembered(_speech.Agent)[1].Text, Is.EqualTo(read));
        }

        [Test]
        public void AnAnswerOfWhichNothingWasReadIsNotRemembered()
        {
            Open(tokens: 30, charactersPerSecond: 20f);
            var first = _speech.Agent.BeginTurn("Line 0");
            Scene.FramesUntil(() => first.IsDone, seconds: 0f);
            Scene.FramesUntil(() => _speech.Typewriter.VisibleCharacters > 2);
            var second = _speech.Agent.BeginTurn("Line 1");
            Scene.FramesUntil(() => second.Text.Length > 0, seconds: 0f);
            var read = _speech.Typewriter.Read;
            _speech.Interrupt();
            Scene.FramesUntil(() => second.IsDone && Lines()[1] == read);
            Assert.That(first.Text, Is.EqualTo(read));
            Assert.That(second.Text, Is.Empty);
        }

        [Test]
        public void WhatTheGameCutsIsNotShown()
        {
            Open(tokens: SharedRuntime.Long, charactersPerSecond: 20f);
            var turn = _speech.Agent.BeginTurn("Tell me everything.");
            Scene.FramesUntil(() => _speech.Typewriter.VisibleCharacters > 5);
            var heard = _speech.Typewriter.Read.Substring(0, 3);
            turn.Interrupt(heard);
            Scene.FramesUntil(() => !_speech.IsBusy);
            Assert.That(_speech.Typewriter.Shown, Is.EqualTo(heard));
        }

        [Test]
        public void WhatTheGameCutsOfAWholeAnswerIsNotShown()
        {
            Open(tokens: 30, charactersPerSecond: 20f);
            var turn = _speech.Agent.BeginTurn("Tell me everything.");
            Scene.FramesUntil(() => turn.IsDone, seconds: 0f);
            Scene.FramesUntil(() => _speech.Typewriter.VisibleCharacters > 5);
            var heard = _speech.Typewriter.Read.Substring(0, 3);
            turn.Interrupt(heard);
            Scene.FramesUntil(() => !_speech.IsBusy);
            Assert.That(_speech.Typewriter.Shown, Is.EqualTo(heard));
        }

        [Test]
        public void AllCanBeShownAtOnce()
        {
            Open(tokens: 20, charactersPerSecond: 1f);
            _speech.Agent.Say("Hello!");
            Scene.FramesUntil(() => !_speech.Agent.IsBusy && _speech.IsSpeaking);
            var from = Player.Time;
            _speech.Skip();
            Scene.FramesUntil(() => !_speech.IsBusy);
            Assert.That(_speech.Typewriter.Shown.Trim(), Is.EqualTo(_speech.Agent.CurrentText));
            Assert.That(Player.Time - from, Is.LessThan(1f), "a character a second");
        }

        [Test]
        public void AFailureIsNoSpeech()
        {
            Open(tokens: 5, charactersPerSecond: 0f);
            _speech.Agent.Sampling!.temperature = 99f;
            _speech.Agent.Say("Hello!");
            Scene.FramesUntil(() => !_speech.IsBusy);
            Assert.That(_speech.Failure!.Message, Does.Contain("temperature"));
            Assert.That(_speech.Typewriter.Shown, Is.Empty);
            _speech.Agent.Sampling.temperature = 1f;
            _speech.Agent.Say("Hello!");
            Scene.FramesUntil(() => !_speech.IsBusy);
            Assert.That(_speech.Failure, Is.Null);
            Assert.That(_speech.Typewriter.Shown, Is.Not.Empty);
        }

        [Test]
        public void AFallbackLineIsTyped()
        {
            Open(tokens: 5, charactersPerSecond: 200f);
            _speech.Agent.Sampling!.temperature = 99f;
            _speech.Agent.FallbackLines = new[] { "Hm? Speak up." };
            _speech.Agent.Say("Hello!");
            Scene.FramesUntil(() => !_speech.IsBusy);
            Assert.That(_speech.Typewriter.Shown, Is.EqualTo("Hm? Speak up."));
            Assert.That(_speech.Failure, Is.Null);
        }

        [Test]
        public void WhatTheGamePausesIsNotTyped()
        {
            Open(tokens: 5, charactersPerSecond: 60f);
            _speech.FollowsTimeScale = true;
            _speech.Show("The door opens.");
            Player.Frame();
            Player.Frame();
            var shown = _speech.Typewriter.VisibleCharacters;
            Player.TimeScale = 0f;
            for (var i = 0; i < 30; i++)
            {
                Player.Frame();
            }

            Assert.That(_speech.Typewriter.VisibleCharacters, Is.EqualTo(shown));
            Player.TimeScale = 1f;
            Scene.FramesUntil(() => !_speech.IsBusy);
        }

        [Test]
        public void WhoIsDisabledRemembersWhatWasRead()
        {
            Open(tokens: 30, charactersPerSecond: 20f);
            _speech.Agent.Say("Tell me everything.");
            Scene.FramesUntil(() => !_speech.Agent.IsBusy, seconds: 0f);
            Scene.FramesUntil(() => _speech.Typewriter.VisibleCharacters > 5);
            var read = _speech.Typewriter.Read;
            _speech.enabled = false;
            Scene.FramesUntil(() => Lines()[1] == read);
        }

        private void Open(int tokens, float charactersPerSecond)
        {
            var agent = Scene.Character(tokens: tokens);
            _speech = agent.gameObject.AddComponent<NpcSpeech>();
            typeof(NpcSpeech).GetField("charactersPerSecond", BindingFlags.Instance | BindingFlags.NonPublic)!
                .SetValue(_speech, charactersPerSecond);
        }

        private string[] Lines() => V1.SessionConfig.Parser.ParseFrom(_speech.Agent.Save()).History
            .Select(line => line.Text).ToArray();
    }
}
