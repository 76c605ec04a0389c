using System;
using System.Collections.Generic;
using Townsfolk.Unity;
using UnityEngine;
using UnityEngine.UIElements;

namespace Townsfolk.Samples.Tavern
{
    /// <summary>
    /// The tavern's dialogue box: turn to a character or to all, type a line, and read the answers as they come.
    /// Who was spoken to before goes on speaking: all five can at once.
    /// </summary>
    [RequireComponent(typeof(UIDocument))]
    public sealed class TavernDialogue : MonoBehaviour
    {
        [SerializeField] private NpcAgent[] characters = Array.Empty<NpcAgent>();

        [Min(1)]
        [Tooltip("How fast speech is shown, in letters a second.")]
        [SerializeField] private float lettersPerSecond = 40f;

        private readonly List<TavernSeat> _seats = new List<TavernSeat>();
        private TavernSeat? _chosen;
        private Label _name = null!;
        private TextField _input = null!;

        private void OnEnable()
        {
            var root = GetComponent<UIDocument>().rootVisualElement;
            _name = root.Q<Label>("name");
            _input = root.Q<TextField>("input");
            _input.RegisterCallback<KeyDownEvent>(OnKey, TrickleDown.TrickleDown);
            root.Q<Button>("say").clicked += Say;
            root.Q<Button>("everybody").clicked += SayToEverybody;
            root.Q<Button>("interrupt").clicked += Interrupt;

            var places = root.Q<VisualElement>("seats");
            places.Clear();
            foreach (var character in characters)
            {
                var seat = new TavernSeat(character, Choose);
                _seats.Add(seat);
                places.Add(seat.Root);
            }

            if (_seats.Count > 0)
            {
                Choose(_seats[0]);
            }
        }

        private void OnDisable()
        {
            foreach (var seat in _seats)
            {
                seat.Leave();
            }

            _seats.Clear();
            _chosen = null;
        }

        private void Update()
        {
            foreach (var seat in _seats)
            {
                seat.Type(lettersPerSecond * Time.unscaledDeltaTime);
            }
        }

        private void Choose(TavernSeat seat)
        {
            _chosen = seat;
            _name.text = seat.Name;
        }

        private void Say()
        {
            if (_chosen is { } seat && TakeLine() is { } line)
            {
                seat.Say(line);
            }
        }

        private void SayToEverybody()
        {
            if (TakeLine() is { } line)
            {
                foreach (var seat in _seats)
                {
                    seat.Say(line);
                }
            }
        }

        private void Interrupt() => _chosen?.Interrupt();

        private string? TakeLine()
        {
            var line = _input.value.Trim();
            _input.value = string.Empty;
            return line.Length > 0 ? line : null;
        }

        private void OnKey(KeyDownEvent pressed)
        {
            if (pressed.keyCode == KeyCode.Return || pressed.keyCode == KeyCode.KeypadEnter)
            {
                Say();
            }
        }
    }
}
