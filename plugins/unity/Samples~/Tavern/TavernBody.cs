using Townsfolk.Unity;
using UnityEngine;

namespace Townsfolk.Samples.Tavern
{
    /// <summary>
    /// A character's body, built out of primitives when the scene starts. It nods while it speaks, looks up while it
    /// thinks, and breathes. (A game has an Animator here, and NPC Animator to tell it.)
    /// </summary>
    [RequireComponent(typeof(NpcSpeech))]
    public sealed class TavernBody : MonoBehaviour
    {
        [SerializeField] private Color coat = Color.gray;
        [SerializeField] private Color hair = Color.black;

        [Range(0.6f, 1.3f)]
        [SerializeField] private float height = 1f;

        private NpcSpeech _speech = null!;
        private Transform _head = null!;
        private Transform _trunk = null!;
        private float _tilt;

        /// <summary>Where a bubble points to.</summary>
        public Vector3 Crown => transform.position + new Vector3(0f, 1.95f * height, 0f);

        private void Awake()
        {
            _speech = GetComponent<NpcSpeech>();
            var paint = new TavernPaint();
            var skin = paint.Plain(new Color(0.85f, 0.66f, 0.52f));
            var cloth = paint.Plain(coat);
            _trunk = paint.Add(
                PrimitiveType.Capsule, transform, new Vector3(0f, 0.75f * height, 0f), new Vector3(0.55f, 0.75f * height, 0.45f), cloth).transform;
            foreach (var side in new[] { -1f, 1f })
            {
                var arm = new Vector3(0.34f * side, 0.95f * height, -0.05f);
                paint.Add(PrimitiveType.Capsule, transform, arm, new Vector3(0.16f, 0.32f, 0.16f), cloth);
            }

            _head = new GameObject("Head").transform;
            _head.SetParent(transform, false);
            _head.localPosition = new Vector3(0f, 1.45f * height, 0f);
            paint.Add(PrimitiveType.Sphere, _head, new Vector3(0f, 0.2f, 0f), new Vector3(0.4f, 0.44f, 0.4f), skin);
            paint.Add(PrimitiveType.Sphere, _head, new Vector3(0f, 0.29f, 0.04f), new Vector3(0.43f, 0.36f, 0.42f), paint.Plain(hair));
            foreach (var side in new[] { -1f, 1f })
            {
                var eye = new Vector3(0.08f * side, 0.21f, -0.185f);
                paint.Add(PrimitiveType.Sphere, _head, eye, new Vector3(0.05f, 0.05f, 0.05f), paint.Plain(Color.black));
            }
        }

        private void Update()
        {
            var isSpeaking = _speech.IsSpeaking && !_speech.Typewriter.IsCaughtUp;
            var wanted = isSpeaking ? 7f * Mathf.Sin(Time.time * 9f) : _speech.IsThinking ? -14f : 0f;
            _tilt = Mathf.Lerp(_tilt, wanted, 8f * Time.deltaTime);
            _head.localRotation = Quaternion.Euler(_tilt, 0f, 0f);
            var breath = 1f + (0.012f * Mathf.Sin((Time.time * 1.7f) + transform.position.x));
            _trunk.localScale = new Vector3(0.55f * breath, 0.75f * height, 0.45f * breath);
        }
    }
}
