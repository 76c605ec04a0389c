using System;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using Townsfolk.Editor;
using Townsfolk.Tests.Support;
using Townsfolk.Unity;
using UnityEditor;
using UnityEngine;
using UnityStubs;

namespace Townsfolk.Tests.EndToEnd
{
    /// <summary>Inspectors, windows, settings and build checks, with the real runtime behind them.</summary>
    [TestFixture]
    [Timeout(600000)]
    internal sealed class EditorTests
    {
        private Scene _scene = null!;

        [SetUp]
        public async Task OpenAsync()
        {
            _scene = new Scene(await SharedRuntime.Process.GetAsync());
            Player.Resources[TownsfolkSettings.ResourceName] = _scene.Settings;
            Player.IsPlaying = false;
        }

        [TearDown]
        public void Close()
        {
            Player.IsPlaying = true;
            EditorRuntime.Shutdown();
            EditorPlayer.Windows.Clear();
            Player.Resources.Clear();
            EditorPlayer.Assets.Clear();
            _scene.Dispose();
        }

        [TestCase("Townsfolk.Editor.NpcAgentEditor")]
        [TestCase("Townsfolk.Editor.NpcPersonaEditor")]
        public void TheTestChatTalks(string inspector)
        {
            var agent = Scene.Character(tokens: 10);
            var gui = EditorPlayer.Inspect(
                typeof(EditorRuntime).Assembly,
                inspector,
                inspector.EndsWith("AgentEditor", StringComparison.Ordinal) ? agent : (UnityEngine.Object)agent.Persona!);
            Assert.That(EditorPlayer.Draw(gui, press: "Say", type: "Hello!"), Does.Contain("[Say]"));
            Until(() => EditorPlayer.Draw(gui).Contains("[Say]"));
            var drawn = EditorPlayer.Draw(gui);
            Assert.That(drawn, Does.Contain("You: Hello!"));
            Assert.That(drawn.Single(line => line.StartsWith("Mara: ", StringComparison.Ordinal)), Has.Length.GreaterThan(8));

            EditorPlayer.Draw(gui, press: "Start over");
            Assert.That(EditorPlayer.Draw(gui), Does.Not.Contain("You: Hello!"));
            EditorPlayer.Close(gui);
        }

        [Test]
        public void AnAgentWithoutAPersonaIsTold()
        {
            var agent = new GameObject("Nobody").AddComponent<NpcAgent>();
            var gui = EditorPlayer.Inspect(
                typeof(EditorRuntime).Assembly, "Townsfolk.Editor.NpcAgentEditor", agent);
            Assert.That(EditorPlayer.Draw(gui), Has.Some.StartsWith("Warning: This agent has no persona"));
            EditorPlayer.Close(gui);
        }

        [Test]
        public void SeveralCharactersAreEditedAtOnce()
        {
            var agents = new[] { Scene.Character("Mara"), Scene.Character("Joss") };
            foreach (var (inspector, selected) in new[]
            {
                ("Townsfolk.Editor.NpcAgentEditor", agents.Cast<UnityEngine.Object>().ToArray()),
                ("Townsfolk.Editor.NpcPersonaEditor", agents.Select(one => (UnityEngine.Object)one.Persona!).ToArray()),
            })
            {
                var gui = EditorPlayer.Inspect(typeof(EditorRuntime).Assembly, inspector, selected);
                Assert.That(EditorPlayer.Draw(gui), Is.Empty, "whose chat would it be?");
                EditorPlayer.Close(gui);
            }
        }

        [Test]
        public void TheTestChatFollowsTheEditedCharacter()
        {
            var agent = Scene.Character("Mara " + Guid.NewGuid().ToString("N").Substring(0, 8), tokens: 5);
            var gui = EditorPlayer.Inspect(typeof(EditorRuntime).Assembly, "Townsfolk.Editor.NpcAgentEditor", agent);
            SayIn(gui, "Hello!");
            agent.Persona!.description = "You are the king.";
            SayIn(gui, "Who are you?");
            var session = Scene.Sessions(agent.name).Single();
            Assert.That(session.Persona.Description, Is.EqualTo("You are the king."));
            Assert.That(session.History, Has.Count.EqualTo(4));

            agent.Persona = Scene.Character("Joss").Persona;
            Assert.That(EditorPlayer.Draw(gui), Has.None.StartsWith("You: "), "it is another one's chat");
            EditorPlayer.Close(gui);
        }

