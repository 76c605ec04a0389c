using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading.Tasks;
using Google.Protobuf;
using Townsfolk.V1;

namespace Townsfolk.Unity
{
    /// <summary>
    /// What one character remembers, over all the sessions that carry it: it survives a session that could not be
    /// opened, the end of the connection, and a change of lore or sampling. From the main thread.
    /// </summary>
    internal sealed class Conversation
    {
        private readonly SessionConfig _saved;
        private TownsfolkRuntime? _runtime;
        private CharacterSetup? _setup;

        // The last session that was opened; its transcript is the conversation's.
        private volatile NpcSession? _session;

        /// <summary>Begins where a saved one ended.</summary>
        public Conversation(SessionConfig saved)
        {
            _saved = saved;
        }

        /// <summary>Begins anew.</summary>
        public Conversation()
            : this(new SessionConfig())
        {
        }

        /// <summary>The character's asset; null before the first line.</summary>
        public NpcPersona? Persona => _setup?.Persona;

        /// <summary>The session that was opened last, or is being opened; null before the first line.</summary>
        public Task<NpcSession>? Opening { get; private set; }

        /// <summary>The session, while it is open.</summary>
        public NpcSession? Session => Opening is { Status: TaskStatus.RanToCompletion } open
            && _runtime is { IsEnding: false }
                ? open.Result
                : null;

        /// <summary>
        /// The session to speak in: the one that is open, or one that goes on from it where the character's setup
        /// or the connection is another one since.
        /// </summary>
        /// <param name="runtime">The connection.</param>
        /// <param name="setup">The character as it is to be.</param>
        /// <param name="priority">Its priority.</param>
        /// <param name="before">What the session has to wait for: the turns that were said before.</param>
        public Task<NpcSession> Open(TownsfolkRuntime runtime, CharacterSetup setup, int priority, Task before)
        {
            var failed = Opening == null || Opening.IsFaulted || Opening.IsCanceled;
            if (failed || _runtime != runtime || !setup.Equals(_setup))
            {
                var old = _runtime == runtime ? Opening : null;
                _runtime = runtime;
                _setup = setup;
                Opening = Task.Run(() => OpenAsync(runtime, setup, priority, old, before));
            }

            return Opening!;
        }

        /// <summary>The conversation for a saved game; no call.</summary>
        /// <param name="setup">The character as it is to be; null leaves the history alone.</param>
        public byte[] Save(CharacterSetup? setup)
        {
            var config = setup?.ToConfig() ?? new SessionConfig();
            config.History.AddRange(History());
            return config.ToByteArray();
        }

        /// <summary>Ends the session when what was said before is over; not to be used any more.</summary>
        public void End(Task before)
        {
            if (Opening is { } opening)
            {
                _ = Task.Run(() => AgentCalls.CloseAsync(opening, before));
            }
        }

        private IEnumerable<TranscriptEntry> History() => _session?.Save().History ?? _saved.History;

        private async Task<NpcSession> OpenAsync(
            TownsfolkRuntime runtime, CharacterSetup setup, int priority, Task<NpcSession>? old, Task before)
        {
            await before.ConfigureAwait(false);
            if (old != null)
            {
                await AgentCalls.CloseAsync(old, before).ConfigureAwait(false);
            }

            var config = setup.ToConfig();
            config.Priority = priority;
            config.History.AddRange(History());
            await runtime.RegisterLoreAsync(setup.Lore).ConfigureAwait(false);
            return _session = await runtime.Client.OpenSessionAsync(config, runtime.Ending).ConfigureAwait(false);
        }
    }

    /// <summary>Who a character is, what it knows and how it speaks, as it was at one moment.</summary>
    internal sealed class CharacterSetup : IEquatable<CharacterSetup>
    {
        private readonly SessionConfig _config;

        public CharacterSetup(
            NpcPersona persona,
            IEnumerable<LorePack> lore,
            SamplingPreset? sampling,
            NpcActions? actions = null,
            float hesitationEntropy = 0,
            StageDirections stageDirections = StageDirections.Keep,
            bool offTheRecord = false)
        {
            Persona = persona;
            Lore = LorePack.ToMessages(lore);
            _config = persona.ToSession(Lore, sampling);
            if (actions != null)
            {
                _config.Actions.AddRange(actions.ToMessages());
            }

            _config.OffTheRecord = offTheRecord;
            if (hesitationEntropy > 0)
            {
                _config.HesitationEntropy = hesitationEntropy;
            }

            if (stageDirections != StageDirections.Keep)
            {
                _config.Speech = new SpeechSettings { Directions = stageDirections };
            }
        }

        /// <summary>The asset, which stays the same one when it is edited.</summary>
        public NpcPersona Persona { get; }

        public IReadOnlyList<Lore> Lore { get; }

        public SessionConfig ToConfig() => _config.Clone();

        public bool Equals(CharacterSetup? other) =>
            other is { } that && _config.Equals(that._config) && Lore.SequenceEqual(that.Lore);

        public override bool Equals(object? other) => Equals(other as CharacterSetup);

        public override int GetHashCode() => _config.GetHashCode();
    }
}
