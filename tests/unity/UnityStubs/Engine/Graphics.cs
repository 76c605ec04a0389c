using System;
using UnityStubs;

namespace UnityEngine
{
    public enum LightType
    {
        Point = 2,
    }

    public enum TextureWrapMode
    {
        Repeat = 0,
    }

    public struct Vector2
    {
        public float x;
        public float y;

        public Vector2(float x, float y)
        {
            this.x = x;
            this.y = y;
        }
    }

    public struct Quaternion
    {
        internal Vector3 Angles { get; set; }

        public static Quaternion Euler(float x, float y, float z) => new Quaternion { Angles = new Vector3(x, y, z) };
    }

    public struct Color
    {
        public float r;
        public float g;
        public float b;
        public float a;

        public Color(float r, float g, float b, float a)
        {
            this.r = r;
            this.g = g;
            this.b = b;
            this.a = a;
        }

        public Color(float r, float g, float b)
            : this(r, g, b, 1f)
        {
        }

        public static Color black => new Color(0f, 0f, 0f);

        public static Color gray => new Color(0.5f, 0.5f, 0.5f);

        public override string ToString() => FormattableString.Invariant($"RGBA({r:F3}, {g:F3}, {b:F3}, {a:F3})");
    }

    public class Texture : Object
    {
        public TextureWrapMode wrapMode { get; set; }
    }

    public sealed class Texture2D : Texture
    {
        private readonly int _pixels;

        public Texture2D(int width, int height)
        {
            _pixels = width * height;
        }

        public void SetPixels(Color[] colors)
        {
            if (colors.Length != _pixels)
            {
                throw new ArgumentException("Array size must be at least width*height");
            }
        }

        public void Apply()
        {
            // There is no GPU here.
        }
    }

    public class Material : Object
    {
        public Material(Material source)
        {
            color = source.color;
        }

        internal Material()
        {
        }

        public Color color { get; set; }

        public Texture mainTexture { get; set; } = null!;

        public Vector2 mainTextureScale { get; set; }
    }

    public class Renderer : Component
    {
        public Material sharedMaterial { get; set; } = new Material();
    }

    public sealed class Light : Behaviour
    {
        public LightType type { get; set; }

        public Color color { get; set; }

        public float intensity { get; set; }

        public float range { get; set; }
    }

    public sealed class Camera : Behaviour
    {
    }
}
