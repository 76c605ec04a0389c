using System;
using System.Collections.Generic;
using UnityStubs;

namespace UnityEngine
{
    public static class Application
    {
        public static event Action? quitting
        {
            add => Player.Quitting += value;
            remove => Player.Quitting -= value;
        }

        public static int targetFrameRate { get; set; } = -1;

        public static bool isPlaying => Player.IsPlaying;

        public static bool isBatchMode => Player.IsBatchMode;

        public static void OpenURL(string url) => Player.Log("open " + url);

        public static string streamingAssetsPath => Player.StreamingAssetsPath;
    }

    public static class Debug
    {
        public static void Log(object message) => Player.Log(message.ToString()!);

        public static void LogError(object message) => Player.Log("error: " + message);

        public static void LogWarning(object message) => Player.Log("warning: " + message);

        public static void LogException(Exception exception) => Player.Log("exception: " + exception);
    }

    public static class Time
    {
        public static float time => Player.Time;

        public static float deltaTime => Player.FrameTime * Player.TimeScale;

        public static float unscaledTime => Player.Time;

        public static float unscaledDeltaTime => Player.FrameTime;
    }

    public struct FrameTiming
    {
        public double gpuFrameTime;
    }

    public static class FrameTimingManager
    {
        public static void CaptureFrameTimings()
        {
        }

        public static uint GetLatestTimings(uint numFrames, FrameTiming[] timings) => 0;
    }

    public static class QualitySettings
    {
        public static int vSyncCount { get; set; }
    }

    public struct RefreshRate
    {
        public double value => 60;
    }

    public struct Resolution
    {
        public int refreshRate { get => 60; set => _ = value; }

        public RefreshRate refreshRateRatio { get => default; set => _ = value; }
    }

    public static class Screen
    {
        public static Resolution currentResolution => default;
    }

    public static class Resources
    {
        public static T Load<T>(string path)
            where T : Object => (Player.Resources.TryGetValue(path, out var found) ? found as T : null)!;
    }

}

namespace UnityEngine.Events
{
    public delegate void UnityAction();

    public delegate void UnityAction<T0>(T0 arg0);

    public abstract class UnityEventBase
    {
    }

    [Serializable]
    public class UnityEvent : UnityEventBase
    {
        private readonly List<UnityAction> _calls = new List<UnityAction>();

        public void AddListener(UnityAction call) => _calls.Add(call);

        public void RemoveListener(UnityAction call) => _calls.Remove(call);

        public void Invoke()
        {
            for (var i = 0; i < _calls.Count; i++)
            {
                _calls[i]();
            }
        }
    }

    [Serializable]
    public class UnityEvent<T0> : UnityEventBase
    {
        private readonly List<UnityAction<T0>> _calls = new List<UnityAction<T0>>();

        public void AddListener(UnityAction<T0> call) => _calls.Add(call);

        public void RemoveListener(UnityAction<T0> call) => _calls.Remove(call);

        public void Invoke(T0 arg0)
        {
            for (var i = 0; i < _calls.Count; i++)
            {
                _calls[i](arg0);
            }
        }
    }
}
