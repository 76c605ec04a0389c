using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Json;
using Google.Protobuf;
using NUnit.Framework;
using Townsfolk.Tests.Support;
using Townsfolk.V1;

namespace Townsfolk.Tests
{
    /// <summary>The client's transcript against the table that all clients pass.</summary>
    [TestFixture]
    internal sealed class TranscriptTests
    {
        private static readonly JsonParser Json = new JsonParser(JsonParser.Settings.Default);

        public static IEnumerable<TestCaseData> Cases()
        {
            foreach (var file in new[] { "transcript_cases.json", "cue_cases.json" })
            {
                var table = Path.Combine(Repository.Root, "tests", "support", file);
                using var document = JsonDocument.Parse(File.ReadAllText(table));
                foreach (var one in document.RootElement.GetProperty("cases").EnumerateArray())
                {
                    yield return new TestCaseData(one.Clone()).SetName("{m}: " + one.GetProperty("name").GetString());
                }
            }
        }

        [TestCaseSource(nameof(Cases))]
        public void TheTableOfAllClients(JsonElement table)
        {
            var transcript = new Transcript("Mira", Entries(table, "history"));
            foreach (var step in table.GetProperty("steps").EnumerateArray().SelectMany(one => one.EnumerateObject()))
            {
                switch (step.Name)
                {
                    case "ask":
                        transcript.Ask(Json.Parse<Utterance>(step.Value.GetRawText()));
                        break;
                    case "event":
                        transcript.Follow(Json.Parse<SessionEvent>(step.Value.GetRawText()));
                        break;
                    case "cut":
                        var first = step.Value.GetProperty("turn_ids").EnumerateArray().FirstOrDefault();
                        var heard = step.Value.GetProperty("heard_characters");
                        if (first.ValueKind == JsonValueKind.String && heard.ValueKind == JsonValueKind.Number)
                        {
                            transcript.Cut(first.GetString()!, heard.GetInt32());
                        }

                        break;
                    case "lost":
                        foreach (var turn in TurnsOf(table))
                        {
                            transcript.Fail(turn);
                        }

                        break;
                    default:
                        Assert.Fail("the table has a step that this test does not know: " + step.Name);
                        break;
                }
            }

            Assert.That(transcript.Snapshot(), Is.EqualTo(Entries(table, "expected")));
        }

        [Test]
        public void ASaveHasWhatWasSaidOfAnAnswerUnderWay()
        {
            var transcript = new Transcript("Mira", new TranscriptEntry[0]);
            transcript.Ask(new Utterance { TurnId = "a", Text = "Hello!" });
            transcript.Follow(new SessionEvent { TurnStarted = new TurnStarted { TurnId = "a" } });
            transcript.Follow(new SessionEvent { TextDelta = new TextDelta { TurnId = "a", Text = "Welc" } });
            transcript.AddEvent("It rains.");
            Assert.That(
                transcript.Snapshot(withUnderWay: true).Select(line => line.Text),
                Is.EqualTo(new[] { "Hello!", "Welc", "It rains." }));
            Assert.That(transcript.Snapshot(withUnderWay: true)[1].Cut, Is.True);
        }

        [Test]
        public void ASaveHasWhatWasSaidOfAGreetingUnderWay()
        {
            var transcript = new Transcript("Mira", new TranscriptEntry[0]);
            transcript.Ask(new Utterance { TurnId = "a", Cue = TurnCue.None });
            transcript.Follow(new SessionEvent { TurnStarted = new TurnStarted { TurnId = "a" } });
            transcript.Follow(new SessionEvent { TextDelta = new TextDelta { TurnId = "a", Text = "Welc" } });
            transcript.AddEvent("It rains.");
            Assert.That(
                transcript.Snapshot(withUnderWay: true).Select(line => line.Text), Is.EqualTo(new[] { "Welc", "It rains." }));
        }

        [TestCase(0, 0)]
        [TestCase(20, 1)]
        [TestCase(1000, 9)]
        public void ARequestHoldsTheNewestLines(int room, int lines)
        {
            var events = Enumerable.Range(0, 9)
                .Select(i => new TranscriptEntry { Kind = EntryKind.Event, Text = "event " + i }).ToList();
            Assert.That(
                new Transcript("Mira", events).Newest(room), Is.EqualTo(events.Skip(9 - lines)));
        }

        private static IEnumerable<string> TurnsOf(JsonElement table) => table.GetProperty("steps").EnumerateArray()
            .Where(step => step.TryGetProperty("ask", out _))
            .Select(step => step.GetProperty("ask").GetProperty("turn_id").GetString()!);

        private static List<TranscriptEntry> Entries(JsonElement table, string name) =>
            table.TryGetProperty(name, out var lines)
                ? lines.EnumerateArray().Select(line => Json.Parse<TranscriptEntry>(line.GetRawText())).ToList()
                : new List<TranscriptEntry>();
    }
}
