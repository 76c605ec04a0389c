using UnityEngine;

namespace Townsfolk.Samples.Tavern
{
    /// <summary>The room: floor, walls, bar, tables and a fire, built out of primitives when the scene starts.</summary>
    public sealed class TavernRoom : MonoBehaviour
    {
        private static readonly Color Oak = new Color(0.55f, 0.38f, 0.24f);
        private static readonly Color DarkOak = new Color(0.33f, 0.22f, 0.14f);
        private static readonly Color Lime = new Color(0.75f, 0.7f, 0.62f);

        [Min(0)]
        [Tooltip("How bright the fire is.")]
        [SerializeField] private float fire = 1.6f;

        private readonly TavernPaint _paint = new TavernPaint();
        private Light? _fire;

        private void Awake()
        {
            BuildWalls();
            BuildBar();
            BuildTable(new Vector3(-0.7f, 0f, 1.9f));
            BuildTable(new Vector3(2.6f, 0f, 2.4f));
            BuildHearth(new Vector3(4.6f, 0f, 5.6f));
            AddLight("Window", new Vector3(-5f, 2.6f, 2f), new Color(0.6f, 0.7f, 0.9f), 1.1f, 9f);
            AddLight("Lantern", new Vector3(0f, 3f, 2.5f), new Color(1f, 0.8f, 0.5f), 1.3f, 9f);
        }

        private void Update()
        {
            if (_fire != null)
            {
                _fire.intensity = fire * (1f + (0.15f * Mathf.Sin(Time.time * 11f) * Mathf.Sin(Time.time * 7.3f)));
            }
        }

        private void BuildWalls()
        {
            var lime = _paint.Plain(Lime);
            var beam = _paint.Planks(DarkOak, 1f);
            _paint.Box(transform, new Vector3(0f, -0.1f, 3f), new Vector3(12f, 0.2f, 8f), _paint.Planks(Oak, 5f));
            _paint.Box(transform, new Vector3(0f, 1.75f, 7f), new Vector3(12f, 3.5f, 0.2f), lime);
            _paint.Box(transform, new Vector3(-6f, 1.75f, 3f), new Vector3(0.2f, 3.5f, 8f), lime);
            _paint.Box(transform, new Vector3(6f, 1.75f, 3f), new Vector3(0.2f, 3.5f, 8f), lime);
            for (var x = -4f; x <= 4f; x += 2f)
            {
                _paint.Box(transform, new Vector3(x, 3.4f, 3f), new Vector3(0.25f, 0.25f, 8f), beam);
                _paint.Box(transform, new Vector3(x, 1.75f, 6.88f), new Vector3(0.2f, 3.5f, 0.1f), beam);
            }
        }

        private void BuildBar()
        {
            var planks = _paint.Planks(DarkOak, 2f);
            _paint.Box(transform, new Vector3(-3.6f, 0.55f, 3.9f), new Vector3(3.4f, 1.1f, 0.5f), planks);
            _paint.Box(transform, new Vector3(-3.6f, 1.13f, 3.85f), new Vector3(3.6f, 0.08f, 0.75f), _paint.Planks(Oak, 2f));
            for (var i = 0; i < 3; i++)
            {
                var barrel = new Vector3(-4.8f + (1.1f * i), 1f, 6.3f);
                _paint.Add(PrimitiveType.Cylinder, transform, barrel, new Vector3(0.9f, 0.5f, 0.9f), planks);
                BuildMug(new Vector3(-4.6f + (0.9f * i), 1.17f, 3.75f));
            }
        }

        private void BuildTable(Vector3 at)
        {
            var oak = _paint.Planks(Oak, 1f);
            _paint.Add(PrimitiveType.Cylinder, transform, at + new Vector3(0f, 0.78f, 0f), new Vector3(1.5f, 0.04f, 1.5f), oak);
            _paint.Add(PrimitiveType.Cylinder, transform, at + new Vector3(0f, 0.38f, 0f), new Vector3(0.2f, 0.38f, 0.2f), oak);
            BuildMug(at + new Vector3(-0.35f, 0.82f, 0.1f));
            BuildMug(at + new Vector3(0.3f, 0.82f, -0.2f));
        }

        private void BuildMug(Vector3 at)
        {
            var pewter = _paint.Plain(new Color(0.5f, 0.52f, 0.55f));
            _paint.Add(PrimitiveType.Cylinder, transform, at + new Vector3(0f, 0.09f, 0f), new Vector3(0.14f, 0.09f, 0.14f), pewter);
        }

        private void BuildHearth(Vector3 at)
        {
            var stones = _paint.Stones(new Color(0.5f, 0.48f, 0.46f), 2f);
            _paint.Box(transform, at + new Vector3(-0.8f, 0.7f, 0.8f), new Vector3(0.5f, 1.4f, 0.9f), stones);
            _paint.Box(transform, at + new Vector3(0.8f, 0.7f, 0.8f), new Vector3(0.5f, 1.4f, 0.9f), stones);
            _paint.Box(transform, at + new Vector3(0f, 2.4f, 0.8f), new Vector3(2.1f, 2f, 0.9f), stones);
            var embers = _paint.Plain(new Color(1f, 0.45f, 0.1f));
            for (var i = -1; i <= 1; i++)
            {
                var flame = at + new Vector3(0.25f * i, 0.25f, 0.8f);
                _paint.Add(PrimitiveType.Sphere, transform, flame, new Vector3(0.25f, 0.5f, 0.25f), embers);
            }

            _fire = AddLight("Fire", at + new Vector3(0f, 0.8f, -0.2f), new Color(1f, 0.55f, 0.25f), fire, 7f);
        }

        private Light AddLight(string named, Vector3 at, Color color, float intensity, float range)
        {
            var host = new GameObject(named);
            host.transform.SetParent(transform, false);
            host.transform.localPosition = at;
            var lit = host.AddComponent<Light>();
            lit.type = LightType.Point;
            lit.color = color;
            lit.intensity = intensity;
            lit.range = range;
            return lit;
        }
    }
}
