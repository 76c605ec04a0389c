using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Reflection;
using NUnit.Framework;
using Townsfolk.Editor;
using Townsfolk.Unity;
using UnityEditor;
using UnityEngine;
using UnityStubs;

namespace Townsfolk.Tests.EndToEnd
{
    /// <summary>A bundle of the runtime is checked, laid into a build, and started before anything else.</summary>
    internal sealed class BundleTests
    {
        private string _folder = null!;

        private string Made => Path.Combine(_folder, "made");

        [SetUp]
        public void MakeBundle()
        {
            _folder = Directory.CreateTempSubdirectory("Schänke am Fluß ").FullName;
            Directory.CreateDirectory(Path.Combine(Made, "lib"));
            File.WriteAllText(Path.Combine(Made, "townsfolk"), "program");
            File.WriteAllText(Path.Combine(Made, "lib", "größe.so"), "12345");
            File.WriteAllText(
                Path.Combine(Made, "manifest.json"),
                "{\"townsfolk\": \"0.1.0\", \"platform\": \"linux-x86_64\", \"program\": \"townsfolk\", \"files\": "
                + "{\"townsfolk\": {\"size\": 7}, \"lib/größe.so\": {\"size\": 5}}}");
            Player.StreamingAssetsPath = Path.Combine(_folder, "Game_Data", "StreamingAssets");
        }

        [TearDown]
        public void Remove()
        {
            Player.StreamingAssetsPath = string.Empty;
            Directory.Delete(_folder, recursive: true);
        }

        private static IEnumerable<string> Warnings(TownsfolkSettings settings, BuildTarget target) =>
            (IEnumerable<string>)Internal("LaunchCheck", "BundleWarnings", settings, target);

        private static object Internal(string type, string method, params object[] arguments) =>
            typeof(EditorRuntime).Assembly.GetType("Townsfolk.Editor." + type)!
                .GetMethod(method, BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic)!
                .Invoke(null, arguments)!;

        [Test]
        public void ItIsLaidIntoABuildAndStarted()
        {
            var bundle = RuntimeBundle.Open(Made)!;
            bundle.CopyTo(Path.Combine(Player.StreamingAssetsPath, RuntimeBundle.FolderName));
            var settings = ScriptableObject.CreateInstance<TownsfolkSettings>();
            settings.command = "/no/such/program";
            settings.commandArguments = new[] { "-m", "townsfolk" };
            settings.model = "starter";
            var launch = settings.ToLaunch();
            var shipped = Path.Combine(Player.StreamingAssetsPath, "townsfolk");
            Assert.That(launch.Command, Is.EqualTo(Path.Combine(shipped, "townsfolk")));
            Assert.That(launch.CommandArguments, Is.Empty);
            Assert.That(launch.Model, Is.Null);
            Assert.That(File.ReadAllText(Path.Combine(shipped, "lib", "größe.so")), Is.EqualTo("12345"));
        }

        [Test]
        public void WithoutOneTheConfiguredProgramIsStarted()
        {
            var settings = ScriptableObject.CreateInstance<TownsfolkSettings>();
            settings.command = "/opt/townsfolk";
            settings.bundle = Made;
            Assert.That(settings.ToLaunch().Command, Is.EqualTo("/opt/townsfolk"));
            settings.command = "townsfolk";
            Assert.That(settings.ToLaunch().Command, Is.EqualTo(Path.Combine(Made, "townsfolk")));
            settings.bundle = string.Empty;
            Assert.That(settings.ToLaunch().Command, Is.EqualTo("townsfolk"));
        }

        [Test]
        public void WhatIsWrongWithItIsSaidBeforeABuild()
        {
            var settings = ScriptableObject.CreateInstance<TownsfolkSettings>();
            settings.bundle = Made;
            Assert.That(Warnings(settings, BuildTarget.StandaloneLinux64), Is.Empty);
            Assert.That(
                Warnings(settings, BuildTarget.StandaloneWindows64).Single(),
                Does.Contain("is for linux-x86_64"));
            File.WriteAllText(Path.Combine(Made, "lib", "größe.so"), "1234");
            File.Delete(Path.Combine(Made, "townsfolk"));
            Assert.That(
                Warnings(settings, BuildTarget.StandaloneLinux64).Single(),
                Does.Contain("townsfolk is missing, lib/größe.so has 4 bytes"));
            settings.bundle = Path.Combine(_folder, "none");
            Assert.That(
                Warnings(settings, BuildTarget.StandaloneLinux64).Single(),
                Does.Contain("holds no bundle"));
        }

        [TestCase(BuildTarget.StandaloneLinux64, "game.x86_64", "game_Data/StreamingAssets")]
        [TestCase(BuildTarget.StandaloneWindows64, "My Game.exe", "My Game_Data/StreamingAssets")]
        [TestCase(BuildTarget.StandaloneOSX, "Game.app", "Game.app/Contents/Resources/Data/StreamingAssets")]
        public void ABuildHasItBelowItsStreamingAssets(BuildTarget target, string built, string expected)
        {
            var found = (string)Internal("TownsfolkBuild", "StreamingAssetsOf", Path.Combine(_folder, built), target);
            Assert.That(found.Replace('\\', '/'), Is.EqualTo(Path.Combine(_folder, expected).Replace('\\', '/')));
        }

        [Test]
        public void ABrokenManifestIsNoBundle()
        {
            File.WriteAllText(Path.Combine(Made, "manifest.json"), "{\"program\": ");
            Assert.That(RuntimeBundle.Open(Made), Is.Null);
            File.WriteAllText(Path.Combine(Made, "manifest.json"), "{}");
            Assert.That(RuntimeBundle.Open(Made), Is.Null);
        }
    }
}
