using NUnit.Framework;

namespace Townsfolk.Tests
{
    [TestFixture]
    internal sealed class CodePointsTests
    {
        [TestCase("", 0)]
        [TestCase("café", 4)]
        [TestCase("a😀b", 3)]
        [TestCase("😀😀", 2)]
        public void CountsAsTheContractDoes(string text, int expected) =>
            Assert.That(CodePoints.Count(text), Is.EqualTo(expected));

        [Test]
        public void HalfACharacterAtTheEndIsNotHeard() =>
            Assert.That(CodePoints.Count("😀😀".Substring(0, 3)), Is.EqualTo(1));

        [TestCase("abc", 2, "ab")]
        [TestCase("abc", 9, "abc")]
        [TestCase("abc", 0, "")]
        [TestCase("😀😀!", 1, "😀")]
        [TestCase("😀😀!", 3, "😀😀!")]
        public void TakesWholeOnes(string text, int count, string expected) =>
            Assert.That(CodePoints.Take(text, count), Is.EqualTo(expected));
    }
}