        [Test]
        public void AChatThatIsForgottenLeavesNothingInTheNextOne()
        {
            var agent = Scene.Character(tokens: SharedRuntime.Long);
            var gui = EditorPlayer.Inspect(typeof(EditorRuntime).Assembly, "Townsfolk.Editor.NpcAgentEditor", agent);
            EditorPlayer.Draw(gui, press: "Say", type: "Tell me everything.");
            Until(() => EditorPlayer.Draw(gui).Any(line => line.StartsWith("Mara: ", StringComparison.Ordinal) && line.Length > 10));
            EditorPlayer.Draw(gui, press: "Start over");
            agent.Sampling!.maxNewTokens = agent.Sampling.minNewTokens = 5;
            SayIn(gui, "Hello!");
            Assert.That(EditorPlayer.Draw(gui), Has.None.Contains("—"));
            EditorPlayer.Close(gui);
        }

        [Test]
        public void InPlayModeTheChatUsesTheGamesRuntime()
        {
            Assert.That(EditorRuntime.Client, Is.Not.Null);
            Assert.That(TownsfolkRuntime.Exists, Is.False);
            Player.IsPlaying = true;
            Assert.That(EditorRuntime.Client, Is.SameAs(TownsfolkRuntime.Instance.Client));
        }

        [Test]
        public void CorrectedSettingsTakeEffect()
        {
            _scene.Settings.launchRuntime = true;
            _scene.Settings.command = "no-such-townsfolk";
            var window = OpenWindow();
            EditorPlayer.Draw(window, press: "Start");
            Until(() => EditorPlayer.Draw(window).Any(line => line.StartsWith("Error: ", StringComparison.Ordinal)));
            Assert.That(EditorPlayer.Draw(window), Has.Some.Contains("no-such-townsfolk"));

            _scene.Settings.launchRuntime = false;
            EditorPlayer.Draw(window, press: "Start");
            Until(() => EditorPlayer.Draw(window).Any(line => line.StartsWith("Device: ", StringComparison.Ordinal)));
        }

        [Test]
        public void TheWindowPaintsWhatItLaidOut()
        {
            var window = OpenWindow();
            EditorPlayer.Draw(window, press: "Start");
            var asking = (Task)window.GetType().GetField("_asking", BindingFlags.Instance | BindingFlags.NonPublic)!
                .GetValue(window)!;
            EditorPlayer.Draw(window, meanwhile: () => asking.Wait());
            Assert.That(EditorPlayer.Draw(window), Has.Some.StartsWith("Device: "));
        }

        [Test]
        public void TheWindowShowsTheModel()
        {
            var window = OpenWindow();
            Assert.That(EditorPlayer.Draw(window), Does.Contain("Runtime: runs elsewhere"));
            EditorPlayer.Draw(window, press: "Start");
            Until(() => EditorPlayer.Draw(window).Any(line => line.StartsWith("Model: ", StringComparison.Ordinal)
                && line != "Model: asking"));
            Assert.That(EditorPlayer.Draw(window), Has.Some.StartsWith("Device: cpu"));
            EditorPlayer.Draw(window, press: "Stop");
        }

