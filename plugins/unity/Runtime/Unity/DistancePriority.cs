using System;
using UnityEngine;

namespace Townsfolk.Unity
{
    /// <summary>
    /// A character's priority: fixed, or by its distance to a listener such as the camera, so that those
    /// nearby answer first.
    /// </summary>
    [Serializable]
    public sealed class DistancePriority
    {
        private const float SecondsBetweenUpdates = 0.5f;
        private const int SmallestChange = 5;

        /// <summary>The distance is measured to this; without one the near priority holds always.</summary>
        [Tooltip("The distance is measured to this, mostly the player. Empty: the near priority always.")]
        public Transform? listener;

        /// <summary>The priority up to the near distance.</summary>
        [Range(-100, 100)]
        [Tooltip("The priority up to the near distance. Larger goes first.")]
        public int near;

        /// <summary>The priority from the far distance on.</summary>
        [Range(-100, 100)]
        [Tooltip("The priority from the far distance on.")]
        public int far = -50;

        /// <summary>Up to here the near priority holds.</summary>
        [Min(0f)]
        [Tooltip("Up to here the near priority holds.")]
        public float nearDistance = 3f;

        /// <summary>From here on the far priority holds.</summary>
        [Min(0f)]
        [Tooltip("From here on the far priority holds; in between it falls evenly.")]
        public float farDistance = 30f;

        private float _nextUpdate;
        private bool _known;

        /// <summary>The priority that the runtime was told last.</summary>
        public int Current { get; private set; }

        /// <summary>The priority at a distance.</summary>
        public int At(float distance) => farDistance <= nearDistance
            ? near
            : Mathf.RoundToInt(Mathf.Lerp(near, far, Mathf.InverseLerp(nearDistance, farDistance, distance)));

        /// <summary>Whether the runtime should be told a new priority: at most twice a second.</summary>
        internal bool TryUpdate(Vector3 position, float time, out int priority)
        {
            priority = Current;
            if (time < _nextUpdate)
            {
                return false;
            }

            _nextUpdate = time + SecondsBetweenUpdates;
            priority = listener != null ? At(Vector3.Distance(position, listener.position)) : near;
            if (_known && Math.Abs(priority - Current) < SmallestChange)
            {
                return false;
            }

            _known = true;
            Current = priority;
            return true;
        }
    }
}
