using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Json;

namespace Townsfolk.Tests.Support
{
    /// <summary>The tokens that could end an answer before its time: control tokens, line ends and actions.</summary>
    internal static class Vocabulary
    {
        public static readonly IReadOnlyList<int> Ends = Read();

        private static List<int> Read()
        {
            var model = Environment.GetEnvironmentVariable("TOWNSFOLK_TEST_MODEL")
                ?? Path.Combine(Repository.Root, "runtime", "townsfolk", "starter", "model");
            using var tokenizer = JsonDocument.Parse(File.ReadAllText(Path.Combine(model, "tokenizer.json")));
            var control = tokenizer.RootElement.GetProperty("added_tokens").EnumerateArray()
                .Select(token => token.GetProperty("id").GetInt32());
            // A line of somebody else's or an action would end an answer, too. A byte-level vocabulary writes the
            // line feed as U+010A.
            var begins = tokenizer.RootElement.GetProperty("model").GetProperty("vocab").EnumerateObject()
                .Where(token => token.Name.Contains('\u010a') || token.Name.Contains('<'))
                .Select(token => token.Value.GetInt32());
            return control.Concat(begins).Distinct().ToList();
        }
    }
}
