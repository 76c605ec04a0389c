using System.IO;
using System.Linq;
using System.Reflection;
using System.Threading.Tasks;
using NUnit.Framework;
using TMPro;
using Townsfolk.Tests.Support;
using Townsfolk.Unity;
using Townsfolk.Unity.TextMeshPro;
using UnityEngine;
using UnityEngine.Playables;
using UnityEngine.UIElements;
using UnityStubs;
using Screen = UnityStubs.Screen;

namespace Townsfolk.Tests.EndToEnd
{
    /// <summary>What follows a character's speech: dialogue box, TextMeshPro, Animator, timeline.</summary>
    [TestFixture]
    [Timeout(600000)]
    internal sealed class DialogueTests
    {
        private Scene _scene = null!;
        private VisualElement _root = null!;
        private NpcDialogueBox _box = null!;

        [SetUp]
        public async Task OpenAsync() => _scene = new Scene(await SharedRuntime.Process.GetAsync());

        [TearDown]
        public void Close() => _scene.Dispose();

        [Test]
        public void ALineIsAnsweredInTheBox()
        {
            OpenBox();
            Assert.That(IsClosed, Is.True);
            var who = Speaker(tokens: 20);
            _box.Open(who);
            Assert.That(IsClosed, Is.False);
            Assert.That(_root.Q<Label>("npc-name").text, Is.EqualTo("Mara"));
            _root.Q<TextField>("npc-input").value = "Hello!";
            Screen.Press(_root.Q<VisualElement>("npc-box"), KeyCode.Return);
            Assert.That(_root.Q<TextField>("npc-input").value, Is.Empty);
            Assert.That(Speech, Is.EqualTo("…"));
            Scene.FramesUntil(() => !who.IsBusy);
            Assert.That(Speech.Trim(), Is.EqualTo(who.Agent.CurrentText));
            Assert.That(who.Agent.CurrentTurn!.Line, Is.EqualTo("Hello!"));
        }

        [Test]
        public void AChoiceIsSaid()
        {
            OpenBox();
            var who = Speaker(tokens: 5);
            _box.Open(who);
            _box.SetChoices("A room, please.", "What is that noise?");
            var choices = _root.Q<VisualElement>("npc-choices");
            Screen.ClickText(choices, "What is that noise?");
            Assert.That(who.Agent.CurrentTurn!.Line, Is.EqualTo("What is that noise?"));
            Assert.That(Screen.Buttons(choices), Is.Empty);
            Assert.That(choices.ClassListContains(NpcDialogueBox.EmptyClass), Is.True);
        }

        [Test]
        public void AnErrorIsNotSaidInTheCharactersVoice()
        {
            OpenBox();
            var who = Speaker(tokens: 5);
            who.Agent.Sampling!.temperature = 99f;
            _box.Open(who);
            _box.Say("Hello!");
            Scene.FramesUntil(() => !who.IsBusy);
            Assert.That(Speech, Is.Empty);
            Assert.That(_root.Q<Label>("npc-problem").text, Is.EqualTo("(Mara does not answer.)"));
            Assert.That(_root.Q<Label>("npc-problem").ClassListContains(NpcDialogueBox.EmptyClass), Is.False);
        }

        [Test]
        public void WhoTurnsAwayCutsTheCharacterOff([Values(KeyCode.None, KeyCode.Escape)] KeyCode key)
        {
            OpenBox();
            var who = Speaker(tokens: SharedRuntime.Long, charactersPerSecond: 20f);
            _box.Open(who);
            _box.Say("Tell me everything.");
            Scene.FramesUntil(() => who.Typewriter.VisibleCharacters > 5);
            var read = who.Typewriter.Read;
            if (key == KeyCode.Escape)
            {
                Screen.Press(_root.Q<VisualElement>("npc-box"), key);
                Assert.That(IsClosed, Is.False, "first it only cuts her off");
                Scene.FramesUntil(() => !who.IsBusy);
                Screen.Press(_root.Q<VisualElement>("npc-box"), key);
            }
            else
            {
                _box.Close();
            }

            Assert.That(IsClosed, Is.True);
            Scene.FramesUntil(() => who.Agent.CurrentTurn!.IsDone);
            Assert.That(who.Agent.CurrentTurn!.Text, Is.EqualTo(read));
        }

