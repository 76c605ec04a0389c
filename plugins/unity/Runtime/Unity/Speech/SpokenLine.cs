namespace Townsfolk.Unity
{
    /// <summary>A line that a character says: the answer of a turn, or one of the game's own.</summary>
    internal sealed class SpokenLine
    {
        private string _waiting = string.Empty;

        /// <summary>A turn's answer; it comes bit by bit.</summary>
        public SpokenLine(NpcTurn turn)
        {
            Turn = turn;
        }

        /// <summary>A line of the game's own.</summary>
        public SpokenLine(string text)
        {
            _waiting = text;
        }

        /// <summary>The turn; null for a line of the game's own.</summary>
        public NpcTurn? Turn { get; }

        /// <summary>Whether all of it has come.</summary>
        public bool IsWhole => Turn == null || Turn.IsDone;

        /// <summary>More of the answer.</summary>
        public void Add(string text) => _waiting += text;

        /// <summary>What has come since the last time.</summary>
        public string Take()
        {
            var text = _waiting;
            _waiting = string.Empty;
            return text;
        }
    }
}
