using System;
using Townsfolk.V1;
using UnityEngine;

namespace Townsfolk.Unity
{
    /// <summary>
    /// Moves a character's body to what it says and does: an Animator knows whether it thinks or speaks, and has a
    /// trigger set for stage directions ("slams the tankard") and actions.
    /// </summary>
    [AddComponentMenu("Townsfolk/NPC Animator")]
    [DisallowMultipleComponent]
    [RequireComponent(typeof(NpcSpeech))]
    public sealed class NpcAnimator : MonoBehaviour
    {
        [Tooltip("The character's Animator.")]
        [SerializeField] private Animator? animator;

        [Tooltip("The bool parameter that is true while the character thinks; empty: none.")]
        [SerializeField] private string thinkingParameter = "Thinking";

        [Tooltip("The bool parameter that is true while the character's words are typed; empty: none.")]
        [SerializeField] private string speakingParameter = "Speaking";

        [Tooltip("Which words of a stage direction set which trigger; the first that fits does.")]
        [SerializeField] private NpcTrigger[] directions = Array.Empty<NpcTrigger>();

        [Tooltip("Which actions set which trigger.")]
        [SerializeField] private NpcTrigger[] actions = Array.Empty<NpcTrigger>();

        private NpcSpeech _speech = null!;
        private Parameter _thinking;
        private Parameter _speaking;

        /// <summary>The character's Animator.</summary>
        public Animator? Animator
        {
            get => animator;
            set => animator = value;
        }

        private void OnEnable()
        {
            _speech = GetComponent<NpcSpeech>();
            _thinking = new Parameter(thinkingParameter);
            _speaking = new Parameter(speakingParameter);
            _speech.Agent.DirectionGiven += Direct;
            _speech.Agent.ActionRequested += Act;
        }

        private void OnDisable()
        {
            _speech.Agent.DirectionGiven -= Direct;
            _speech.Agent.ActionRequested -= Act;
            _thinking.Set(animator, false);
            _speaking.Set(animator, false);
        }

        private void LateUpdate()
        {
            _thinking.Set(animator, _speech.IsThinking);
            _speaking.Set(animator, _speech.IsSpeaking && !_speech.Typewriter.IsCaughtUp);
        }

        private void Direct(string direction) => Pull(
            Array.Find(directions, one => direction.IndexOf(one.on, StringComparison.OrdinalIgnoreCase) >= 0));

        private void Act(ActionRequested action) => Pull(Array.Find(actions, one => one.on == action.Name));

        private void Pull(NpcTrigger found)
        {
            if (animator != null && !string.IsNullOrEmpty(found.trigger))
            {
                animator.SetTrigger(UnityEngine.Animator.StringToHash(found.trigger));
            }
        }

        // Tells the Animator what has changed, and nothing else.
        private struct Parameter
        {
            private readonly int _id;
            private readonly bool _isUsed;
            private bool _value;

            public Parameter(string name)
            {
                _isUsed = name.Length > 0;
                _id = _isUsed ? UnityEngine.Animator.StringToHash(name) : 0;
                _value = false;
            }

            public void Set(Animator? animator, bool value)
            {
                if (_isUsed && value != _value && animator != null)
                {
                    _value = value;
                    animator.SetBool(_id, value);
                }
            }
        }
    }

    /// <summary>What sets a trigger of an Animator.</summary>
    [Serializable]
    public struct NpcTrigger
    {
        /// <summary>The name of an action, or words of a stage direction.</summary>
        [Tooltip("The name of an action, or words of a stage direction.")]
        public string on;

        /// <summary>The Animator's trigger.</summary>
        [Tooltip("The Animator's trigger.")]
        public string trigger;
    }
}
