using TMPro;
using UnityEngine;

namespace Townsfolk.Unity.TextMeshPro
{
    /// <summary>Shows what a character says in a text of TextMeshPro: a speech bubble, a sign, a subtitle.</summary>
    [AddComponentMenu("Townsfolk/NPC Speech Text (TextMeshPro)")]
    [DisallowMultipleComponent]
    [RequireComponent(typeof(TMP_Text))]
    public sealed class NpcSpeechText : MonoBehaviour
    {
        [Tooltip("The character.")]
        [SerializeField] private NpcSpeech? speech;

        private NpcSpeech? _followed;
        private TMP_Text _text = null!;
        private string _shown = string.Empty;

        /// <summary>The character.</summary>
        public NpcSpeech? Speech
        {
            get => speech;
            set
            {
                speech = value;
                if (enabled)
                {
                    Follow(value);
                }
            }
        }

        private void OnEnable()
        {
            _text = GetComponent<TMP_Text>();
            Follow(speech);
        }

        private void OnDisable() => Follow(null);

        private void Follow(NpcSpeech? who)
        {
            if (_followed != null)
            {
                _followed.Changed -= Show;
            }

            _followed = who;
            if (who != null)
            {
                who.Changed += Show;
                Show();
            }
        }

        private void Show()
        {
            var typed = _followed!.Typewriter;
            if (!ReferenceEquals(_shown, typed.Text))
            {
                // All of it is laid out at once, so that no word jumps while it is typed.
                _shown = typed.Text;
                _text.richText = typed.RichText;
                _text.text = _shown;
            }

            _text.maxVisibleCharacters = typed.VisibleCharacters;
        }
    }
}
