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
    /// <summary>The sample's room with its own .uxml, and the real runtime.</summary>
    [TestFixture]
    [Timeout(600000)]
    internal sealed class TavernTests
    {
        private Scene _scene = null!;
        private VisualElement _root = null!;
        private NpcSpeech[] _guests = null!;
        private TavernTalk _talk = null!;

        [SetUp]
        public async Task OpenAsync() => _scene = new Scene(await SharedRuntime.Process.GetAsync());

        [TearDown]
        public void Close() => _scene.Dispose();

        [Test]
        public void ALineIsAnsweredInTheBoxAndAboveTheHead()
        {
            Open(tokens: 20);
            Assert.That(Screen.Buttons(Bubbles), Is.EqualTo(new[] { "Mara", "Joss", "Oda", "Tam" }));
            Screen.ClickText(Bubbles, "Joss");
            Assert.That(_root.Q<Label>("npc-name").text, Is.EqualTo("Joss"));
            _root.Q<TextField>("npc-input").value = "Hello!";
            Screen.Click(_root, "npc-say");
            Player.Frame();
            // Unless this thread had to wait for so long that the answer came first.
            Assert.That(Bubble(1).text == "…" || !_guests[1].IsThinking, Is.True);
            Scene.FramesUntil(() => !_guests[1].IsBusy);
            Player.Frame();
            Assert.That(_root.Q<Label>("npc-speech").text.Trim(), Is.EqualTo(_guests[1].Agent.CurrentText));
            Assert.That(Bubble(1).text, Is.Not.Empty);
            Assert.That(_guests[1].Agent.CurrentText, Does.EndWith(Bubble(1).text.TrimStart('…').Trim()));
            Assert.That(Bubble(0).text, Is.Empty);
        }

        [Test]
        public void AllSpeakAtOnce()
        {
            Open(tokens: 60);
            _root.Q<TextField>("all").value = "Hello, everybody!";
            Screen.Click(_root, "everybody");
            Scene.FramesUntil(() => _guests.All(guest => guest.IsSpeaking));
            Player.Frame();
            Assert.That(Enumerable.Range(0, 4).Select(i => Bubble(i).text), Is.All.Not.Empty);
        }

        [Test]
        public void GuestsTalkInPairsAndAnswerEachOther()
        {
            Open(tokens: 5, pairs: 2);
            Scene.FramesUntil(() => _talk.Talks == 2);
            Assert.That(_guests.Select(guest => guest.Agent.PlayerName), Does.Contain("Joss").And.Contain("Oda"));
            var first = _guests[0].Agent.CurrentTurn!;
            Scene.FramesUntil(() => _guests[1].Agent.CurrentTurn is { } answer && answer.Line == first.Text);
            Scene.FramesUntil(() => Lines(_guests[1]).Length > 0);
            var heard = V1.SessionConfig.Parser.ParseFrom(_guests[1].Agent.Save()).History[0];
            Assert.That(heard.Speaker, Is.EqualTo("Mara"));
        }

        [Test]
        public void WhoIsSpokenToLeavesTheTalk()
        {
            Open(tokens: SharedRuntime.Long, pairs: 1);
            Scene.FramesUntil(() => _guests[0].Typewriter.VisibleCharacters > 5);
            var turn = _guests[0].Agent.CurrentTurn!;
            var read = _guests[0].Typewriter.Read;
            Screen.ClickText(Bubbles, "Mara");
            Assert.That(_talk.Talks, Is.Zero);
            Assert.That(_guests[0].Agent.PlayerName, Is.EqualTo("Player"));
            Scene.FramesUntil(() => turn.IsDone);
            Assert.That(turn.Text, Is.EqualTo(read), "what was read is what she remembers");
            for (var i = 0; i < 60; i++)
            {
                Player.Frame();
            }

            Assert.That(_guests[0].IsBusy, Is.False, "she listens to the player");
        }

        [Test]
        public void ATalkEndsWhenSomebodyDoesNotAnswer()
        {
            Open(tokens: 5, pairs: 1);
            foreach (var guest in _guests)
            {
                guest.Agent.Sampling!.temperature = 99f;
            }

            Scene.FramesUntil(() => _guests[0].Failure != null);
            Scene.FramesUntil(() => _talk.Talks == 0);
            Assert.That(Bubble(0).text, Is.EqualTo("(does not answer)"));
        }

        [Test]
        public void WhoIsTurnedToSpeaksFirstOnce()
        {
            Open(tokens: 5, greets: true);
            Screen.ClickText(Bubbles, "Oda");
            Scene.FramesUntil(() => !_guests[2].IsBusy);
            Assert.That(Lines(_guests[2]), Is.EqualTo(new[] { _guests[2].Agent.CurrentText }));
            Screen.ClickText(Bubbles, "Mara");
            Screen.ClickText(Bubbles, "Oda");
            Assert.That(_guests[2].IsBusy, Is.False);
        }

        [Test]
        public void BubblesHangAboveTheHeads()
        {
            Open(tokens: 5);
            Player.Frame();
            var places = Bubbles.Q<VisualElement>("bubbles");
            Assert.That(
                Screen.All<VisualElement>(places).Where(one => one.ClassListContains("bubble")).Select(Screen.Left),
                Is.EqualTo(new[] { 0f, 200f, 400f, 600f }));
        }

        [Test]
        public void TheRoomIsBuilt()
        {
            var before = Stage.Primitives.Count;
            new GameObject("Room").AddComponent<TavernRoom>();
            var things = Stage.Primitives.Skip(before).Where(thing => thing).ToList();
            Assert.That(things, Has.Count.GreaterThan(30));
            var paints = things.Select(thing => thing.GetComponent<Renderer>().sharedMaterial).Distinct().ToList();
            Assert.That(paints.Select(paint => paint.name), Is.Unique.And.All.Not.Empty, "things share their paint");
            Assert.That(paints.Where(paint => paint.mainTexture != null).ToList(), Has.Count.GreaterThan(3));
            Player.Frame();
        }

        private VisualElement Bubbles => _root.Q<VisualElement>("bubbles");

        private Label Bubble(int guest) => Screen.All<Label>(Bubbles).ElementAt(guest);

        private void Open(int tokens, int pairs = 0, bool greets = false)
        {
            var names = new[] { "Mara", "Joss", "Oda", "Tam" };
            _guests = names.Select((name, i) =>
            {
                var guest = Scene.Character(name, tokens).gameObject;
                guest.transform.position = new Vector3(2f * i, 0f, 0f);
                var speech = guest.AddComponent<NpcSpeech>();
                Set(speech, "charactersPerSecond", tokens > 100 ? 20f : 200f);
                Set(speech, "linePause", 0f);
                guest.AddComponent<TavernBody>();
                return speech;
            }).ToArray();
            _talk = new GameObject("Talk").AddComponent<TavernTalk>();
            Set(_talk, "guests", _guests);
            Set(_talk, "pairs", pairs);
            var document = new GameObject("Dialogue").AddComponent<UIDocument>();
            Screen.Load(
                document, Path.Combine(Repository.Root, "plugins", "unity", "Samples~", "Tavern", "Tavern.uxml"));
            _root = document.rootVisualElement;
            document.gameObject.AddComponent<NpcDialogueBox>();
            var dialogue = document.gameObject.AddComponent<TavernDialogue>();
            Set(dialogue, "characters", _guests);
            Set(dialogue, "talk", _talk);
            Set(dialogue, "greets", greets);
            Set(dialogue, "view", new GameObject("Camera").AddComponent<Camera>());
            Player.Frame();
        }

        private static string[] Lines(NpcSpeech guest) => V1.SessionConfig.Parser.ParseFrom(guest.Agent.Save()).History
            .Select(line => line.Text).ToArray();

        private static void Set(object component, string field, object value) => component.GetType()
            .GetField(field, BindingFlags.Instance | BindingFlags.NonPublic)!.SetValue(component, value);
    }
}
