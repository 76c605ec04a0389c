using System;
using Townsfolk.Unity;
using UnityEngine;
using UnityEngine.UIElements;

namespace Townsfolk.Samples.Tavern
{
    /// <summary>What a character says, above its head; its name turns the player to it.</summary>
    internal sealed class TavernBubble
    {
        private const int Longest = 140;

        private readonly NpcSpeech _speech;
        private readonly TavernBody _body;
        private readonly Label _said;

        /// <summary>Makes the bubble; `chosen` is told when the player turns to the character.</summary>
        public TavernBubble(NpcSpeech speech, Action<NpcSpeech> chosen)
        {
            _speech = speech;
            _body = speech.GetComponent<TavernBody>();
            _said = new Label { enableRichText = false };
            _said.AddToClassList("said");
            var name = new Button(() => chosen(speech)) { text = speech.Agent.name };
            name.AddToClassList("name");
            Root = new VisualElement();
            Root.AddToClassList("bubble");
            Root.Add(_said);
            Root.Add(name);
        }

        /// <summary>What is drawn.</summary>
        public VisualElement Root { get; }

        /// <summary>Shows what the character says, where the camera sees its head.</summary>
        public void Follow(Camera? view)
        {
            var text = _speech.IsThinking ? "…" : _speech.IsBusy || _speech.Failure == null
                ? Tail(_speech.Typewriter.Read)
                : "(does not answer)";
            if (_said.text != text)
            {
                _said.text = text;
                _said.EnableInClassList("silent", text.Length == 0);
            }

            if (view != null && Root.panel != null && _body != null)
            {
                var at = RuntimePanelUtils.CameraTransformWorldToPanel(Root.panel, _body.Crown, view);
                Root.style.left = at.x;
                Root.style.top = at.y;
            }
        }

        // The last words that fit, from the beginning of one.
        private static string Tail(string text)
        {
            if (text.Length <= Longest)
            {
                return text;
            }

            var from = text.IndexOf(' ', text.Length - Longest);
            return from < 0 ? text : "…" + text.Substring(from);
        }
    }
}
