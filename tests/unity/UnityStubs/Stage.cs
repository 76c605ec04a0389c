using System.Collections.Generic;
using UnityEngine;
using UnityEngine.Playables;

namespace UnityStubs
{
    /// <summary>Shows what became of bodies and timelines.</summary>
    public static class Stage
    {
        /// <summary>What was built of primitives, in this order.</summary>
        public static IReadOnlyList<GameObject> Primitives => GameObject.Primitives;

        /// <summary>What an Animator was told: "Speaking True", or the name of a trigger.</summary>
        public static IReadOnlyList<string> Calls(Animator animator) => animator.Calls;

        /// <summary>A timeline begins.</summary>
        public static void Play(PlayableDirector director) => director.IsPlaying = true;

        /// <summary>How fast a timeline goes.</summary>
        public static double Speed(PlayableDirector director) => director.Speed;
    }
}
