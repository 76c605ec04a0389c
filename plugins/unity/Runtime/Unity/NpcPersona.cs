using System;
using System.Collections.Generic;
using System.Linq;
using Townsfolk.V1;
using UnityEngine;

namespace Townsfolk.Unity
{
    /// <summary>Who a character is. Only the name is required.</summary>
    [CreateAssetMenu(menuName = "Townsfolk/Persona", fileName = "Persona", order = 0)]
    public sealed class NpcPersona : ScriptableObject
    {
        /// <summary>What the character is called.</summary>
        [Tooltip("What the character is called. 1 to 64 characters.")]
        public string characterName = string.Empty;

        /// <summary>Who the character is.</summary>
        [TextArea(3, 10)]
        [Tooltip("Who the character is: trade, home, history.")]
        public string description = string.Empty;

        /// <summary>What the character wants.</summary>
        [Tooltip("What the character wants.")]
        public string[] goals = Array.Empty<string>();

        /// <summary>How the character speaks.</summary>
        [TextArea(1, 4)]
        [Tooltip("How the character speaks.")]
        public string speakingStyle = string.Empty;

        /// <summary>What the character never does or says.</summary>
        [Tooltip("What the character never does or says.")]
        public string[] taboos = Array.Empty<string>();

        /// <summary>Lines the character could have said.</summary>
        [Tooltip("Lines the character could have said.")]
        public string[] exampleLines = Array.Empty<string>();

        /// <summary>How much more what is chosen weighs in the answers than the model would have it; 0 for not at all.</summary>
        [Range(0, 10)]
        [Tooltip("How much more the parts below weigh in the answers than the model would have it: a villain stays one. "
            + "0.5 to 1.5 is noticed; an answer then costs about twice as much. 0 turns it off.")]
        public float contrastStrength;

        /// <summary>What weighs more; empty for all of the above but the name.</summary>
        [Tooltip("What weighs more; empty for all of the above but the name.")]
        public PersonaField[] contrastFields = Array.Empty<PersonaField>();

        /// <summary>
        /// The adapter (LoRA) that the character speaks with, by its name in the runtime's folder of adapters; empty
        /// takes the model alone.
        /// </summary>
        [Tooltip("The adapter (LoRA) that the character speaks with, by its name in the runtime's folder of "
            + "adapters (townsfolk serve --adapters FOLDER). Empty: the model alone.")]
        public string adapter = string.Empty;

        /// <summary>The persona as the contract has it.</summary>
        public Persona ToMessage()
        {
            var message = new Persona
            {
                Name = characterName,
                Description = description,
                SpeakingStyle = speakingStyle,
            };
            message.Goals.AddRange(goals);
            message.Taboos.AddRange(taboos);
            message.ExampleLines.AddRange(exampleLines);
            return message;
        }

        /// <summary>A session of this character, who knows this lore.</summary>
        /// <param name="lore">What the character knows, as it was registered.</param>
        /// <param name="sampling">How words are chosen; null takes the model's defaults.</param>
        public SessionConfig ToSession(IEnumerable<Lore> lore, SamplingPreset? sampling)
        {
            var config = new SessionConfig { Persona = ToMessage(), Adapter = adapter };
            config.LoreIds.AddRange(lore.Select(one => one.LoreId));
            if (sampling != null)
            {
                config.Sampling = sampling.ToMessage();
            }

            if (contrastStrength > 0)
            {
                config.Contrast = new PersonaContrast { Strength = contrastStrength };
                config.Contrast.Fields.AddRange(contrastFields);
            }

            return config;
        }
    }
}
