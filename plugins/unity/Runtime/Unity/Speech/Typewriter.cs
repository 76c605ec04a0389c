using System;
using System.Collections.Generic;
using System.Globalization;
using System.Text;

namespace Townsfolk.Unity
{
    /// <summary>
    /// Shows a text one character after the other, while it still comes. Tags of rich text are no characters: they take
    /// no time, and are never shown by half. For TextMeshPro, <see cref="Text"/> is its text and
    /// <see cref="VisibleCharacters"/> its maxVisibleCharacters; for others there is <see cref="Shown"/>.
    /// </summary>
    public sealed class Typewriter
    {
        private readonly StringBuilder _source = new StringBuilder();

        // Of each character, where the text behind it begins.
        private readonly List<int> _ends = new List<int>();

        // The tags that open or close something, and the number of characters before each.
        private readonly List<(int Before, int Start, RichTextTag Tag)> _tags = new List<(int, int, RichTextTag)>();
        private string? _text = string.Empty;
        private bool _isLiteral;
        private int _read;
        private double _time;

        /// <summary>How fast it types; 0: all at once.</summary>
        public float CharactersPerSecond { get; set; } = 40f;

        /// <summary>How much longer it takes behind the end of a sentence, in seconds.</summary>
        public float SentencePause { get; set; } = 0.25f;

        /// <summary>Whether tags of rich text are tags; else they are text as any other. Set it while there is no text.</summary>
        public bool RichText { get; set; } = true;

        /// <summary>The text, as far as it has come, with its tags.</summary>
        public string Text => _text ??= _source.ToString();

        /// <summary>Whether the text is whole: <see cref="Complete"/> was called.</summary>
        public bool IsComplete { get; private set; }

        /// <summary>How many characters have come, as TextMeshPro counts them.</summary>
        public int Characters => _ends.Count;

        /// <summary>How many of them are shown.</summary>
        public int VisibleCharacters { get; private set; }

        /// <summary>Whether all is shown that has come.</summary>
        public bool IsCaughtUp => VisibleCharacters == _ends.Count;

        /// <summary>
        /// What has been read, tags included, as it was given: what <see cref="NpcTurn.Interrupt"/> and
        /// <see cref="NpcAgent.Interrupt"/> want to know.
        /// </summary>
        public string Read => Text.Substring(0, ReadTo);

        /// <summary>What has been read, as rich text in which every tag that is open is closed.</summary>
        public string Shown => Read + Closing();

        /// <summary>
        /// The same, with the rest of the text behind it, invisible: words do not jump to the next line while they are
        /// typed.
        /// </summary>
        public string ShownInPlace
        {
            get
            {
                var hidden = new StringBuilder();
                for (var i = VisibleCharacters; i < _ends.Count; i++)
                {
                    AppendCharacter(hidden, i);
                }

                return hidden.Length == 0 || !RichText ? Shown : $"{Shown}<alpha=#00>{hidden}</alpha>";
            }
        }

        // Where in the text the player has got to: all shown, the tags at the end count too.
        private int ReadTo => IsCaughtUp ? _read : VisibleCharacters > 0 ? _ends[VisibleCharacters - 1] : 0;

        /// <summary>Begins with an empty text.</summary>
        public void Clear()
        {
            _source.Clear();
            _text = string.Empty;
            _ends.Clear();
            _tags.Clear();
            _isLiteral = false;
            _read = 0;
            _time = 0;
            VisibleCharacters = 0;
            IsComplete = false;
        }

        /// <summary>More of the text.</summary>
        public void Append(string more)
        {
            _source.Append(more);
            _text = null;
            Scan();
        }

        /// <summary>No more comes: a tag that was only begun is text.</summary>
        public void Complete()
        {
            IsComplete = true;
            Scan();
        }

        /// <summary>Ends the text where it has been read to: the rest is never shown.</summary>
        public void Cut() => Replace(Read);

        /// <summary>Another whole text in place of this one; of it, no more is shown than was.</summary>
        public void Replace(string text)
        {
            var visible = VisibleCharacters;
            Clear();
            Append(text);
            Complete();
            VisibleCharacters = Math.Min(visible, _ends.Count);
        }

