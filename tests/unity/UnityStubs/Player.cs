using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Reflection;
using UnityEngine;
using Object = UnityEngine.Object;

namespace UnityStubs
{
    /// <summary>
    /// Plays the part of Unity's player loop in tests: sends Awake, OnEnable, Start, Update, LateUpdate, OnDisable and
    /// OnDestroy in Unity's order, one frame at a time.
    /// </summary>
    public static class Player
    {
        private static readonly Dictionary<(Type, string), MethodInfo?> Methods =
            new Dictionary<(Type, string), MethodInfo?>();

        private static readonly List<Entry> Behaviours = new List<Entry>();

        public static event Action? Quitting;

        public static bool IsPlaying { get; set; } = true;

        public static bool IsBatchMode { get; set; }

        public static float Time { get; set; }

        public static float FrameTime { get; private set; }

        public static float TimeScale { get; set; } = 1f;

        public static string StreamingAssetsPath { get; set; } = string.Empty;

        public static Dictionary<string, Object> Resources { get; } = new Dictionary<string, Object>();

        public static ConcurrentQueue<string> Messages { get; } = new ConcurrentQueue<string>();

        /// <summary>One frame.</summary>
        public static void Frame(float seconds = 1f / 60f)
        {
            Time += seconds;
            FrameTime = seconds;
            for (var i = 0; i < Behaviours.Count; i++)
            {
                var entry = Behaviours[i];
                if (entry.Behaviour.enabled)
                {
                    if (!entry.Started)
                    {
                        entry.Started = true;
                        Send(entry.Behaviour, "Start");
                    }

                    entry.Update?.Invoke();
                }
            }

            for (var i = 0; i < Behaviours.Count; i++)
            {
                if (Behaviours[i].Behaviour.enabled)
                {
                    Behaviours[i].LateUpdate?.Invoke();
                }
            }
        }

        /// <summary>The player quits.</summary>
        public static void Quit()
        {
            Quitting?.Invoke();
            while (Behaviours.Count > 0)
            {
                Destroy(Behaviours[0].Behaviour.gameObject);
            }
        }

        internal static void Log(string message) => Messages.Enqueue(message);

        internal static void Add(Component component)
        {
            if (component is MonoBehaviour behaviour)
            {
                Behaviours.Add(new Entry(behaviour, FindUpdate(behaviour, "Update"), FindUpdate(behaviour, "LateUpdate")));
                Send(behaviour, "Awake");
                Send(behaviour, "OnEnable");
            }
        }

        internal static void Destroy(Object obj)
        {
            if (obj.Destroyed)
            {
                return;
            }

            if (obj is GameObject host)
            {
                foreach (var component in host.Components)
                {
                    Destroy(component);
                }
            }
            else if (obj is MonoBehaviour behaviour)
            {
                Behaviours.RemoveAll(entry => ReferenceEquals(entry.Behaviour, behaviour));
                if (behaviour.enabled)
                {
                    Send(behaviour, "OnDisable");
                }

                Send(behaviour, "OnDestroy");
            }

            obj.Destroyed = true;
        }

        internal static void Send(Object target, string message)
        {
            if (Find(target.GetType(), message) is { } method)
            {
                ((Action)method.CreateDelegate(typeof(Action), target))();
            }
        }

        private static Action? FindUpdate(MonoBehaviour behaviour, string name) =>
            (Action?)Find(behaviour.GetType(), name)?.CreateDelegate(typeof(Action), behaviour);

        private static MethodInfo? Find(Type type, string name)
        {
            if (!Methods.TryGetValue((type, name), out var method))
            {
                method = type.GetMethod(
                    name, BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic);
                if (method != null && method.GetParameters().Length > 0)
                {
                    // So does Unity, and the message is never sent.
                    throw new InvalidOperationException($"{type.Name}: {name}() can not take parameters");
                }

                Methods[(type, name)] = method;
            }

            return method;
        }

        private sealed class Entry
        {
            public Entry(MonoBehaviour behaviour, Action? update, Action? lateUpdate)
            {
                LateUpdate = lateUpdate;
                Behaviour = behaviour;
                Update = update;
            }

            public MonoBehaviour Behaviour { get; }

            public Action? Update { get; }

            public Action? LateUpdate { get; }

            public bool Started { get; set; }
        }
    }
}
