using System;
using System.Collections.Generic;
using System.Linq;

namespace UnityEngine
{
    public enum KeyCode
    {
        None = 0,
        Return = 13,
        Escape = 27,
        KeypadEnter = 271,
    }
}

namespace UnityEngine.UIElements
{
    public enum TrickleDown
    {
        NoTrickleDown = 0,
        TrickleDown = 1,
    }

    public delegate void EventCallback<in TEventType>(TEventType evt);

    public abstract class EventBase
    {
    }

    public abstract class EventBase<T> : EventBase
        where T : EventBase<T>, new()
    {
    }

    public abstract class KeyboardEventBase<T> : EventBase<T>
        where T : KeyboardEventBase<T>, new()
    {
        public KeyCode keyCode { get; internal set; }
    }

    public class KeyDownEvent : KeyboardEventBase<KeyDownEvent>
    {
    }

    public abstract class CallbackEventHandler
    {
        private readonly List<Delegate> _callbacks = new List<Delegate>();

        public void RegisterCallback<TEventType>(
            EventCallback<TEventType> callback, TrickleDown useTrickleDown = TrickleDown.NoTrickleDown)
            where TEventType : EventBase<TEventType>, new() => _callbacks.Add(callback);

        public void UnregisterCallback<TEventType>(
            EventCallback<TEventType> callback, TrickleDown useTrickleDown = TrickleDown.NoTrickleDown)
            where TEventType : EventBase<TEventType>, new() => _callbacks.Remove(callback);

        internal void Send<TEventType>(TEventType evt)
            where TEventType : EventBase<TEventType>, new()
        {
            foreach (var callback in _callbacks.OfType<EventCallback<TEventType>>())
            {
                callback(evt);
            }
        }
    }

    public abstract class Focusable : CallbackEventHandler
    {
    }

    public interface IPanel
    {
    }

    public interface IStyle
    {
        StyleLength left { get; set; }

        StyleLength top { get; set; }
    }

    public struct StyleLength
    {
        public StyleLength(float v)
        {
            Pixels = v;
        }

        internal float Pixels { get; }

        public static implicit operator StyleLength(float v) => new StyleLength(v);
    }

    public static class RuntimePanelUtils
    {
        // A camera that looks straight at everything, 100 pixels to a metre.
        public static Vector2 CameraTransformWorldToPanel(IPanel panel, Vector3 worldPosition, Camera camera) =>
            new Vector2(worldPosition.x * 100f, worldPosition.y * -100f);
    }

    internal sealed class Panel : IPanel
    {
        public static readonly Panel Only = new Panel();
    }

    internal sealed class Style : IStyle
    {
        public StyleLength left { get; set; }

        public StyleLength top { get; set; }
    }

    public class VisualElement : Focusable
    {
        private readonly List<VisualElement> _children = new List<VisualElement>();
        private readonly HashSet<string> _classes = new HashSet<string>();

        public string name { get; set; } = string.Empty;

        public IPanel panel => Panel.Only;

        public IStyle style { get; } = new Style();

        internal IReadOnlyList<VisualElement> Children => _children;

        public void Add(VisualElement child) => _children.Add(child);

        public void Clear() => _children.Clear();

        public void AddToClassList(string className) => _classes.Add(className);

        public void EnableInClassList(string className, bool enable)
        {
            if (enable)
            {
                _classes.Add(className);
            }
            else
            {
                _classes.Remove(className);
            }
        }

        public bool ClassListContains(string cls) => _classes.Contains(cls);
    }

    public class BindableElement : VisualElement
    {
    }

    public class TextElement : BindableElement
    {
        public string text { get; set; } = string.Empty;

        public bool enableRichText { get; set; } = true;
    }

    public class ScrollView : VisualElement
    {
    }

    public class Label : TextElement
    {
    }

    public class Button : TextElement
    {
        public Button()
        {
        }

        public Button(Action clickEvent)
        {
            clicked += clickEvent;
        }

        public event Action? clicked;

        internal void Click() => clicked?.Invoke();
    }

    public abstract class BaseField<TValueType> : BindableElement
    {
        public virtual TValueType value { get; set; } = default!;
    }

    public abstract class TextInputBaseField<TValueType> : BaseField<TValueType>
    {
    }

    public class TextField : TextInputBaseField<string>
    {
        public TextField()
        {
            value = string.Empty;
        }
    }

    public static class UQueryExtensions
    {
        public static T Q<T>(this VisualElement e, string? name = null, string? className = null)
            where T : VisualElement => Find<T>(e, name)!;

        private static T? Find<T>(VisualElement e, string? name)
            where T : VisualElement => e is T found && (name == null || e.name == name)
            ? found
            : e.Children.Select(child => Find<T>(child, name)).FirstOrDefault(child => child != null);
    }

    public sealed class UIDocument : MonoBehaviour
    {
        public VisualElement rootVisualElement { get; } = new VisualElement();
    }
}