        [Test]
        public void WhoIsNotSpokenToAnyMoreGoesOnUnseen()
        {
            OpenBox();
            var first = Speaker(tokens: SharedRuntime.Long);
            var second = Speaker(tokens: 5);
            _box.Open(first);
            _box.Say("Tell me everything.");
            Scene.FramesUntil(() => first.Typewriter.VisibleCharacters > 0);
            _box.Open(second);
            var shown = first.Typewriter.VisibleCharacters;
            Scene.FramesUntil(() => first.Typewriter.VisibleCharacters > shown);
            Assert.That(Speech, Is.Empty);
        }

        [Test]
        public void ADocumentOfAnotherMakeIsRefusedByName()
        {
            new GameObject("Box").AddComponent<UIDocument>().gameObject.AddComponent<NpcDialogueBox>();
            Assert.That(Player.Messages, Has.Some.Contains("npc-speech").And.Some.Contains("NpcDialogueBox.uxml"));
        }

        [Test]
        public void TextMeshProShowsCharacterByCharacter()
        {
            var who = Speaker(tokens: 5, charactersPerSecond: 60f);
            var text = new GameObject("Bubble").AddComponent<TextMeshProUGUI>();
            text.gameObject.AddComponent<NpcSpeechText>().Speech = who;
            who.Show("Out of <b>here</b>!");
            Scene.FramesUntil(() => text.maxVisibleCharacters > 2);
            Assert.That(text.maxVisibleCharacters, Is.LessThan(12));
            Assert.That(text.text, Is.EqualTo("Out of <b>here</b>!"), "laid out as a whole");
            Scene.FramesUntil(() => !who.IsBusy);
            Assert.That(text.maxVisibleCharacters, Is.EqualTo(12));
        }

        [Test]
        public void TheBodyFollowsWhatIsSaid()
        {
            var who = Speaker(tokens: 10, charactersPerSecond: 200f);
            var animator = who.gameObject.AddComponent<Animator>();
            var body = who.gameObject.AddComponent<NpcAnimator>();
            body.Animator = animator;
            Set(body, "directions", new[] { new NpcTrigger { on = "SLAMS", trigger = "Slam" } });
            who.Agent.Say("Hello!");
            Scene.FramesUntil(() => !who.IsBusy);
            Player.Frame();
            Assert.That(
                Stage.Calls(animator).Distinct(),
                Is.EqualTo(new[] { "Thinking True", "Thinking False", "Speaking True", "Speaking False" }));
            Assert.That(Stage.Calls(animator).Last(), Is.EqualTo("Speaking False"));
        }

        [Test]
        public void ATimelineWaitsForWhoSpeaks()
        {
            var who = Speaker(tokens: 5);
            var director = new GameObject("Timeline").AddComponent<PlayableDirector>();
            Stage.Play(director);
            var cue = who.gameObject.AddComponent<NpcTimelineCue>();
            cue.Director = director;
            cue.Hold();
            Assert.That(Stage.Speed(director), Is.EqualTo(1), "nobody speaks");
            cue.SayAndHold("Hello!");
            Assert.That(Stage.Speed(director), Is.Zero);
            Scene.FramesUntil(() => !cue.IsHolding);
            Assert.That(Stage.Speed(director), Is.EqualTo(1));
            Assert.That(who.Agent.CurrentTurn!.IsDone, Is.True);
            cue.ShowAndHold("Now!");
            Assert.That(Stage.Speed(director), Is.Zero);
            Object.Destroy(who.gameObject);
            Assert.That(Stage.Speed(director), Is.EqualTo(1), "nobody is left to wait for");
        }

        private string Speech => _root.Q<Label>("npc-speech").text;

        private bool IsClosed => _root.Q<VisualElement>("npc-box").ClassListContains(NpcDialogueBox.ClosedClass);

        private static NpcSpeech Speaker(int tokens, float charactersPerSecond = 500f)
        {
            var speech = Scene.Character(tokens: tokens).gameObject.AddComponent<NpcSpeech>();
            Set(speech, "charactersPerSecond", charactersPerSecond);
            Set(speech, "sentencePause", 0f);
            return speech;
        }

        private static void Set(object component, string field, object value) => component.GetType()
            .GetField(field, BindingFlags.Instance | BindingFlags.NonPublic)!.SetValue(component, value);

        private void OpenBox()
        {
            var document = new GameObject("Box").AddComponent<UIDocument>();
            Screen.Load(document, Path.Combine(
                Repository.Root, "plugins", "unity", "Runtime", "Unity", "Speech", "NpcDialogueBox.uxml"));
            _root = document.rootVisualElement;
            _box = document.gameObject.AddComponent<NpcDialogueBox>();
        }
    }
}
