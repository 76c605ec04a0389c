namespace Townsfolk
{
    /// <summary>Counts what the contract counts: Unicode code points, where C# counts UTF-16 units.</summary>
    public static class CodePoints
    {
        /// <summary>
        /// The number of whole code points in a text. Half a surrogate pair at the end, as a typewriter
        /// effect can leave, does not count.
        /// </summary>
        public static int Count(string text)
        {
            var count = 0;
            for (var i = 0; i < text.Length; i++)
            {
                if (!char.IsHighSurrogate(text[i]))
                {
                    count++;
                }
                else if (i + 1 < text.Length)
                {
                    count++;
                    if (char.IsLowSurrogate(text[i + 1]))
                    {
                        i++;
                    }
                }
            }

            return count;
        }

        /// <summary>The first so many code points of a text; all of it when it has no more.</summary>
        public static string Take(string text, int count)
        {
            var end = 0;
            while (end < text.Length && count > 0)
            {
                end += char.IsHighSurrogate(text[end]) && end + 1 < text.Length && char.IsLowSurrogate(text[end + 1])
                    ? 2
                    : 1;
                count--;
            }

            return text.Substring(0, end);
        }
    }
}
