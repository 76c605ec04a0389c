using NUnit.Framework;
using Townsfolk.Unity;

namespace Townsfolk.PackageTests
{
    public sealed class DistancePriorityTests
    {
        [TestCase(0f, 80)]
        [TestCase(3f, 80)]
        [TestCase(16.5f, 0)]
        [TestCase(30f, -80)]
        [TestCase(1000f, -80)]
        public void FallsEvenlyBetweenNearAndFar(float distance, int expected)
        {
            var priority = new DistancePriority { near = 80, far = -80, nearDistance = 3f, farDistance = 30f };
            Assert.That(priority.At(distance), Is.EqualTo(expected));
        }

        [Test]
        public void WithoutARangeTheNearPriorityHolds()
        {
            var priority = new DistancePriority { near = 10, far = -80, nearDistance = 3f, farDistance = 3f };
            Assert.That(priority.At(100f), Is.EqualTo(10));
        }
    }
}
