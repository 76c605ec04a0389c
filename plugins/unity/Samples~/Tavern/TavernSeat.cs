using System;
using Townsfolk.Unity;
using UnityEngine;
using UnityEngine.UIElements;

namespace Townsfolk.Samples.Tavern
{
    /// <summary>One character's place: its name, and what it says, a letter after the other.</summary>
    internal sealed class TavernSeat
    {
        private readonly NpcAgent _agent;
        private readonly Button _name;
        private readonly Label _speech;
        private string _said = string.Empty;
        private float _shown;
        private bool _isOver;

        /// <summary>Makes the place; `chosen` is told when the player turns to it.</summary>
        public TavernSeat(NpcAgent agent, Action<TavernSeat> chosen)
        {
            _agent = agent;
            _name = new Button(() => chosen(this)) { text = agent.name };
            _name.AddToClassList("name");
            _speech = new Label();
            _speech.AddToClassList("speech");
            Root = new VisualElement();
            Root.AddToClassList("seat");
            Root.Add(_name);
            Root.Add(_speech);
            agent.ThinkingStarted += Think;
            agent.TextStreamed += Hear;
            agent.Failed += Fail;
        }

        /// <summary>What is drawn.</summary>
        public VisualElement Root { get; }

        /// <summary>The character's name.</summary>
        public string Name => _agent.name;

        /// <summary>What the player has read.</summary>
        public string Shown => _said.Substring(0, Mathf.Min((int)_shown, _said.Length));

        /// <summary>Speaks to the character.</summary>
        public void Say(string line) => _agent.Say(line);

        /// <summary>
        /// Cuts the character off: it remembers what the player has read, also when the whole answer is there and
        /// waits to be shown.
        /// </summary>
        public void Interrupt()
        {
            _agent.Interrupt(Shown);
            _said = Shown;
            _speech.text = _said;
            _isOver = true;
        }

        /// <summary>Shows more of what was said.</summary>
        public void Type(float letters)
        {
            if (_shown < _said.Length)
            {
                _shown = Mathf.Min(_shown + letters, _said.Length);
                _speech.text = Shown;
            }
        }

        /// <summary>The player has gone: nothing more is shown.</summary>
        public void Leave()
        {
            _agent.ThinkingStarted -= Think;
            _agent.TextStreamed -= Hear;
            _agent.Failed -= Fail;
            Interrupt();
        }

        private void Think()
        {
            _said = string.Empty;
            _shown = 0f;
            _isOver = false;
            _speech.text = "…";
        }

        private void Hear(string more) => _said += _isOver ? string.Empty : more;

        private void Fail(Exception failure) => _speech.text = "(does not answer)";
    }
}
