using System;
using System.Threading;
using System.Threading.Tasks;
using Townsfolk.V1;

namespace Townsfolk.Unity
{
    /// <summary>One line said to a character, and its answer. Use it from the main thread.</summary>
    public sealed class NpcTurn
    {
        private readonly NpcAgent _agent;
        private readonly Conversation _conversation;
        private readonly Utterance _utterance;
        private readonly CancellationTokenSource _cancellation;
        private Task<NpcSession>? _opening;
        private string? _text;
        private string? _heard;

        internal NpcTurn(
            NpcAgent agent,
            Conversation conversation,
            Utterance utterance,
            ReplyPromise? reply,
            params CancellationToken[] endedBy)
        {
            _agent = agent;
            _conversation = conversation;
            _utterance = utterance;
            _cancellation = CancellationTokenSource.CreateLinkedTokenSource(endedBy);
            Reply = reply;
        }

        /// <summary>The turn's id in the runtime.</summary>
        public string Id => _utterance.TurnId;

        /// <summary>What was said to the character.</summary>
        public string Line => _utterance.Text;

        /// <summary>
        /// What has been said of the answer; of one that is over the whole, what an interrupted one keeps, or the
        /// fallback line.
        /// </summary>
        public string Text => _text ?? _agent.TextOf(this);

        /// <summary>Whether the answer is over.</summary>
        public bool IsDone => _text != null;

        /// <summary>Whether the answer was cut off: <see cref="Text"/> is what the character remembers of it.</summary>
        public bool WasInterrupted { get; private set; }

        /// <summary>Why the answer ended; Unspecified before its end, and where the turn failed.</summary>
        public FinishReason FinishReason { get; private set; }

        /// <summary>Why the answer failed; null when it did not.</summary>
        public Exception? Failure { get; private set; }

        /// <summary>Null when nobody waits for the answer.</summary>
        internal ReplyPromise? Reply { get; }

        /// <summary>Whether listeners know that the character thinks about this line.</summary>
        internal bool IsThinking { get; set; }

        /// <summary>
        /// Cuts the answer off, also one that is whole but not yet shown or spoken to its end; no event follows in
        /// that case.
        /// </summary>
        /// <param name="heard">
        /// What the player has heard or read of it: the character remembers exactly that much. Null means all that
        /// was generated.
        /// </param>
        public void Interrupt(string? heard = null)
        {
            if (IsDone)
            {
                if (heard != null && Shorten(heard) && _conversation.Opening is { } opening)
                {
                    _ = Task.Run(() => AgentCalls.InterruptAsync(opening, this, heard));
                }
            }
            else if (_opening is { Status: TaskStatus.RanToCompletion } open)
            {
                _heard = heard;
                _ = Task.Run(() => AgentCalls.InterruptAsync(open, this, heard));
            }
            else
            {
                Cancel();
            }
        }

        /// <summary>Ends the turn; its failure arrives in the queue as any other event.</summary>
        internal void Cancel()
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

        /// <summary>Says the line when the turn before is over; returns when the answer is.</summary>
        internal Task Start(Task before, Task<NpcSession> opening, Hold hold, MainThreadQueue queue)
        {
            _opening = opening;
            var cancellation = _cancellation.Token;
            return Task.Run(() => RunAsync(before, opening, hold, queue, cancellation));
        }

        internal void Handle(NpcEvent happened) => _agent.Handle(this, happened);

        internal void Fail(Exception failure) => _agent.HandleFailure(this, failure);

        /// <summary>The answer is over.</summary>
        internal void End(string text, FinishReason reason, Exception? failure = null)
        {
            _text = text;
            FinishReason = reason;
            Failure = failure;
            WasInterrupted = reason == FinishReason.Interrupted;
            if (_heard != null)
            {
                // It was whole before the interrupt arrived, and is cut all the same.
                Shorten(_heard);
            }

            _cancellation.Dispose();
        }

        private bool Shorten(string heard)
        {
            var kept = CodePoints.Take(_text!, CodePoints.Count(heard));
            if (kept.Length == _text!.Length)
            {
                return false;
            }

            _text = kept;
            FinishReason = FinishReason.Interrupted;
            WasInterrupted = true;
            return true;
        }

        private async Task RunAsync(
            Task before, Task<NpcSession> opening, Hold hold, MainThreadQueue queue, CancellationToken cancellation)
        {
            try
            {
                await Hold.Until(before, cancellation).ConfigureAwait(false);
                await hold.OverAsync(cancellation).ConfigureAwait(false);
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

            // Who was cut off while it waited: what comes behind it waits all the same.
            await before.ConfigureAwait(false);
        }
    }
}
