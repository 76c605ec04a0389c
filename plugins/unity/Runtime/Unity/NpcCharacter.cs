using System;
using Townsfolk.V1;
using UnityEngine;

namespace Townsfolk.Unity
{
    /// <summary>Who a character is, what it knows and how it speaks, as set in the inspector.</summary>
    public abstract class NpcCharacter : MonoBehaviour
    {
        [Header("Character")]
        [Tooltip("Who the character is.")]
        [SerializeField] private NpcPersona? persona;

        [Tooltip("What the character knows of the world. The same packs in the same order share memory.")]
        [SerializeField] private LorePack[] lore = Array.Empty<LorePack>();

        [Tooltip("How words are chosen; empty takes the model's defaults.")]
        [SerializeField] private SamplingPreset? sampling;

        [Tooltip("What the character is called in saved games of all characters. With one of its own it is also remembered "
            + "while its scene is not loaded; empty: the persona's name, and only while it is there.")]
        [SerializeField] private string saveKey = string.Empty;

        [Header("Conversation")]
        [Tooltip("Who speaks to the character when Say is not told otherwise.")]
        [SerializeField] private string playerName = "Player";

        [Min(0)]
        [Tooltip("An answer ends after this many milliseconds, with what was said until then; 0: no limit.")]
        [SerializeField] private int deadlineMs;

        [Tooltip("One of these is said when the runtime fails, so that the game goes on.")]
        [SerializeField] private string[] fallbackLines = Array.Empty<string>();

        [Range(0, 20)]
        [Tooltip("Tells of sentences where the entropy of what could be said reaches so many nats; 0: of none.")]
        [SerializeField] private float hesitationEntropy;

        [Tooltip("Keep the conversation out of what a runtime records of play (townsfolk serve --record-play): for "
            + "players who did not agree.")]
        [SerializeField] private bool offTheRecord;

        [Tooltip("What becomes of stage directions in the answers: *slams the tankard*.")]
        [SerializeField] private StageDirections stageDirections = StageDirections.Keep;

        [Header("Priority")]
        [SerializeField] private DistancePriority priority = new DistancePriority();

        private protected NpcCharacter()
        {
        }

        /// <summary>
        /// Who the character is. Another persona begins a conversation of its own with the next line; an edited one
        /// goes on with the same memories.
        /// </summary>
        public NpcPersona? Persona
        {
            get => persona;
            set => persona = value;
        }

        /// <summary>What the character knows of the world. A change takes effect with the next line.</summary>
        public LorePack[] Lore
        {
            get => lore;
            set => lore = value;
        }

        /// <summary>How words are chosen. A change takes effect with the next line.</summary>
        public SamplingPreset? Sampling
        {
            get => sampling;
            set => sampling = value;
        }

        /// <summary>What the character is called in a saved game: its own key, or the persona's name.</summary>
        public string SaveKey
        {
            get => HasOwnSaveKey ? saveKey : persona != null ? persona.characterName : string.Empty;
            set => saveKey = value;
        }

        internal bool HasOwnSaveKey => saveKey.Length > 0;

        /// <summary>Who speaks to the character.</summary>
        public string PlayerName
        {
            get => playerName;
            set => playerName = value;
        }

        /// <summary>One of these is said when the runtime fails.</summary>
        public string[] FallbackLines
        {
            get => fallbackLines;
            set => fallbackLines = value;
        }

        /// <summary>An answer's time limit in milliseconds; 0 means none.</summary>
        public int DeadlineMs
        {
            get => deadlineMs;
            set => deadlineMs = value;
        }

        /// <summary>
        /// What becomes of stage directions in the answers. A change takes effect with the next line.
        /// </summary>
        public StageDirections StageDirections
        {
            get => stageDirections;
            set => stageDirections = value;
        }

        /// <summary>From which entropy on, in nats, the character hesitates; 0 tells nothing.</summary>
        public float HesitationEntropy
        {
            get => hesitationEntropy;
            set => hesitationEntropy = value;
        }

        /// <summary>
        /// Keep the conversation out of what a runtime records of play. A change takes effect with the next line.
        /// </summary>
        public bool OffTheRecord
        {
            get => offTheRecord;
            set => offTheRecord = value;
        }

        /// <summary>Who goes first when the runtime is short of room or time.</summary>
        public DistancePriority Priority => priority;
    }
}
