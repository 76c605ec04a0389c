using System;
using System.Collections.Generic;

namespace Townsfolk.Unity
{
    /// <summary>
    /// A tag of rich text, as TextMeshPro and UI Toolkit know them. What only looks like one, as in "3 &lt; 4", is text.
    /// </summary>
    internal readonly struct RichTextTag
    {
        // No tag is longer in either.
        private const int Longest = 128;

        private static readonly HashSet<string> Paired = new HashSet<string>(StringComparer.OrdinalIgnoreCase)
        {
            "a", "align", "allcaps", "alpha", "b", "color", "cspace", "font", "font-weight", "gradient", "i", "indent",
            "line-height", "line-indent", "link", "lowercase", "margin", "margin-left", "margin-right", "mark", "material",
            "mspace", "nobr", "noparse", "rotate", "s", "size", "smallcaps", "strikethrough", "style", "sub", "sup", "u",
            "uppercase", "voffset", "width",
        };

        private static readonly HashSet<string> Single = new HashSet<string>(StringComparer.OrdinalIgnoreCase)
        {
            "br", "cr", "nbsp", "page", "pos", "quad", "shy", "space", "sprite", "zwj", "zwsp",
        };

        // These stand for a character.
        private static readonly HashSet<string> Characters = new HashSet<string>(StringComparer.OrdinalIgnoreCase)
        {
            "br", "cr", "nbsp", "shy", "sprite", "zwj", "zwsp",
        };

        private RichTextTag(string name, int end, bool closes)
        {
            Name = name;
            End = end;
            Closes = closes;
        }

        /// <summary>Whether a text's "&lt;" begins a tag.</summary>
        public enum Reading
        {
            /// <summary>It is text.</summary>
            None,

            /// <summary>It may become one when more comes.</summary>
            Unfinished,

            /// <summary>It does.</summary>
            Whole,
        }

        /// <summary>What it is called: "color", also for "&lt;#ff8000&gt;".</summary>
        public string Name { get; }

        /// <summary>Where the text behind it begins.</summary>
        public int End { get; }

        /// <summary>Whether it ends what another one began.</summary>
        public bool Closes { get; }

        /// <summary>Whether another one has to end what it begins.</summary>
        public bool Opens => !Closes && Paired.Contains(Name);

        /// <summary>Whether it is shown as a character.</summary>
        public bool IsCharacter => !Closes && Characters.Contains(Name);

        /// <summary>Reads the tag at a "&lt;".</summary>
        public static Reading Read(string text, int start, out RichTextTag tag)
        {
            tag = default;
            var end = start + 1;
            while (end < text.Length && text[end] != '>')
            {
                if (text[end] == '<' || end - start > Longest)
                {
                    return Reading.None;
                }

                end++;
            }

            var closes = start + 1 < text.Length && text[start + 1] == '/';
            var from = start + (closes ? 2 : 1);
            var to = from;
            while (to < end && text[to] != '=' && text[to] != ' ')
            {
                to++;
            }

            var name = text.Substring(from, Math.Max(to - from, 0));
            if (end == text.Length)
            {
                return to < end ? (IsKnown(name, closes) ? Reading.Unfinished : Reading.None)
                    : MayBecomeKnown(name) ? Reading.Unfinished : Reading.None;
            }

            if (!IsKnown(name, closes))
            {
                return Reading.None;
            }

            tag = new RichTextTag(name[0] == '#' ? "color" : name, end + 1, closes);
            return Reading.Whole;
        }

        private static bool IsKnown(string name, bool closes) =>
            Paired.Contains(name) || (!closes && (Single.Contains(name) || IsColor(name)));

        private static bool IsColor(string name)
        {
            for (var i = 1; i < name.Length; i++)
            {
                if (!Uri.IsHexDigit(name[i]))
                {
                    return false;
                }
            }

            return name.Length > 3 && name[0] == '#';
        }

        private static bool MayBecomeKnown(string begin)
        {
            if (begin.Length == 0 || begin[0] == '#')
            {
                return true;
            }

            foreach (var names in new[] { Paired, Single })
            {
                foreach (var name in names)
                {
                    if (name.StartsWith(begin, StringComparison.OrdinalIgnoreCase))
                    {
                        return true;
                    }
                }
            }

            return false;
        }
    }
}
