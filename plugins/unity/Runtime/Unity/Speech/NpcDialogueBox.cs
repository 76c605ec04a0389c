using System;
using System.Collections.Generic;
using System.Linq;
using UnityEngine;
using UnityEngine.Events;
using UnityEngine.UIElements;

namespace Townsfolk.Unity
{
    /// <summary>
    /// A dialogue box of UI Toolkit: who speaks, what was read, a line to type or choices to pick. Its document is the
    /// package's NpcDialogueBox.uxml, or one of yours with the same names in it.
    /// </summary>
    [AddComponentMenu("Townsfolk/NPC Dialogue Box")]
    [DisallowMultipleComponent]
    [RequireComponent(typeof(UIDocument))]
    public sealed class NpcDialogueBox : MonoBehaviour
    {
        /// <summary>The class of the box while nobody is spoken to.</summary>
        public const string ClosedClass = "npc-closed";

        /// <summary>The class of what has nothing to show.</summary>
        public const string EmptyClass = "npc-empty";

        [Tooltip("Who is spoken to from the start; empty: nobody, the box is closed.")]
        [SerializeField] private NpcSpeech? speaker = null;

        [Tooltip("What is shown while the character thinks.")]
        [SerializeField] private string thinking = "…";

        [Tooltip("What is shown when there is no answer; {0} is the character's name. It is not the character who says this.")]
        [SerializeField] private string noAnswer = "({0} does not answer.)";

        [SerializeField] private UnityEvent onOpened = new UnityEvent();
        [SerializeField] private UnityEvent onClosed = new UnityEvent();

        private Elements? _elements;
        private bool _isThinking;

        /// <summary>Somebody is spoken to.</summary>
        public event Action? Opened;

        /// <summary>The player has turned away.</summary>
        public event Action? Closed;

        /// <summary>Who is spoken to; null while the box is closed.</summary>
        public NpcSpeech? Speaker { get; private set; }

        /// <summary>Turns to a character. Who was spoken to before goes on speaking, unseen.</summary>
        public void Open(NpcSpeech who)
        {
            Leave();
            Speaker = who;
            who.Changed += Show;
            _elements?.Name(who.Agent);
            SetChoices();
            Show();
            _elements?.SetOpen(true);
            Opened?.Invoke();
            onOpened.Invoke();
        }

        /// <summary>Turns away: who is speaking is cut off, and remembers what was read.</summary>
        public void Close()
        {
            if (Speaker is { } who)
            {
                Leave();
                if (who != null)
                {
                    who.Interrupt();
                }

                _elements?.SetOpen(false);
                Closed?.Invoke();
                onClosed.Invoke();
            }
        }

        /// <summary>Lets the player pick one of these instead of typing; none: nothing to pick.</summary>
        public void SetChoices(params string[] choices) => _elements?.SetChoices(choices, Say);

        /// <summary>Has the player say a line.</summary>
        public void Say(string line)
        {
            line = line.Trim();
            if (line.Length > 0 && Speaker is { } who)
            {
                SetChoices();
                who.Agent.Say(line);
                Show();
            }
        }

        private void OnEnable()
        {
            var root = GetComponent<UIDocument>().rootVisualElement;
            var missing = Elements.Missing(root);
            if (missing.Count > 0)
            {
                Debug.LogError($"Townsfolk: the document of {name} has no {string.Join(", ", missing)}. Take the package's "
                    + "NpcDialogueBox.uxml as its Source Asset, or give your own elements these names.");
                return;
            }

            _elements = new Elements(root);
            _elements.Line += SayTyped;
            _elements.Skip += Skip;
            _elements.Escape += Escape;
            _elements.SetOpen(false);
            SetChoices();
            if (speaker is { } first && first != null)
            {
                Open(first);
            }
        }

        private void OnDisable()
        {
            Close();
            _elements?.Dispose();
            _elements = null;
        }

        private void Update()
        {
            if (Speaker is { } who && who.IsThinking != _isThinking)
            {
                Show();
            }
        }

        private void Leave()
        {
            if (Speaker is { } before)
            {
                before.Changed -= Show;
                Speaker = null;
            }
        }

