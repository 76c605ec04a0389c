using System;
using System.Collections.Generic;
using Townsfolk.V1;

namespace Townsfolk.Unity
{
    /// <summary>What is different for one turn; what is not set is as the character has it.</summary>
    public sealed class NpcTurnOptions
    {
        /// <summary>Who speaks to the character.</summary>
        public string? Speaker { get; set; }

        /// <summary>How words are chosen.</summary>
        public SamplingPreset? Sampling { get; set; }

        /// <summary>The answer ends after this many milliseconds; 0: no limit.</summary>
        public int? DeadlineMs { get; set; }

        /// <summary>What the answer must be; see <see cref="Grammars"/>.</summary>
        public Grammar? Grammar { get; set; }

        /// <summary>The actions that the character may take now.</summary>
        public IReadOnlyCollection<string>? Actions { get; set; }

        /// <summary>Whether it has to take one of <see cref="Actions"/>.</summary>
        public bool RequireAction { get; set; }

        internal Utterance ToMessage(TurnCue cue, string text, NpcCharacter character)
        {
            var utterance = new Utterance
            {
                Cue = cue,
                Text = text,
                Speaker = cue == TurnCue.Said ? Speaker ?? character.PlayerName : string.Empty,
                DeadlineMs = DeadlineMs ?? character.DeadlineMs,
                TurnId = Guid.NewGuid().ToString("N"),
                Grammar = Grammar,
            };
            if (Sampling != null)
            {
                utterance.Sampling = Sampling.ToMessage();
            }

            if (Actions != null)
            {
                utterance.Actions = new ActionsNow { Required = RequireAction };
                utterance.Actions.Names.AddRange(Actions);
            }

            return utterance;
        }
    }
}
