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
    }
}
