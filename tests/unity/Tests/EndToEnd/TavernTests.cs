using System.IO;
using System.Linq;
using System.Reflection;
using System.Threading.Tasks;
using NUnit.Framework;
using Townsfolk.Samples.Tavern;
using Townsfolk.Tests.Support;
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
        [Test]
        public async Task ALineIsAnsweredInTheBox()
        {
            using var scene = new Scene(await SharedRuntime.Process.GetAsync());
            var host = new GameObject("Dialogue");
            var document = host.AddComponent<UIDocument>();
            var uxml = Path.Combine(Repository.Root, "plugins", "unity", "Samples~", "Tavern", "Tavern.uxml");
            Screen.Load(document, uxml);
            var root = document.rootVisualElement;
            var characters = new[] { Scene.Character("Mara", 20), Scene.Character("Joss", 300) };
            var dialogue = host.AddComponent<TavernDialogue>();
            typeof(TavernDialogue).GetField("characters", BindingFlags.Instance | BindingFlags.NonPublic)!
                .SetValue(dialogue, characters);
            dialogue.enabled = false;
            dialogue.enabled = true;
            Assert.That(Screen.Buttons(root.Q<VisualElement>("seats")), Is.EqualTo(new[] { "Mara", "Joss" }));

            var text = root.Q<Label>("text");
            root.Q<TextField>("input").value = "Hello!";
            Screen.Press(root.Q<TextField>("input"), KeyCode.Return);
            Assert.That(text.text, Is.EqualTo("…"));
            Scene.FramesUntil(() => !characters[0].IsBusy);
            Assert.That(text.text, Has.Length.GreaterThan(3));
            Assert.That(root.Q<TextField>("input").value, Is.Empty);

            Screen.ClickText(root.Q<VisualElement>("seats"), "Joss");
            Assert.That(root.Q<Label>("name").text, Is.EqualTo("Joss"));
            root.Q<TextField>("input").value = "Tell me everything.";
            Screen.Click(root, "say");
            Scene.FramesUntil(() => characters[1].CurrentText.Length > 5);
            Screen.Click(root, "interrupt");
            Scene.FramesUntil(() => characters.All(character => !character.IsBusy));
        }
    }
}
