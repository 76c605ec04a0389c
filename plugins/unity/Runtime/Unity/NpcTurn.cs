using System;
using System.Threading;
using System.Threading.Tasks;
using Townsfolk.V1;

namespace Townsfolk.Unity
{
    /// <summary>One line said to an agent, from its start to its answer's end.</summary>
    internal sealed class NpcTurn : IDisposable
    {
        private readonly NpcAgent _agent;
        private readonly Utterance _utterance;
        private readonly CancellationTokenSource _cancellation;

        public NpcTurn(
            NpcAgent agent, Utterance utterance, ReplyPromise? reply, params CancellationToken[] endedBy)
        {
            _agent = agent;
            _utterance = utterance;
            _cancellation = CancellationTokenSource.CreateLinkedTokenSource(endedBy);
            Reply = reply;
        }

        /// <summary>Null when nobody waits for the answer.</summary>
        public ReplyPromise? Reply { get; }

        /// <summary>Ends the turn; its failure arrives in the queue as any other event.</summary>
        public void Cancel()
        {
            try
            {
                _cancellation.Cancel();
            }
            catch (ObjectDisposedException)
            {
                // It is over already.
            }
        }

        /// <summary>Says the line when the turn before is over; on a thread of the pool.</summary>
        public async Task RunAsync(Task before, Task<NpcSession> opening, MainThreadQueue queue)
        {
            // A copy: the turn can be disposed as soon as its last event is out.
            var cancellation = _cancellation.Token;
            await before.ConfigureAwait(false);
            try
            {
                cancellation.ThrowIfCancellationRequested();
                var session = await opening.ConfigureAwait(false);
                await foreach (var happened in session.SayAsync(_utterance, cancellation).ConfigureAwait(false))
                {
                    queue.Post(this, happened);
                }
            }
            catch (Exception failure)
            {
                queue.PostEnd(this, failure);
            }
        }

        public void Handle(NpcEvent happened) => _agent.Handle(this, happened);

        public void Fail(Exception failure) => _agent.HandleFailure(this, failure);

        public void Dispose() => _cancellation.Dispose();
    }
}