        private void Show()
        {
            if (Speaker is { } who)
            {
                _isThinking = who.IsThinking;
                _elements?.Show(
                    _isThinking ? thinking : who.Typewriter.ShownInPlace,
                    who.Typewriter.RichText,
                    who.Failure == null ? string.Empty : string.Format(noAnswer, Elements.NameOf(who.Agent)));
            }
        }

        private void SayTyped() => Say(_elements!.TakeLine());

        private void Skip() => Speaker?.Skip();

        private void Escape()
        {
            if (Speaker is { IsBusy: true } who)
            {
                who.Interrupt();
            }
            else
            {
                Close();
            }
        }

        /// <summary>The elements of the document that the box fills.</summary>
        private sealed class Elements : IDisposable
        {
            private readonly VisualElement _box;
            private readonly Label _name;
            private readonly Label _speech;
            private readonly Label _problem;
            private readonly VisualElement _choices;
            private readonly TextField _input;
            private readonly Button _say;
            private readonly Button _skip;
            private readonly Button _leave;

            public Elements(VisualElement root)
            {
                _box = root.Q<VisualElement>("npc-box");
                _name = root.Q<Label>("npc-name");
                _speech = root.Q<Label>("npc-speech");
                _problem = root.Q<Label>("npc-problem");
                _choices = root.Q<VisualElement>("npc-choices");
                _input = root.Q<TextField>("npc-input");
                _say = root.Q<Button>("npc-say");
                _skip = root.Q<Button>("npc-skip");
                _leave = root.Q<Button>("npc-leave");
                _say.clicked += SendLine;
                _skip.clicked += SendSkip;
                _leave.clicked += SendEscape;
                _box.RegisterCallback<KeyDownEvent>(OnKey, TrickleDown.TrickleDown);
            }

            /// <summary>The player has typed a line.</summary>
            public event Action? Line;

            /// <summary>The player wants to see all of it.</summary>
            public event Action? Skip;

            /// <summary>The player has had enough.</summary>
            public event Action? Escape;

            public static List<string> Missing(VisualElement root)
            {
                var labels = new[] { "npc-name", "npc-speech", "npc-problem" }
                    .Where(name => root.Q<Label>(name) == null);
                var buttons = new[] { "npc-say", "npc-skip", "npc-leave" }.Where(name => root.Q<Button>(name) == null);
                var others = new[] { "npc-box", "npc-choices" }.Where(name => root.Q<VisualElement>(name) == null);
                var fields = new[] { "npc-input" }.Where(name => root.Q<TextField>(name) == null);
                return labels.Concat(buttons).Concat(others).Concat(fields).ToList();
            }

            public static string NameOf(NpcAgent agent) =>
                agent.Persona is { characterName: { Length: > 0 } own } ? own : agent.name;

            public void Dispose()
            {
                _say.clicked -= SendLine;
                _skip.clicked -= SendSkip;
                _leave.clicked -= SendEscape;
                _box.UnregisterCallback<KeyDownEvent>(OnKey, TrickleDown.TrickleDown);
            }

            public void SetOpen(bool open) => _box.EnableInClassList(ClosedClass, !open);

            public void Name(NpcAgent agent) => _name.text = NameOf(agent);

            public void Show(string speech, bool richText, string problem)
            {
                _speech.enableRichText = richText;
                _speech.text = speech;
                _problem.text = problem;
                _problem.EnableInClassList(EmptyClass, problem.Length == 0);
            }

            public void SetChoices(IReadOnlyCollection<string> choices, Action<string> picked)
            {
                _choices.Clear();
                foreach (var choice in choices)
                {
                    _choices.Add(new Button(() => picked(choice)) { text = choice });
                }

                _choices.EnableInClassList(EmptyClass, choices.Count == 0);
            }

            public string TakeLine()
            {
                var line = _input.value;
                _input.value = string.Empty;
                return line;
            }

            private void SendLine() => Line?.Invoke();

            private void SendSkip() => Skip?.Invoke();

            private void SendEscape() => Escape?.Invoke();

            private void OnKey(KeyDownEvent pressed)
            {
                if (pressed.keyCode == KeyCode.Return || pressed.keyCode == KeyCode.KeypadEnter)
                {
                    SendLine();
                }
                else if (pressed.keyCode == KeyCode.Escape)
                {
                    SendEscape();
                }
            }
        }
    }
}
