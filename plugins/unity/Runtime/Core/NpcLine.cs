using Townsfolk.V1;

namespace Townsfolk
{
    /// <summary>Lines that a game's script speaks, for a character to remember.</summary>
    public static class NpcLine
    {
        /// <summary>The character spoke; `cut` where it was cut off.</summary>
        public static TranscriptEntry Spoken(string text, bool cut = false) =>
            new TranscriptEntry { Kind = EntryKind.Spoke, Text = text, Cut = cut };

        /// <summary>Somebody spoke to the character; no speaker is the player.</summary>
        public static TranscriptEntry Heard(string text, string speaker = "") =>
            new TranscriptEntry { Kind = EntryKind.Heard, Text = text, Speaker = speaker };

        /// <summary>The character saw something happen.</summary>
        public static TranscriptEntry Happened(string text) =>
            new TranscriptEntry { Kind = EntryKind.Event, Text = text };
    }
}
