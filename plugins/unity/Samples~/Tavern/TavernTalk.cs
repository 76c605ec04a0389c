using System;
using System.Collections.Generic;
using System.Linq;
using Townsfolk.Unity;
using UnityEngine;

namespace Townsfolk.Samples.Tavern
{
    /// <summary>
    /// The guests talk among themselves, two pairs at once: what one says is said to the other. Who is spoken to by the
    /// player leaves the talk.
    /// </summary>
    public sealed class TavernTalk : MonoBehaviour
    {
        [Tooltip("Who takes part.")]
        [SerializeField] private NpcSpeech[] guests = Array.Empty<NpcSpeech>();

        [Tooltip("What a talk begins with; it is said to the first of the two.")]
        [SerializeField] private string[] topics = { "What is new?" };

        [Min(0)]
        [Tooltip("How many pairs talk at once.")]
        [SerializeField] private int pairs = 2;

        [Min(1)]
        [Tooltip("How often one answers the other.")]
        [SerializeField] private int answers = 4;

        [Min(0)]
        [Tooltip("How long the room is quiet before the next talk, in seconds.")]
        [SerializeField] private float pause = 5f;

        private readonly List<Talk> _talks = new List<Talk>();
        private readonly Dictionary<NpcSpeech, string> _players = new Dictionary<NpcSpeech, string>();
        private NpcSpeech? _withPlayer;
        private float _quietUntil;
        private int _begun;

        /// <summary>How many pairs talk.</summary>
        public int Talks => _talks.Count;

        /// <summary>The player speaks to a guest, who leaves the talk; null: to nobody.</summary>
        public void TurnTo(NpcSpeech? guest)
        {
            _withPlayer = guest;
            if (guest != null && _talks.Find(one => one.Has(guest)) is { } talk)
            {
                End(talk);
                guest.Interrupt();
            }
        }

        private void Update()
        {
            for (var i = _talks.Count - 1; i >= 0; i--)
            {
                if (!_talks[i].GoOn())
                {
                    End(_talks[i]);
                }
            }

            if (_talks.Count < pairs && Time.time >= _quietUntil)
            {
                Begin();
            }
        }

        private void Begin()
        {
            var free = guests.Where(one => one != null && one.isActiveAndEnabled && one != _withPlayer && !one.IsBusy
                && !_talks.Exists(talk => talk.Has(one))).ToList();
            if (free.Count < 2 || topics.Length == 0)
            {
                return;
            }

            var first = free[_begun % free.Count];
            var second = free[(_begun + 1) % free.Count];
            foreach (var guest in new[] { first, second })
            {
                _players[guest] = guest.Agent.PlayerName;
            }

            _talks.Add(new Talk(first, second, topics[_begun % topics.Length], answers));
            _begun++;
        }

        private void End(Talk talk)
        {
            _talks.Remove(talk);
            _quietUntil = Time.time + pause;
            foreach (var guest in talk.Both)
            {
                guest.Agent.PlayerName = _players[guest];
            }
        }

        /// <summary>Two who talk.</summary>
        private sealed class Talk
        {
            private NpcSpeech _speaker;
            private NpcSpeech _listener;
            private NpcTurn _turn;
            private int _left;

            public Talk(NpcSpeech first, NpcSpeech second, string topic, int answers)
            {
                _speaker = first;
                _listener = second;
                _left = answers;
                _turn = Say(topic);
            }

            public NpcSpeech[] Both => new[] { _speaker, _listener };

            public bool Has(NpcSpeech guest) => guest == _speaker || guest == _listener;

            /// <summary>Lets the other one answer when this one has spoken; false when the talk is over.</summary>
            public bool GoOn()
            {
                if (_speaker == null || _listener == null)
                {
                    return false;
                }

                if (_speaker.IsBusy)
                {
                    return true;
                }

                if (_left == 0 || _turn.Failure != null || _turn.WasInterrupted || _turn.Text.Length == 0)
                {
                    return false;
                }

                (_speaker, _listener) = (_listener, _speaker);
                _turn = Say(_turn.Text);
                return true;
            }

            private NpcTurn Say(string line)
            {
                _left--;
                _speaker.Agent.PlayerName = _listener.Agent.name;
                return _speaker.Agent.BeginTurn(line);
            }
        }
    }
}
