using System;
using System.Collections.Generic;
using System.Linq;
using NUnit.Framework;
using Townsfolk.Unity;

namespace Townsfolk.Tests
{
    /// <summary>A text is typed character by character, whatever its tags, and in whatever pieces it comes.</summary>
    [TestFixture]
    internal sealed class TypewriterTests
    {
        // A text, and its characters as TextMeshPro counts them.
        private static readonly object[] Texts =
        {
            new object[] { "Hello.", 6 },
            new object[] { "<b>Out</b>!", 4 },
            new object[] { "<color=#ff8000>fire</color> and <#00f>water</color>", 14 },
            new object[] { "1 < 2 and 3 > 2", 15 },
            new object[] { "<3 <laughs> <i", 14 },
            new object[] { "<noparse><b></noparse>x", 4 },
            new object[] { "a<br>b<sprite name=\"coin\">", 4 },
            new object[] { "Bär 🐻 👩‍🚒 é", 11 },
            new object[] { "<size=120%><i>both</i></size>", 4 },
            new object[] { string.Empty, 0 },
        };

        private static IEnumerable<string> Plain => Texts.Select(one => (string)((object[])one)[0]);

        [TestCaseSource(nameof(Texts))]
        public void CharactersAreCountedAsTheyAreShown(string text, int characters)
        {
            var typed = new Typewriter();
            typed.Append(text);
            typed.Complete();
            Assert.That(typed.Characters, Is.EqualTo(characters));
            typed.ShowAll();
            Assert.That(typed.Read, Is.EqualTo(text));
        }

        [TestCaseSource(nameof(Plain))]
        public void ItDoesNotMatterInWhichPiecesItComes(string text)
        {
            var whole = Steps(text, text.Length + 1);
            for (var size = 1; size < text.Length; size++)
            {
                Assert.That(Steps(text, size), Is.EqualTo(whole), $"in pieces of {size}");
            }
        }

        [TestCaseSource(nameof(Plain))]
        public void WhatIsReadIsABeginningOfTheText(string text)
        {
            foreach (var (read, _) in Steps(text, text.Length + 1))
            {
                Assert.That(text, Does.StartWith(read));
                Assert.That(read, Does.Not.EndWith("\ud83d"), "half a character");
            }
        }

        [Test]
        public void OpenTagsAreClosed()
        {
            var typed = new Typewriter();
            typed.Append("<b>Out <i>now</i></b>!");
            typed.Complete();
            Advance(typed, 5);
            Assert.That(typed.Read, Is.EqualTo("<b>Out <i>n"));
            Assert.That(typed.Shown, Is.EqualTo("<b>Out <i>n</i></b>"));
            Assert.That(typed.ShownInPlace, Is.EqualTo("<b>Out <i>n</i></b><alpha=#00>ow!</alpha>"));
            typed.ShowAll();
            Assert.That(typed.ShownInPlace, Is.EqualTo("<b>Out <i>now</i></b>!"));
        }

        [Test]
        public void ATagThatIsNotWholeYetIsNotShown()
        {
            var typed = new Typewriter();
            typed.Append("Hm <col");
            typed.ShowAll();
            Assert.That(typed.Shown, Is.EqualTo("Hm "));
            typed.Append("or=red>no");
            typed.ShowAll();
            Assert.That(typed.Shown, Is.EqualTo("Hm <color=red>no</color>"));
            typed.Append("<b");
            typed.Complete();
            typed.ShowAll();
            Assert.That(typed.Read, Is.EqualTo("Hm <color=red>no<b"));
        }

        [Test]
        public void WithoutRichTextTagsAreText()
        {
            var typed = new Typewriter { RichText = false };
            typed.Append("<b>x");
            Assert.That(typed.Characters, Is.EqualTo(4));
        }

        [Test]
        public void ItTypesAtItsSpeedAndPausesBetweenSentences()
        {
            var typed = new Typewriter { CharactersPerSecond = 10, SentencePause = 1 };
            typed.Append("No. Go");
            Assert.That(typed.Advance(0.05f), Is.False);
            Assert.That(typed.Advance(0.06f), Is.True);
            Assert.That(typed.Read, Is.EqualTo("N"));
            typed.Advance(1f);
            Assert.That(typed.Read, Is.EqualTo("No."));
            typed.Advance(0.5f);
            Assert.That(typed.Read, Is.EqualTo("No. Go"));
            typed.Advance(100f);
            typed.Append(" away");
            typed.Advance(0.11f);
            Assert.That(typed.Read, Is.EqualTo("No. Go "), "waiting earns no time");
        }

        [Test]
        public void WhatIsCutIsNeverShown()
        {
            var typed = new Typewriter();
            typed.Append("<b>Out</b> of here!");
            Advance(typed, 2);
            typed.Cut();
            typed.ShowAll();
            Assert.That(typed.Shown, Is.EqualTo("<b>Ou</b>"));
            Assert.That(typed.IsComplete, Is.True);
        }

        private static List<(string Read, string Shown)> Steps(string text, int size)
        {
            var typed = new Typewriter { SentencePause = 0 };
            for (var i = 0; i < text.Length; i += size)
            {
                typed.Append(text.Substring(i, Math.Min(size, text.Length - i)));
            }

            typed.Complete();
            var steps = new List<(string, string)> { (typed.Read, typed.Shown) };
            while (!typed.IsCaughtUp)
            {
                Advance(typed, 1);
                steps.Add((typed.Read, typed.Shown));
            }

            return steps;
        }

        private static void Advance(Typewriter typed, int characters)
        {
            typed.SentencePause = 0;
            typed.CharactersPerSecond = 1;
            typed.Advance(characters);
        }
    }
}
