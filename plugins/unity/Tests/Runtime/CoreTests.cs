using System.Collections.Generic;
using NUnit.Framework;
using Townsfolk.V1;

namespace Townsfolk.PackageTests
{
    /// <summary>Runs in Unity's Test Runner: that the package's assemblies load and their messages work there.</summary>
    public sealed class CoreTests
    {
        [Test]
        public void AMessageSurvivesItsBytes()
        {
            var request = new SayRequest
            {
                SessionId = "mara",
                Utterance = new Utterance { Text = "Grüße 😀", DeadlineMs = 1000 },
            };
            var bytes = Google.Protobuf.MessageExtensions.ToByteArray(request);
            Assert.That(SayRequest.Parser.ParseFrom(bytes), Is.EqualTo(request));
        }

        [Test]
        public void AnUnsetFieldStaysUnset()
        {
            var parsed = SamplingParams.Parser.ParseFrom(
                Google.Protobuf.MessageExtensions.ToByteArray(new SamplingParams { TopK = 0 }));
            Assert.That(parsed.HasTopK, Is.True);
            Assert.That(parsed.HasTemperature, Is.False);
        }

        [Test]
        public void TheTransportNeedsAPort()
        {
            var endpoint = new RuntimeEndpoint("127.0.0.1", 1, 0);
            Assert.That(
                () => Rpc.HttpTransport.GrpcWeb.Connect(endpoint),
                Throws.ArgumentException.With.Message.Contains("--web-port"));
        }

        [TestCaseSource(nameof(Texts))]
        public void CodePointsAreCounted(string text, int expected) =>
            Assert.That(CodePoints.Count(text), Is.EqualTo(expected));

        private static IEnumerable<TestCaseData> Texts()
        {
            yield return new TestCaseData("café", 4);
            yield return new TestCaseData("a😀b", 3);
        }
    }
}
