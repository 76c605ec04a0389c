using System.Collections.Generic;
using System.Linq;
using Townsfolk.V1;
using UnityEngine;

namespace Townsfolk.Unity
{
    /// <summary>
    /// World knowledge under a name. Characters that list the same packs in the same order share the
    /// memory it takes.
    /// </summary>
    [CreateAssetMenu(menuName = "Townsfolk/Lore Pack", fileName = "Lore", order = 1)]
    public sealed class LorePack : ScriptableObject
    {
        /// <summary>A name for this lore, unique in the game.</summary>
        [Tooltip("A name for this lore, unique in the game. 1 to 128 characters.")]
        public string loreId = string.Empty;

        /// <summary>What those who know it know.</summary>
        [TextArea(5, 30)]
        [Tooltip("What those who know it know.")]
        public string text = string.Empty;

        /// <summary>The lore as the contract has it.</summary>
        public Lore ToMessage() => new Lore { LoreId = loreId, Text = text };

        /// <summary>Packs as the contract has them; an empty slot of a list is left out.</summary>
        public static List<Lore> ToMessages(IEnumerable<LorePack> packs) =>
            packs.Where(pack => pack != null).Select(pack => pack.ToMessage()).ToList();
    }
}
