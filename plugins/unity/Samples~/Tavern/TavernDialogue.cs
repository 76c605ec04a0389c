using System;
using System.Collections.Generic;
using Townsfolk.Unity;
using UnityEngine;
using UnityEngine.UIElements;

namespace Townsfolk.Samples.Tavern
{
    /// <summary>
    /// The player in the tavern: a bubble above each head, all at once; a click on a name turns to that character in the
    /// dialogue box, and one line can be said to all.
    /// </summary>
    [RequireComponent(typeof(NpcDialogueBox))]
    public sealed class TavernDialogue : MonoBehaviour
    {
        [SerializeField] private NpcSpeech[] characters = Array.Empty<NpcSpeech>();

        [Tooltip("What the guests talk about when nobody speaks to them.")]
        [SerializeField] private TavernTalk? talk = null;

        [Tooltip("Through which the player sees the room.")]
        [SerializeField] private Camera? view = null;

        [Tooltip("Whether a character speaks first when the player turns to it for the first time.")]
        [SerializeField] private bool greets = true;

        private readonly HashSet<NpcSpeech> _met = new HashSet<NpcSpeech>();
        private readonly List<TavernBubble> _bubbles = new List<TavernBubble>();
        private NpcDialogueBox _box = null!;
        private TextField _line = null!;

        private void Start()
        {
            _box = GetComponent<NpcDialogueBox>();
            _box.Closed += TurnAway;
            var root = GetComponent<UIDocument>().rootVisualElement;
            _line = root.Q<TextField>("all");
            root.Q<Button>("everybody").clicked += SayToEverybody;
            var places = root.Q<VisualElement>("bubbles");
            foreach (var character in characters)
            {
                var bubble = new TavernBubble(character, TurnTo);
                _bubbles.Add(bubble);
                places.Add(bubble.Root);
            }
        }

        private void OnDestroy()
        {
            if (_box != null)
            {
                _box.Closed -= TurnAway;
            }
        }

        private void LateUpdate()
        {
            foreach (var bubble in _bubbles)
            {
                bubble.Follow(view);
            }
        }

        private void TurnTo(NpcSpeech character)
        {
            if (talk != null)
            {
                talk.TurnTo(character);
            }

            _box.Open(character);
            if (greets && _met.Add(character))
            {
                character.Agent.Greet();
            }
        }

        private void TurnAway()
        {
            if (talk != null)
            {
                talk.TurnTo(null);
            }
        }

        private void SayToEverybody()
        {
            var line = _line.value.Trim();
            _line.value = string.Empty;
            if (line.Length > 0)
            {
                foreach (var character in characters)
                {
                    character.Agent.Say(line);
                }
            }
        }
    }
}
