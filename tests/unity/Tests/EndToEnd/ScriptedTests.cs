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
        [Test]
        public async Task ACharacterSaysWhatItsScriptSays()
        {
            var script = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName() + ".toml");
            File.WriteAllText(
                script,
                "[[lines]]\ncharacter = \"Mara\"\nheard = \"ford\"\nsays = \"The river is high, {speaker}.\"\n");
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
            }
            finally
            {
                File.Delete(script);
            }
        }
    }
}
