using System;
using System.Threading.Tasks;
using Townsfolk.V1;

namespace Townsfolk.Unity
{
    /// <summary>
    /// The conversation that an agent is in: another persona begins a new one, and so does what is restored or
    /// ended. From the main thread.
    /// </summary>
    internal sealed class AgentConversation
    {
        /// <summary>The conversation that is on.</summary>
        public Conversation Current { get; private set; } = new Conversation();

        /// <summary>The connection; null before the first line.</summary>
        public TownsfolkRuntime? Runtime { get; private set; }

        /// <summary>Is done when all that was asked of the character is over.</summary>
        public Task LastTurn { get; set; } = Task.CompletedTask;

        /// <summary>The session, while it is open.</summary>
        public NpcSession? Session => Current.Session;

        /// <summary>Has a persona speak from now on; the connection.</summary>
        /// <param name="persona">Who speaks.</param>
        /// <param name="runtimeEnded">Is called when the connection has ended.</param>
        public TownsfolkRuntime Begin(NpcPersona persona, Action runtimeEnded)
        {
            if (Current.Persona is { } before && before != persona)
            {
                // Who speaks now was not there.
                End();
            }

            var runtime = TownsfolkRuntime.Instance;
            if (Runtime != runtime)
            {
                runtime.Ended += runtimeEnded;
                Runtime = runtime;
            }

            return runtime;
        }

        /// <summary>The session to speak in, after <see cref="Begin"/>.</summary>
        public Task<NpcSession> Open(CharacterSetup setup, int priority) =>
            Current.Open(Runtime!, setup, priority, LastTurn);

        /// <summary>Does something in the session when all that was asked of the character before is over.</summary>
        public Task<T> InTurn<T>(Task<NpcSession> opening, Func<NpcSession, Task<T>> action)
        {
            var before = LastTurn;
            var doing = Task.Run(async () =>
            {
                await before.ConfigureAwait(false);
                return await action(await opening.ConfigureAwait(false)).ConfigureAwait(false);
            });
            LastTurn = doing.ContinueWith(_ => { }, TaskScheduler.Default);
            return doing;
        }

        /// <inheritdoc cref="InTurn{T}"/>
        public Task InTurn(Task<NpcSession> opening, Func<NpcSession, Task> action) =>
            InTurn(opening, async session =>
            {
                await action(session).ConfigureAwait(false);
                return true;
            });

        /// <summary>The conversation for a saved game.</summary>
        public byte[] Save(CharacterSetup? setup) => Current.Save(setup);

        /// <summary>Goes on where a saved conversation ended; turns under way are cut off.</summary>
        /// <exception cref="ArgumentException">It is no saved conversation.</exception>
        public void Restore(byte[] saved, AgentTurns turns)
        {
            SessionConfig config;
            try
            {
                config = SessionConfig.Parser.ParseFrom(saved);
            }
            catch (Google.Protobuf.InvalidProtocolBufferException broken)
            {
                throw new ArgumentException("these bytes are no saved conversation: " + broken.Message, nameof(saved), broken);
            }

            turns.CancelAll();
            Current.End(LastTurn);
            Current = new Conversation(config);
        }

        /// <summary>Ends the conversation when what was said before is over, and begins another.</summary>
        public void End()
        {
            Current.End(LastTurn);
            Current = new Conversation();
        }

        /// <summary>Ends the conversation for good.</summary>
        /// <param name="runtimeEnded">What <see cref="Begin"/> was given; it is not called any more.</param>
        public void Leave(Action runtimeEnded)
        {
            if (!(Runtime is null))
            {
                Runtime.Ended -= runtimeEnded;
            }

            Current.End(Task.CompletedTask);
        }
    }
}
