using System.Collections.Generic;
using UnityEngine;

namespace Townsfolk.Samples.Tavern
{
    /// <summary>
    /// Builds things out of Unity's primitives and paints them. The materials are made of the one that primitives have,
    /// so that they fit the project's render pipeline; the textures are drawn here.
    /// </summary>
    internal sealed class TavernPaint
    {
        private const int Side = 64;
        private readonly Dictionary<string, Material> _materials = new Dictionary<string, Material>();

        /// <summary>Adds a box, a ball or a cylinder.</summary>
        public GameObject Add(
            PrimitiveType shape, Transform parent, Vector3 position, Vector3 size, Material paint)
        {
            var thing = GameObject.CreatePrimitive(shape);
            thing.transform.SetParent(parent, false);
            thing.transform.localPosition = position;
            thing.transform.localScale = size;
            thing.GetComponent<Renderer>().sharedMaterial = paint;
            return thing;
        }

        /// <summary>Adds a box.</summary>
        public GameObject Box(Transform parent, Vector3 position, Vector3 size, Material paint) =>
            Add(PrimitiveType.Cube, parent, position, size, paint);

        /// <summary>One colour.</summary>
        public Material Plain(Color color) => Find("plain " + color, null, color, 1f);

        /// <summary>Boards, so many times over a side.</summary>
        public Material Planks(Color color, float repeat) => Find("planks " + color + repeat, DrawPlanks, color, repeat);

        /// <summary>Field stones, so many times over a side.</summary>
        public Material Stones(Color color, float repeat) => Find("stones " + color + repeat, DrawStones, color, repeat);

        private delegate float Shade(int x, int y);

        private Material Find(string name, Shade? draw, Color color, float repeat)
        {
            if (_materials.TryGetValue(name, out var known))
            {
                return known;
            }

            var sample = GameObject.CreatePrimitive(PrimitiveType.Cube);
            var material = new Material(sample.GetComponent<Renderer>().sharedMaterial) { name = name, color = color };
            Object.Destroy(sample);
            if (draw != null)
            {
                material.mainTexture = Draw(draw);
                material.mainTextureScale = new Vector2(repeat, repeat);
            }

            return _materials[name] = material;
        }

        private static Texture2D Draw(Shade shade)
        {
            var texture = new Texture2D(Side, Side) { wrapMode = TextureWrapMode.Repeat };
            var pixels = new Color[Side * Side];
            for (var y = 0; y < Side; y++)
            {
                for (var x = 0; x < Side; x++)
                {
                    var light = shade(x, y);
                    pixels[(y * Side) + x] = new Color(light, light, light, 1f);
                }
            }

            texture.SetPixels(pixels);
            texture.Apply();
            return texture;
        }

        // Four boards of different wood, with grain along them and gaps between.
        private static float DrawPlanks(int x, int y)
        {
            const int Board = Side / 4;
            if (y % Board == 0 || (x + (y / Board * 23)) % Side == 0)
            {
                return 0.35f;
            }

            return 0.75f + (0.15f * Noise(y / Board, 7)) - (0.12f * Noise(y, x / 16)) - (0.05f * Noise(x, y));
        }

        // Rows of stones with mortar around them, each row moved by half a stone.
        private static float DrawStones(int x, int y)
        {
            const int Height = Side / 4;
            const int Width = Side / 2;
            var row = y / Height;
            var along = x + (row % 2 * Width / 2);
            if (y % Height < 2 || along % Width < 2)
            {
                return 0.4f;
            }

            return 0.7f + (0.2f * Noise(along / Width % 2, row)) - (0.1f * Noise(x, y));
        }

        // The same numbers each time, from 0 to 1.
        private static float Noise(int x, int y)
        {
            unchecked
            {
                var mixed = (uint)((x * 374761393) + (y * 668265263));
                mixed = (mixed ^ (mixed >> 13)) * 1274126177u;
                return (mixed ^ (mixed >> 16)) % 1024u / 1023f;
            }
        }
    }
}
