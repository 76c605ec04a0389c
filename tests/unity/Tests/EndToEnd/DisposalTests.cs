using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading.Tasks;
using NUnit.Framework;
using Townsfolk.Rpc;
using static Townsfolk.Tests.EndToEnd.SharedRuntime;

namespace Townsfolk.Tests.EndToEnd
{
    /// <summary>A game may let go of its things in any order, in the middle of an answer.</summary>
    [TestFixture("grpc")]
    [TestFixture("grpc-web")]
    [Timeout(600000)]
    internal sealed class DisposalTests
    {
        private readonly string _wire;

        public DisposalTests(string wire)
        {
            _wire = wire;
        }

        public static IEnumerable<string> Orders()
        {
            var parts = new[] { "enumerator", "session", "client" };
            return from a in parts
                   from b in parts
                   from c in parts
                   where a != b && b != c && a != c
                   select $"{a},{b},{c}";
        }

        [TestCaseSource(nameof(Orders))]
        public async Task InAnyOrder(string order)
        {
            var client = SharedRuntime.Connect(_wire);
            var session = await client.OpenSessionAsync(Innkeeper(tokens: 200));
            var answer = session.SayAsync("Tell me everything.").GetAsyncEnumerator();
            Assert.That(await answer.MoveNextAsync(), Is.True);
            foreach (var part in order.Split(','))
            {
                switch (part)
                {
                    case "enumerator":
                        await answer.DisposeAsync();
                        break;
                    case "session":
                        await session.DisposeAsync();
                        await session.DisposeAsync();
                        break;
                    case "client":
                        client.Dispose();
                        client.Dispose();
                        break;
                }
            }

            Assert.CatchAsync<ObjectDisposedException>(() => session.NotifyAsync("Too late."));
        }

        [Test]
        public async Task DisposingTheClientEndsAnAnswerThatSomebodyReads()
        {
            var client = SharedRuntime.Connect(_wire);
            var session = await client.OpenSessionAsync(Innkeeper(tokens: Long));
            var reading = await BeginReadingAsync(session, "Tell me everything.");
            client.Dispose();
            Assert.CatchAsync<Exception>(() => reading);
            await session.DisposeAsync();
        }

        [Test]
        public async Task ClosingTheSessionEndsAnAnswerThatSomebodyReads()
        {
            using var client = SharedRuntime.Connect(_wire);
            var session = await client.OpenSessionAsync(Innkeeper(tokens: Long));
            var reading = await BeginReadingAsync(session, "Tell me everything.");
            await session.DisposeAsync();
            try
            {
                var events = await reading;
                Assert.That(events.Last().Kind, Is.EqualTo(NpcEventKind.Interrupted));
            }
            catch (RpcException failure)
            {
                Assert.That(failure.Code, Is.EqualTo(StatusCode.NotFound).Or.EqualTo(StatusCode.Cancelled));
            }
        }
    }
}
