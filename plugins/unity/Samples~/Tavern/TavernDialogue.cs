using System;
using Townsfolk.Unity;
using UnityEngine;
using UnityEngine.UIElements;

namespace Townsfolk.Samples.Tavern
{
    /// <summary>The tavern's dialogue box: choose a character, type a line, read the answer as it comes.</summary>
    [RequireComponent(typeof(UIDocument))]
    public sealed class TavernDialogue : MonoBehaviour
    {
        [SerializeField] private NpcAgent[] characters = Array.Empty<NpcAgent>();

        private NpcAgent? _current;
        private Label _name = null!;
        private Label _text = null!;
        private TextField _input = null!;

        private void OnEnable()
        {
            var root = GetComponent<UIDocument>().rootVisualElement;
            _name = root.Q<Label>("name");
            _text = root.Q<Label>("text");
            _input = root.Q<TextField>("input");
            _input.RegisterCallback<KeyDownEvent>(OnKey, TrickleDown.TrickleDown);
            root.Q<Button>("say").clicked += Say;
            root.Q<Button>("interrupt").clicked += Interrupt;

            var seats = root.Q<VisualElement>("seats");
            seats.Clear();
            foreach (var character in characters)
            {
                var seat = new Button(() => Choose(character)) { text = character.name };
                seat.AddToClassList("seat");
                seats.Add(seat);
            }

            if (characters.Length > 0)
            {
                Choose(characters[0]);
            }
        }

        private void OnDisable() => Leave();

        private void Choose(NpcAgent character)
        {
            Leave();
            _current = character;
            _current.ThinkingStarted += ShowThinking;
            _current.TextStreamed += ShowMore;
            _current.ReplyFinished += ShowWhole;
            _name.text = character.name;
            _text.text = string.Empty;
        }

        private void Leave()
        {
            if (_current is { } before)
            {
                before.ThinkingStarted -= ShowThinking;
                before.TextStreamed -= ShowMore;
                before.ReplyFinished -= ShowWhole;
                before.Interrupt();
                _current = null;
            }
        }

        private void Say()
        {
            var line = _input.value.Trim();
            if (_current is { } character && line.Length > 0)
            {
                _input.value = string.Empty;
                character.Say(line);
            }
        }

        // What stands in the box is what the player has read.
        private void Interrupt() => _current?.Interrupt(_current.CurrentText);

        private void OnKey(KeyDownEvent pressed)
        {
            if (pressed.keyCode == KeyCode.Return || pressed.keyCode == KeyCode.KeypadEnter)
            {
                Say();
            }
        }

        private void ShowThinking() => _text.text = "…";

        private void ShowMore(string more) => _text.text = _current!.CurrentText;

        private void ShowWhole(string reply) => _text.text = reply;
    }
}
