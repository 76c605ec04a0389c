using System.IO;
using System.Linq;
using System.Reflection;
using System.Threading.Tasks;
using NUnit.Framework;
using Townsfolk.Samples.Tavern;
using Townsfolk.Tests.Support;
using Townsfolk.Unity;
using UnityEngine;
using UnityEngine.UIElements;
using UnityStubs;
using Screen = UnityStubs.Screen;

namespace Townsfolk.Tests.EndToEnd
{
    /// <summary>The sample's dialogue box with its own .uxml, and the real runtime.</summary>
    [TestFixture]
    [Timeout(60000)]
    internal sealed class TavernTests
    {
        private Scene _scene = null!;
        private VisualElement _root = null!;
        private NpcAgent[] _characters = null!;

        [SetUp]
        public async Task OpenAsync() => _scene = new Scene(await SharedRuntime.Process.GetAsync());

        [TearDown]
        public void Close() => _scene.Dispose();

        [Test]
        public void ALineIsAnsweredAtTheSeat()
        {
            Open(tokens: 20);
            Assert.That(Screen.Buttons(_root.Q<VisualElement>("seats")), Is.EqualTo(new[] { "Mara", "Joss" }));
            Type("Hello!");
            Screen.Press(_root.Q<TextField>("input"), KeyCode.Return);
            Assert.That(Speech(0), Is.EqualTo("…"));
            Assert.That(_root.Q<TextField>("input").value, Is.Empty);
            Scene.FramesUntil(() => !_characters[0].IsBusy && Speech(0).Trim() == _characters[0].CurrentText);
            Assert.That(Speech(1), Is.Empty);
        }

        [Test]
        public void TwoSpeakAtOnce()
        {
            Open(tokens: 300);
            Type("Tell me everything.");
            Screen.Click(_root, "say");
            Scene.FramesUntil(() => Speech(0).Length > 5);
            Screen.ClickText(_root.Q<VisualElement>("seats"), "Joss");
            Assert.That(_root.Q<Label>("name").text, Is.EqualTo("Joss"));
            Type("And you?");
            Screen.Click(_root, "say");
            Scene.FramesUntil(() => Speech(1).Length > 5);
            Assert.That(_characters.All(character => character.IsBusy), Is.True);
        }

        [Test]
        public void ALineCanBeSaidToAll()
        {
            Open(tokens: 5);
            Type("Hello, everybody!");
            Screen.Click(_root, "everybody");
            Scene.FramesUntil(() => _characters.All(character => character.CurrentTurn is { IsDone: true }));
        }

        [TestCase(300, false)]
        [TestCase(30, true)]
        public void WhatWasReadIsRemembered(int tokens, bool whole)
        {
            Open(tokens, lettersPerSecond: 20f);
            Type("Tell me everything.");
            Screen.Click(_root, "say");
            Scene.FramesUntil(() => Speech(0).Length > 5 && (!whole || !_characters[0].IsBusy));
            var read = Speech(0);
            Screen.Click(_root, "interrupt");
            Scene.FramesUntil(() => !_characters[0].IsBusy && _characters[0].CurrentText == read);
            for (var i = 0; i < 10; i++)
            {
                Player.Frame();
            }

            Assert.That(Speech(0), Is.EqualTo(read), "nothing more is shown");
            Scene.FramesUntil(() => Saved()[1] == read);
            Assert.That(Scene.Remembered(_characters[0])[1].Text, Is.EqualTo(read));
        }

        [Test]
        public void WhoFailsDoesNotThinkForEver()
        {
            Open(tokens: 5);
            _characters[0].Sampling!.temperature = 99f;
            Type("Hello!");
            Screen.Click(_root, "say");
            Scene.FramesUntil(() => !_characters[0].IsBusy);
            Assert.That(Speech(0), Is.EqualTo("(does not answer)"));
        }

        private void Open(int tokens, float lettersPerSecond = 1000f)
        {
            var host = new GameObject("Dialogue");
            var document = host.AddComponent<UIDocument>();
            var uxml = Path.Combine(Repository.Root, "plugins", "unity", "Samples~", "Tavern", "Tavern.uxml");
            Screen.Load(document, uxml);
            _root = document.rootVisualElement;
            _characters = new[] { Scene.Character("Mara", tokens), Scene.Character("Joss", tokens) };
            var dialogue = host.AddComponent<TavernDialogue>();
            Set(dialogue, "characters", _characters);
            Set(dialogue, "lettersPerSecond", lettersPerSecond);
            dialogue.enabled = false;
            dialogue.enabled = true;
        }

        private static void Set(TavernDialogue dialogue, string field, object value) => typeof(TavernDialogue)
            .GetField(field, BindingFlags.Instance | BindingFlags.NonPublic)!.SetValue(dialogue, value);

        private string Speech(int seat) =>
            Screen.All<Label>(_root.Q<VisualElement>("seats")).ElementAt(seat).text;

        private string[] Saved() => V1.SessionConfig.Parser.ParseFrom(_characters[0].Save()).History
            .Select(line => line.Text).ToArray();

        private void Type(string line) => _root.Q<TextField>("input").value = line;
    }
}
