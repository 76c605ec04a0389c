using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Json;
using System.Threading.Tasks;
using NUnit.Framework;
using Townsfolk.Rpc;
using Townsfolk.Tests.Support;

namespace Townsfolk.Tests.EndToEnd
{
    /// <summary>The package and runtimes of other versions: real processes, told to be of another.</summary>
    [TestFixture]
    [Timeout(600000)]
    internal sealed class VersionTests
    {
        private static readonly string Support = Path.Combine(Repository.Root, "tests", "support");

        public static IEnumerable<TestCaseData> Cases()
        {
            using var document = JsonDocument.Parse(File.ReadAllText(Path.Combine(Support, "contract_cases.json")));
            foreach (var one in document.RootElement.EnumerateArray())
            {
                yield return new TestCaseData(
                    new Version(one.GetProperty("client").GetString()!),
                    new Version(one.GetProperty("runtime").GetString()!),
                    one.GetProperty("works").GetBoolean(),
                    one.GetProperty("upgrade").GetString());
            }
        }

        [TestCaseSource(nameof(Cases))]
        public void TheTableOfAllClients(Version client, Version runtime, bool works, string upgrade)
        {
            Assert.That(Contract.Works(client, runtime), Is.EqualTo(works));
            Assert.That(Contract.Upgrade(client, runtime), Is.EqualTo(upgrade));
        }

        [TestCase("1.999", "")]
        [TestCase("none", "the runtime 0.0.1 (contract 1.0) is older")]
        public async Task OtherMinorVersionsServe(string version, string warning)
        {
            using var other = new OtherRuntime(version);
            Assert.That(await other.SayAsync(), Is.EqualTo("Well met."));
            Assert.That(other.Warnings.Count, Is.EqualTo(warning.Length == 0 ? 0 : 1));
            Assert.That(string.Concat(other.Warnings), Does.Contain(warning));
        }

        // By the runtime, which looks at the version of each call; where it does not, by the package.
        [TestCase("0.4", "upgrade the runtime")]
        [TestCase("2.4", "upgrade the client")]
        [TestCase("mute:0.4", "upgrade the runtime")]
        [TestCase("mute:2.4", "upgrade the package")]
        public void AnotherMajorVersionIsRefusedWithWhatToDo(string version, string advice)
        {
            using var other = new OtherRuntime(version);
            var refused = Assert.ThrowsAsync<VersionMismatchException>(() => other.SayAsync());
            Assert.That(refused!.Message, Does.Contain(advice));
        }

        private sealed class OtherRuntime : IDisposable
        {
            private readonly string _script = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName() + ".toml");
            private readonly RuntimeProcess _process;
            private readonly TownsfolkClient _client;

            public OtherRuntime(string version)
            {
                File.WriteAllText(_script, "[[lines]]\nsays = \"Well met.\"\n");
                _process = new RuntimeProcess(new RuntimeLaunch
                {
                    Command = Repository.Python,
                    CommandArguments = new[] { Path.Combine(Support, "other_version.py"), version },
                    Model = _script,
                });
                _client = new TownsfolkClient(_process, new TownsfolkClientOptions { Warn = Warnings.Add });
            }

            public List<string> Warnings { get; } = new List<string>();

            public async Task<string> SayAsync()
            {
                await using var session = await _client.OpenSessionAsync(SharedRuntime.Innkeeper());
                return (await SharedRuntime.ReadAsync(session, "Hello!")).Last().Text;
            }

            public void Dispose()
            {
                _client.Dispose();
                _process.Dispose();
                File.Delete(_script);
            }
        }
    }
}