        [Test]
        public async Task TheInspectorLooksIntoTheRuntimeAndRecords()
        {
            using var client = SharedRuntime.Connect("grpc-web");
            var inn = SharedRuntime.Innkeeper("Mara", tokens: 6);
            var smithy = SharedRuntime.Innkeeper("Joss", tokens: 6);
            inn.SessionId = "inn " + Guid.NewGuid().ToString("N");
            smithy.SessionId = "smithy " + Guid.NewGuid().ToString("N");
            await using var mara = await client.OpenSessionAsync(inn);
            await using var joss = await client.OpenSessionAsync(smithy);
            await SharedRuntime.ReadAsync(mara, "Good evening!");
            await SharedRuntime.ReadAsync(joss, "A nail, please.");
            _scene.Settings.command = Repository.Townsfolk;
            var window = OpenWindow("InspectorWindow", "Townsfolk Inspector");
            var ofMara = $"[Mara ({inn.SessionId}): 2 lines, 0 wait";
            Until(() => EditorPlayer.Draw(window).Any(line => line.StartsWith(ofMara, StringComparison.Ordinal)));
            var button = EditorPlayer.Draw(window).Single(line => line.StartsWith(ofMara, StringComparison.Ordinal));
            if (!button.EndsWith("<]", StringComparison.Ordinal))
            {
                EditorPlayer.Draw(window, press: button.Trim('[', ']'));
            }

            Until(() => string.Concat(EditorPlayer.Draw(window)).Contains("Good evening!"));
            var drawn = EditorPlayer.Draw(window);
            Assert.That(drawn, Has.Some.EqualTo("— from the cache —").And.Some.EqualTo("— computed —"));
            Assert.That(drawn.Last(), Does.Match(@"with prompts \d+\.\d ms \(p99 \d+\.\d\); "));
            EditorPlayer.Draw(window, press: "Turns");
            Assert.That(EditorPlayer.Draw(window), Has.Some.Match(": finished; queued .* 6 tokens of "));
            EditorPlayer.Draw(window, press: "Transcript");
            Assert.That(EditorPlayer.Draw(window), Has.Some.EqualTo("Player: Good evening!"));

            EditorPlayer.ChosenFile = Path.GetTempFileName();
            try
            {
                EditorPlayer.Draw(window, press: "Record...");
                string Written()
                {
                    using var file = new FileStream(
                        EditorPlayer.ChosenFile, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
                    return new StreamReader(file).ReadToEnd();
                }

                Until(() => Written().Contains("Good evening!"));
                EditorPlayer.Draw(window, press: "Stop recording");
                Assert.That(Written(), Does.Not.Contain((await SharedRuntime.Process.GetAsync()).Token));
                Assert.That(EditorPlayer.Draw(window), Does.Contain("[Record...]"));
            }
            finally
            {
                File.Delete(EditorPlayer.ChosenFile);
                EditorPlayer.ChosenFile = string.Empty;
                EditorPlayer.Close(window);
            }
        }

        [Test]
        public void TheBuildHoldsTheSettingsAndWarnsOfWhatPlayersWouldMiss()
        {
            var folder = Directory.CreateTempSubdirectory("townsfolk-project-");
            var before = Environment.CurrentDirectory;
            Environment.CurrentDirectory = folder.FullName;
            try
            {
                EditorPlayer.ScriptingBackend = ScriptingImplementation.IL2CPP;
                Build(BuildTarget.StandaloneLinux64);
                var settings = EditorPlayer.Assets.Values.OfType<TownsfolkSettings>().Single();
                Assert.That(Player.Messages, Has.Some.Contains("StreamingAssets").And.Some.Contains("IL2CPP"));

                Player.StreamingAssetsPath = folder.FullName;
                File.WriteAllText("runtime", string.Empty);
                settings.command = "runtime";
                EditorPlayer.ScriptingBackend = ScriptingImplementation.Mono2x;
                Player.Messages.Clear();
                Build(BuildTarget.StandaloneLinux64);
                Assert.That(Player.Messages, Is.Empty);

                settings.model = "models/big";
                Build(BuildTarget.Android);
                Assert.That(Player.Messages, Has.Some.Contains("models/big").And.Some.Contains("Android"));
                Build(BuildTarget.WebGL);
                Assert.That(Player.Messages, Has.Some.Contains("WebGL"));
            }
            finally
            {
                Environment.CurrentDirectory = before;
                Player.StreamingAssetsPath = string.Empty;
                folder.Delete(recursive: true);
            }
        }

        [Test]
        public void TheModelsFileIsChosenAndSaidWhereToPut()
        {
            var folder = Directory.CreateTempSubdirectory("townsfolk-model-");
            try
            {
                Player.StreamingAssetsPath = folder.FullName;
                var settings = ScriptableObject.CreateInstance<TownsfolkSettings>();
                var gui = EditorPlayer.Inspect(
                    typeof(EditorRuntime).Assembly, "Townsfolk.Editor.TownsfolkSettingsEditor", settings);
                EditorPlayer.ChosenFile = string.Empty; // cancelled
                EditorPlayer.Draw(gui, press: "Choose a GGUF model");
                Assert.That(settings.model, Is.Empty);
                Assert.That(EditorPlayer.Recorded, Is.Empty);

                var inside = Path.Combine(folder.FullName, "models", "small.gguf");
                Directory.CreateDirectory(Path.GetDirectoryName(inside)!);
                File.WriteAllText(inside, string.Empty);
                EditorPlayer.ChosenFile = inside;
                EditorPlayer.Draw(gui, press: "Choose a GGUF model");
                Assert.That(settings.model, Is.EqualTo("models/small.gguf"));
                Assert.That(EditorPlayer.Recorded, Is.EqualTo(new[] { "Choose a model" }));
                Assert.That(EditorPlayer.Dirty, Does.Contain(settings));
                Assert.That(Warnings(gui), Is.Empty);

                File.Delete(inside);
                Assert.That(Warnings(gui).Single(), Does.Contain("put its file at " + inside));

                var outside = Path.GetTempFileName();
                EditorPlayer.ChosenFile = outside;
                EditorPlayer.Draw(gui, press: "Choose a GGUF model");
                Assert.That(settings.model, Is.EqualTo(outside.Replace('\\', '/')));
                Assert.That(Warnings(gui).Single(), Does.Contain("does not lie below StreamingAssets"));
                File.Delete(outside);

                foreach (var name in new[] { "auto", "llama-3.2-1b", "owner/name", "owner/name:Q8_0" })
                {
                    settings.model = name;
                    Assert.That(Warnings(gui).Single(), Does.Contain("players download it"), name);
                }

                foreach (var name in new[] { "no.gguf", "models/no.gguf", "./no", "a/b/c" })
                {
                    settings.model = name;
                    Assert.That(Warnings(gui).Single(), Does.Contain("is not there: put its "), name);
                }

                settings.model = "starter";
                Assert.That(Warnings(gui), Is.Empty);
            }
            finally
            {
                Player.StreamingAssetsPath = string.Empty;
                EditorPlayer.ChosenFile = string.Empty;
                EditorPlayer.Recorded.Clear();
                EditorPlayer.Dirty.Clear();
                folder.Delete(recursive: true);
            }
        }

        [Test]
        public void TheProjectSettingsAreMadeAndDrawn()
        {
            var folder = Directory.CreateTempSubdirectory("townsfolk-project-");
            var before = Environment.CurrentDirectory;
            Environment.CurrentDirectory = folder.FullName;
            try
            {
                var provider = (SettingsProvider)typeof(EditorRuntime).Assembly
                    .GetType("Townsfolk.Editor.TownsfolkSettingsProvider")!.GetMethod("Create")!.Invoke(null, null)!;
                Assert.That(provider.settingsPath, Is.EqualTo("Project/Townsfolk"));
                provider.guiHandler!(string.Empty);
                Assert.That(EditorPlayer.Assets.Values.OfType<TownsfolkSettings>().Count(), Is.EqualTo(1));
            }
            finally
            {
                Environment.CurrentDirectory = before;
                folder.Delete(recursive: true);
            }
        }

        private static string[] Warnings(UnityEditor.Editor gui) => EditorPlayer.Draw(gui)
            .Where(line => line.StartsWith("Warning: ", StringComparison.Ordinal)).ToArray();

        private static EditorWindow OpenWindow(string name = "TownsfolkWindow", string title = "Townsfolk")
        {
            typeof(EditorRuntime).Assembly.GetType("Townsfolk.Editor." + name)!.GetMethod("Open")!.Invoke(null, null);
            return EditorPlayer.Windows[title];
        }

        private static void SayIn(UnityEditor.Editor gui, string line)
        {
            EditorPlayer.Draw(gui, press: "Say", type: line);
            Until(() => EditorPlayer.Draw(gui).Contains("[Say]"));
        }

        private static void Build(BuildTarget target)
        {
            var build = (UnityEditor.Build.IPreprocessBuildWithReport)Activator.CreateInstance(
                typeof(EditorRuntime).Assembly.GetType("Townsfolk.Editor.TownsfolkBuild")!, nonPublic: true)!;
            build.OnPreprocessBuild(EditorPlayer.Report(target));
        }

        private static void Until(Func<bool> done)
        {
            while (!done())
            {
                EditorPlayer.Frame();
                Thread.Sleep(5);
            }
        }
    }
}
