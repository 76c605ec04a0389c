using System.Collections.Generic;
using System.Text;

namespace Townsfolk.Unity
{
    /// <summary>
    /// The turns of an agent that are not over: the oldest is being answered, the others wait. From the main thread.
    /// </summary>
    internal sealed class AgentTurns
    {
        private readonly List<NpcTurn> _turns = new List<NpcTurn>();
        private readonly StringBuilder _text = new StringBuilder(4096);

        /// <summary>Whether there are any.</summary>
        public bool IsBusy => _turns.Count > 0;

        /// <summary>The turn that is being answered, or else the last one that was; null before the first.</summary>
        public NpcTurn? Current { get; private set; }

        /// <summary>Adds a turn behind the others.</summary>
        public void Add(NpcTurn turn) => _turns.Add(turn);

        /// <summary>Forgets a turn that is over.</summary>
        public void Remove(NpcTurn turn) => _turns.Remove(turn);

        /// <summary>Forgets all of them, and gives them, oldest first.</summary>
        public NpcTurn[] TakeAll()
        {
            var turns = _turns.ToArray();
            _turns.Clear();
            return turns;
        }

        /// <summary>Makes the oldest turn the current one; false where it is that already, or there is none.</summary>
        public bool TryAdvance()
        {
            if (_turns.Count == 0 || _turns[0].IsThinking)
            {
                return false;
            }

            Current = _turns[0];
            Current.IsThinking = true;
            _text.Clear();
            return true;
        }

        /// <summary>Cuts all of them off.</summary>
        public void CancelAll()
        {
            foreach (var turn in _turns)
            {
                turn.Cancel();
            }
        }

        /// <summary>Cuts off all but the one that is being answered.</summary>
        public void CancelWaiting()
        {
            for (var i = 1; i < _turns.Count; i++)
            {
                _turns[i].Cancel();
            }
        }

        /// <summary>More of the current turn's answer.</summary>
        public void Append(string text) => _text.Append(text);

        /// <summary>Another answer in place of what the current turn had.</summary>
        public void Replace(string text) => _text.Clear().Append(text);

        /// <summary>What has been said of an answer that is not over.</summary>
        public string TextOf(NpcTurn turn) => turn == Current ? _text.ToString() : string.Empty;
    }
}
