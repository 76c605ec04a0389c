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
    }

    public class MonoBehaviour : Behaviour
    {
    }

    public class Transform : Component
    {
        public Vector3 position { get; set; }
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

        public static int RoundToInt(float f) => (int)Math.Round(f);

        public static float Lerp(float a, float b, float t) => a + ((b - a) * Math.Clamp(t, 0f, 1f));

        public static float InverseLerp(float a, float b, float value) =>
            a == b ? 0f : Math.Clamp((value - a) / (b - a), 0f, 1f);
    }
}
