using System;
using System.Collections.Generic;
using System.Linq;
using UnityStubs;

namespace UnityEngine
{
    public class Object
    {
        internal bool Destroyed { get; set; }

        public string name { get; set; } = string.Empty;

        public static void Destroy(Object obj) => Player.Destroy(obj);

        public static void DestroyImmediate(Object obj) => Player.Destroy(obj);

        public static void DontDestroyOnLoad(Object target)
        {
            // There is one scene here, and it is never unloaded.
        }

        public static implicit operator bool(Object? exists) => !IsNull(exists);

        // As in Unity, an object that was destroyed equals null.
        public static bool operator ==(Object? x, Object? y) =>
            ReferenceEquals(x, y) || (IsNull(x) && IsNull(y));

        public static bool operator !=(Object? x, Object? y) => !(x == y);

        public override bool Equals(object? other) => other is Object that ? this == that : other == null && IsNull(this);

        public override int GetHashCode() => System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(this);

        private static bool IsNull(Object? obj) => obj is null || obj.Destroyed;
    }

    public class ScriptableObject : Object
    {
        public static T CreateInstance<T>()
            where T : ScriptableObject => Activator.CreateInstance<T>();
    }

    public class TextAsset : Object
    {
        public TextAsset(string text)
        {
            this.text = text;
        }

        public string text { get; }
    }

    public class Component : Object
    {
        public GameObject gameObject { get; internal set; } = null!;

        public Transform transform => gameObject.transform;

        public T GetComponent<T>() => gameObject.GetComponent<T>();
    }

    public class Behaviour : Component
    {
        private bool _enabled = true;

        public bool enabled
        {
            get => _enabled;
            set
            {
                if (_enabled != value)
                {
                    _enabled = value;
                    Player.Send(this, value ? "OnEnable" : "OnDisable");
                }
            }
        }

        public bool isActiveAndEnabled => _enabled && !Destroyed;
    }

    public class MonoBehaviour : Behaviour
    {
    }

    // Parents are not turned or scaled here.
    public class Transform : Component
    {
        private Transform? _parent;

        public Vector3 position
        {
            get => _parent is null ? localPosition : _parent.position + localPosition;
            set => localPosition = _parent is null ? value : value - _parent.position;
        }

        public Vector3 localPosition { get; set; }

        public Vector3 localScale { get; set; } = new Vector3(1f, 1f, 1f);

        public Quaternion localRotation { get; set; }

        public void SetParent(Transform parent, bool worldPositionStays) => _parent = parent;
    }

    public enum PrimitiveType
    {
        Sphere = 0,
        Capsule = 1,
        Cylinder = 2,
        Cube = 3,
    }

    public sealed class GameObject : Object
    {
        private readonly List<Component> _components = new List<Component>();

        public GameObject(string name)
        {
            this.name = name;
            transform = new Transform { gameObject = this };
        }

        public Transform transform { get; }

        public static GameObject CreatePrimitive(PrimitiveType type)
        {
            var thing = new GameObject(type.ToString());
            thing.AddComponent<Renderer>();
            Primitives.Add(thing);
            return thing;
        }

        internal static List<GameObject> Primitives { get; } = new List<GameObject>();

        internal IReadOnlyList<Component> Components => _components;

        public T AddComponent<T>()
            where T : Component
        {
            var component = Activator.CreateInstance<T>();
            component.gameObject = this;
            component.name = name;
            _components.Add(component);
            Player.Add(component);
            return component;
        }

        public T GetComponent<T>() => _components.OfType<T>().FirstOrDefault()!;
    }

    public struct Vector3
    {
        public float x;
        public float y;
        public float z;

        public Vector3(float x, float y, float z)
        {
            this.x = x;
            this.y = y;
            this.z = z;
        }

        public static Vector3 operator +(Vector3 a, Vector3 b) => new Vector3(a.x + b.x, a.y + b.y, a.z + b.z);

        public static Vector3 operator -(Vector3 a, Vector3 b) => new Vector3(a.x - b.x, a.y - b.y, a.z - b.z);

        public static float Distance(Vector3 a, Vector3 b)
        {
            var (x, y, z) = (a.x - b.x, a.y - b.y, a.z - b.z);
            return (float)Math.Sqrt((x * x) + (y * y) + (z * z));
        }
    }

    public struct Mathf
    {
        public static float Min(float a, float b) => Math.Min(a, b);

        public static int Min(int a, int b) => Math.Min(a, b);

        public static float Sin(float f) => (float)Math.Sin(f);

        public static int RoundToInt(float f) => (int)Math.Round(f);

        public static float Lerp(float a, float b, float t) => a + ((b - a) * Math.Clamp(t, 0f, 1f));

        public static float InverseLerp(float a, float b, float value) =>
            a == b ? 0f : Math.Clamp((value - a) / (b - a), 0f, 1f);
    }
}
