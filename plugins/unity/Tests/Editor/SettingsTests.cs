using NUnit.Framework;
using Townsfolk.Unity;
using UnityEngine;

namespace Townsfolk.PackageTests
{
    public sealed class SettingsTests
    {
        [Test]
        public void TheDefaultsLaunchTheStarterModel()
        {
            var settings = ScriptableObject.CreateInstance<TownsfolkSettings>();
            var launch = settings.ToLaunch();
            Assert.That(settings.launchRuntime, Is.True);
            Assert.That(launch.Command, Is.EqualTo("townsfolk"));
            Assert.That(launch.Model, Is.Null);
        }

        [Test]
        public void TheEndpointIsWhatTheSettingsSay()
        {
            var settings = ScriptableObject.CreateInstance<TownsfolkSettings>();
            settings.host = "npc.example";
            settings.webPort = 4711;
            settings.useTls = true;
            var endpoint = settings.ToEndpoint();
            Assert.That(endpoint.Host, Is.EqualTo("npc.example"));
            Assert.That(endpoint.WebPort, Is.EqualTo(4711));
            Assert.That(endpoint.UseTls, Is.True);
            Assert.That(endpoint.IsLoopback, Is.False);
        }
    }
}