        /// <summary>Shows all that has come.</summary>
        public void ShowAll() => VisibleCharacters = _ends.Count;

        /// <summary>Time passes.</summary>
        /// <returns>Whether more is shown than before.</returns>
        public bool Advance(float seconds)
        {
            var before = VisibleCharacters;
            if (CharactersPerSecond <= 0)
            {
                ShowAll();
                return VisibleCharacters > before;
            }

            // Who has waited for text does not type it in a rush.
            _time = IsCaughtUp ? 0 : _time + seconds;
            while (!IsCaughtUp && _time >= Cost(VisibleCharacters))
            {
                _time -= Cost(VisibleCharacters);
                VisibleCharacters++;
                while (!IsCaughtUp && JoinsTheOneBefore(VisibleCharacters))
                {
                    VisibleCharacters++;
                }
            }

            return VisibleCharacters > before;
        }

        private double Cost(int index)
        {
            var pause = index > 0 && char.IsWhiteSpace(First(index)) && ".?!…".IndexOf(First(index - 1)) >= 0;
            return (1.0 / CharactersPerSecond) + (pause ? SentencePause : 0);
        }

        // Accents and the parts of an emoji come with what they belong to.
        private bool JoinsTheOneBefore(int index)
        {
            var category = CharUnicodeInfo.GetUnicodeCategory(Text, Start(index));
            return category == UnicodeCategory.NonSpacingMark || category == UnicodeCategory.EnclosingMark
                || First(index) == '\u200d' || First(index - 1) == '\u200d';
        }

        private char First(int index) => Text[Start(index)];

        // Where a character itself begins, behind the tags before it.
        private int Start(int index)
        {
            var start = index > 0 ? _ends[index - 1] : 0;
            foreach (var (before, _, tag) in _tags)
            {
                if (before == index)
                {
                    start = Math.Max(start, tag.End);
                }
            }

            return start;
        }

        private void AppendCharacter(StringBuilder to, int index)
        {
            var start = Start(index);
            to.Append(Text, start, _ends[index] - start);
        }

        private string Closing()
        {
            var open = new List<string>();
            foreach (var (_, start, tag) in _tags)
            {
                if (start >= ReadTo)
                {
                    break;
                }

                if (tag.Opens)
                {
                    open.Add(tag.Name);
                }
                else if (tag.Closes)
                {
                    var last = open.FindLastIndex(name => string.Equals(name, tag.Name, StringComparison.OrdinalIgnoreCase));
                    if (last >= 0)
                    {
                        open.RemoveAt(last);
                    }
                }
            }

            open.Reverse();
            return string.Concat(open.ConvertAll(name => $"</{name}>"));
        }

        private void Scan()
        {
            while (_read < Text.Length)
            {
                if (RichText && Text[_read] == '<')
                {
                    var reading = RichTextTag.Read(Text, _read, out var tag);
                    if (reading == RichTextTag.Reading.Unfinished && !IsComplete)
                    {
                        return;
                    }

                    if (reading == RichTextTag.Reading.Whole && (!_isLiteral || IsEndOfLiteral(tag)))
                    {
                        Take(tag);
                        continue;
                    }
                }

                if (!TakeCharacter())
                {
                    return;
                }
            }
        }

        private static bool IsEndOfLiteral(RichTextTag tag) =>
            tag.Closes && string.Equals(tag.Name, "noparse", StringComparison.OrdinalIgnoreCase);

        private void Take(RichTextTag tag)
        {
            if (tag.IsCharacter)
            {
                _ends.Add(tag.End);
            }
            else
            {
                _tags.Add((_ends.Count, _read, tag));
                if (string.Equals(tag.Name, "noparse", StringComparison.OrdinalIgnoreCase))
                {
                    _isLiteral = tag.Opens;
                }
            }

            _read = tag.End;
        }

        // Half of a surrogate pair waits for the other half.
        private bool TakeCharacter()
        {
            var isPair = char.IsHighSurrogate(Text[_read]);
            if (isPair && _read + 1 == Text.Length && !IsComplete)
            {
                return false;
            }

            isPair &= _read + 1 < Text.Length && char.IsLowSurrogate(Text[_read + 1]);
            _read += isPair ? 2 : 1;
            _ends.Add(_read);
            return true;
        }
    }
}
