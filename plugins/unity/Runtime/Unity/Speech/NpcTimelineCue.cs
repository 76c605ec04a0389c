using UnityEngine;
using UnityEngine.Playables;

namespace Townsfolk.Unity
{
    /// <summary>
    /// Lets a Timeline have a character speak, and wait for it. Put it beside the character's NPC Speech and name its
    /// methods in the Signal Receiver of the timeline.
    /// </summary>
    [AddComponentMenu("Townsfolk/NPC Timeline Cue")]
    [DisallowMultipleComponent]
    [RequireComponent(typeof(NpcSpeech))]
    public sealed class NpcTimelineCue : MonoBehaviour
    {
        [Tooltip("The timeline that stands still while the character speaks.")]
        [SerializeField] private PlayableDirector? director;

        private NpcSpeech? _speech;
        private bool _isHolding;

        /// <summary>Whether the timeline stands still until the character has spoken.</summary>
        public bool IsHolding => _isHolding;

        /// <summary>The timeline that stands still while the character speaks.</summary>
        public PlayableDirector? Director
        {
            get => director;
            set => director = value;
        }

        private NpcSpeech Speech => _speech != null ? _speech : _speech = GetComponent<NpcSpeech>();

        /// <summary>Says a line to the character, which answers while the timeline goes on.</summary>
        public void Say(string line) => Speech.Agent.Say(line);

        /// <summary>Says a line to the character; the timeline waits for the answer to be read.</summary>
        public void SayAndHold(string line)
        {
            Say(line);
            Hold();
        }

        /// <summary>Has the character say a line of the timeline's own.</summary>
        public void Show(string line) => Speech.Show(line);

        /// <summary>Has the character say a line of the timeline's own; the timeline waits for it to be read.</summary>
        public void ShowAndHold(string line)
        {
            Show(line);
            Hold();
        }

        /// <summary>The timeline waits until the character has said all that it is at.</summary>
        public void Hold()
        {
            if (Speech.IsBusy)
            {
                _isHolding = true;
                SetSpeed(0);
            }
        }

        private void Update()
        {
            if (_isHolding && !Speech.IsBusy)
            {
                Release();
            }
        }

        // A timeline must not wait for ever for a character that has gone.
        private void OnDisable() => Release();

        private void Release()
        {
            if (_isHolding)
            {
                _isHolding = false;
                SetSpeed(1);
            }
        }

        // A director that is paused lets go of what it animates; one without speed holds it where it is.
        private void SetSpeed(double speed)
        {
            if (director != null && director.playableGraph.IsValid())
            {
                director.playableGraph.GetRootPlayable(0).SetSpeed(speed);
            }
        }
    }
}
