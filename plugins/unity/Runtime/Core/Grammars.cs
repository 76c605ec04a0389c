using System.Collections.Generic;
using Townsfolk.V1;

namespace Townsfolk
{
    /// <summary>What an answer must be; give it to a turn or a completion.</summary>
    public static class Grammars
    {
        /// <summary>JSON that this JSON Schema describes.</summary>
        public static Grammar JsonSchema(string schema) => new Grammar { JsonSchema = schema };

        /// <summary>A text that this regular expression matches from end to end.</summary>
        public static Grammar Regex(string pattern) => new Grammar { Regex = pattern };

        /// <summary>A text of this grammar in Lark's notation, whose rule `start` is the whole.</summary>
        public static Grammar Lark(string text) => new Grammar { Lark = text };

        /// <summary>One of these texts.</summary>
        public static Grammar Choices(IEnumerable<string> options)
        {
            var choices = new Choices();
            choices.Options.AddRange(options);
            return new Grammar { Choices = choices };
        }
    }
}
