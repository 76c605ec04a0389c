using System.Collections.Generic;
using Townsfolk.V1;

namespace Townsfolk
{
    /// <summary>What a character, or a prompt, makes of authored texts.</summary>
    public sealed class NpcChoice
    {
        internal NpcChoice(ChooseResponse message)
        {
            Message = message;
        }

        /// <summary>The message behind it, with everything in it.</summary>
        public ChooseResponse Message { get; }

        /// <summary>The number of the chosen text.</summary>
        public int Index => Message.Chosen;

        /// <summary>The chosen text.</summary>
        public string Text => Message.Options[Message.Chosen].Text;

        /// <summary>All texts in the order in which they were given, with how likely each is.</summary>
        public IReadOnlyList<ScoredOption> Options => Message.Options;
    }
}
