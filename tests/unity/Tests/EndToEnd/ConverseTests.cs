using System.Threading.Tasks;
using NUnit.Framework;
using Townsfolk.Rpc;
using Townsfolk.V1;

namespace Townsfolk.Tests.EndToEnd
{
    /// <summary>The bidirectional stream, which only HTTP/2 has.</summary>
    [TestFixture]
    [Timeout(600000)]
    internal sealed class ConverseTests
    {
        [Test]
        public async Task AWholeConversationOnOneStream()
        {
            using var channel = HttpTransport.Grpc.Connect(await SharedRuntime.Process.GetAsync());
            using var call = channel.Duplex(TownsfolkMethods.Converse);
            await call.WriteAsync(new ConverseRequest
            {
                Open = new OpenSession { Config = SharedRuntime.Innkeeper(tokens: 5) },
            });
            Assert.That(await call.MoveNextAsync(), Is.True);
            Assert.That(call.Current.Event.Opened, Is.Not.Null);

            for (var turn = 0; turn < 2; turn++)
            {
                await call.WriteAsync(new ConverseRequest { Say = new Utterance { Text = "Hello!" } });
                do
                {
                    Assert.That(await call.MoveNextAsync(), Is.True);
                }
                while (call.Current.Event.TurnFinished == null);
            }

            await call.WriteAsync(new ConverseRequest { Close = true });
            call.Complete();
            Assert.That(await call.MoveNextAsync(), Is.False);
        }

        [Test]
        public async Task GrpcWebSaysThatItCant()
        {
            using var channel = HttpTransport.GrpcWeb.Connect(await SharedRuntime.Process.GetAsync());
            Assert.That(
                () => channel.Duplex(TownsfolkMethods.Converse), Throws.InstanceOf<System.NotSupportedException>());
        }
    }
}
