using System;
using System.IO;
using System.Linq;
using System.Threading.Tasks;
using NUnit.Framework;
using Townsfolk.Tests.Support;

namespace Townsfolk.Tests.EndToEnd
{
    /// <summary>A game is tested without a model: a script stands where the model is named.</summary>
    internal sealed class ScriptedTests
    {
        private const string Script = @"
[[lines]]
character = ""Mara""
heard = ""ford""
says = ""The river is high, {speaker}.""

[[lines]]
says = ""*slams the tankard* Get out! I *never* lie.""
";

        [Test]
        public async Task ACharacterSaysWhatItsScriptSays()
        {
            var script = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName() + ".toml");
            File.WriteAllText(script, Script);
            try
            {
                var launch = SharedRuntime.Launch();
                launch.Model = script;
                launch.ServeArguments = new string[0];
                using var process = new RuntimeProcess(launch);
                using var client = SharedRuntime.Connect("grpc-web", process);
                await using var session = await client.OpenSessionAsync(SharedRuntime.Innkeeper());
                var events = await SharedRuntime.ReadAsync(session, "How is the ford?");
                Assert.That(events.Last().Text, Is.EqualTo("The river is high, Player."));

                events = await SharedRuntime.ReadAsync(session, "Good evening.");
                var answer = events.Last().Text;
                Assert.That(answer, Is.EqualTo("*slams the tankard* Get out! I *never* lie."));
                Assert.That(
                    string.Concat(events.Where(e => e.Kind == NpcEventKind.Text && e.IsDirection).Select(e => e.Text)),
                    Is.EqualTo("*slams the tankard*"));
                var direction = events.Single(e => e.Kind == NpcEventKind.Direction);
                Assert.That((direction.Text, direction.Offset, direction.Length), Is.EqualTo(("slams the tankard", 0, 19)));
                Assert.That(direction.TurnId, Is.EqualTo(events.Last().TurnId));
                var sentences = events.Where(e => e.Kind == NpcEventKind.Sentence).ToArray();
                Assert.That(sentences.Select(e => e.Text), Is.EqualTo(new[] { "Get out!", "I never lie." }));
                Assert.That(
                    sentences.Select(e => answer.Substring(e.Offset, e.Length)),
                    Is.EqualTo(new[] { "Get out!", "I *never* lie." }));
            }
            finally
            {
                File.Delete(script);
            }
        }

        [Test]
        public async Task GamesThatShareHaveOneRuntimeAndTheirOwnSessions()
        {
            var folder = Directory.CreateDirectory(Path.Combine(Path.GetTempPath(), Path.GetRandomFileName())).FullName;
            var script = Path.Combine(folder, "inn.toml");
            File.WriteAllText(script, Script);
            var shared = Path.Combine(folder, "shared");
            Environment.SetEnvironmentVariable("TOWNSFOLK_SHARED", shared);
            try
            {
                var launch = SharedRuntime.Launch();
                launch.Model = script;
                launch.ServeArguments = new string[0];
                launch.Share = true;
                using var process = new RuntimeProcess(launch);
                using var another = new RuntimeProcess(launch);
                using var client = SharedRuntime.Connect("grpc-web", process);
                using var other = SharedRuntime.Connect("grpc-web", another);
                var config = SharedRuntime.Innkeeper();
                config.SessionId = "inn";
                await using var session = await client.OpenSessionAsync(config);
                await using var theirs = await other.OpenSessionAsync(config);
                var events = await SharedRuntime.ReadAsync(session, "How is the ford?");
                Assert.That(events.Last().Text, Is.EqualTo("The river is high, Player."));
                Assert.That(Directory.GetFiles(shared, "*.json"), Has.Length.EqualTo(1));
                Assert.That(another.ProcessId, Is.Not.EqualTo(process.ProcessId));

                await process.StopAsync();
                events = await SharedRuntime.ReadAsync(theirs, "How is the ford?");
                Assert.That(events.Last().Text, Is.EqualTo("The river is high, Player."));
            }
            finally
            {
                Environment.SetEnvironmentVariable("TOWNSFOLK_SHARED", null);
                Directory.Delete(folder, recursive: true);
            }
        }
    }
}
