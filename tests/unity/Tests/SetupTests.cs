using System;
using System.Collections.Generic;
using System.IO;
using System.IO.Compression;
using System.Linq;
using System.Reflection;
using System.Runtime.Loader;
using NUnit.Framework;
using Townsfolk.Setup;
using UnityEditor;
using UnityEditor.Build;
using UnityEngine;
using UnityStubs;

namespace Townsfolk.Tests
{
    /// <summary>The set-up of Google.Protobuf, with the packages as they are published.</summary>
    [TestFixture]
    internal sealed class SetupTests
    {
        private const string OpenPage = "1. Open the download page (C#: the NuGet package Google.Protobuf)";
        private const string Choose = "2. Choose a downloaded .nupkg; the others beside it are taken too";
        private const string Unsafe = "System.Runtime.CompilerServices.Unsafe";
        private static readonly string[] Platforms = { "Android", "PS5", "Server", "Standalone", "WebGL", "iPhone" };

        private string _before = null!;
        private DirectoryInfo _project = null!;

        [SetUp]
        public void MakeProject()
        {
            _before = Environment.CurrentDirectory;
            _project = Directory.CreateTempSubdirectory("townsfolk-project-");
            Environment.CurrentDirectory = _project.FullName;
            Directory.CreateDirectory("Downloads");
            foreach (var platform in Platforms)
            {
                EditorPlayer.Defines[platform] = new[] { "MINE", ProtobufCheck.Define };
            }
        }

        [TearDown]
        public void DeleteProject()
        {
            Environment.CurrentDirectory = _before;
            _project.Delete(recursive: true);
            EditorPlayer.UserAssemblies = Array.Empty<string>();
            EditorPlayer.Defines.Clear();
            EditorPlayer.Windows.Clear();
            Player.IsBatchMode = false;
            Player.Messages.Clear();
        }

        [Test]
        public void WhatIsMissingIsAddedInTwoClicks()
        {
            Download("google.protobuf", "3.25.1");
            Download(Unsafe, "4.5.2");
            Download("system.memory", "4.5.3");
            ProtobufCheck.Run();
            Assert.That(EditorPlayer.Defines.Values, Is.All.EqualTo(new[] { "MINE" }));
            var window = EditorPlayer.Windows["Townsfolk Setup"];
            Assert.That(
                EditorPlayer.Draw(window),
                Has.Some.Contains("lacks Google.Protobuf 3.25.1 or later and System.Runtime.CompilerServices.Unsafe 4.5.2."));
            EditorPlayer.Draw(window, press: OpenPage);
            Assert.That(Player.Messages, Has.Some.StartsWith("open https://"));

            EditorPlayer.ChosenFile = Path.GetFullPath("Downloads/google.protobuf.3.25.1.nupkg");
            EditorPlayer.Draw(window, press: Choose);
            Assert.That(Added(), Is.EquivalentTo(new[] { "Google.Protobuf.dll", Unsafe + ".dll" }));
            Assert.That(
                File.ReadAllBytes(ProtobufCheck.PluginFolder + "/Google.Protobuf.dll"),
                Is.EqualTo(File.ReadAllBytes(Build("google.protobuf", "3.25.1", "Google.Protobuf.dll"))));

            EditorPlayer.UserAssemblies = Added();
            EditorPlayer.Frame();
            foreach (var platform in Platforms)
            {
                Assert.That(EditorPlayer.Defines[platform], Is.EqualTo(new[] { "MINE", ProtobufCheck.Define }), platform);
            }

            Assert.That(EditorPlayer.Draw(window), Has.Some.Contains("has all it needs"));
        }

        [Test]
        public void WhatIsStillMissingIsNamed()
        {
            Download("google.protobuf", "3.25.1");
            ProtobufCheck.Run();
            var window = EditorPlayer.Windows["Townsfolk Setup"];
            EditorPlayer.ChosenFile = Path.GetFullPath("Downloads/google.protobuf.3.25.1.nupkg");
            EditorPlayer.Draw(window, press: Choose);
            Assert.That(EditorPlayer.Draw(window), Has.Some.Contains("Still missing: " + Unsafe + " 4.5.2"));

            EditorPlayer.UserAssemblies = Added();
            EditorPlayer.Frame();
            Assert.That(EditorPlayer.Defines.Values, Has.None.Contains(ProtobufCheck.Define));
            Assert.That(EditorPlayer.Draw(window), Has.Some.Contains("lacks " + Unsafe + " 4.5.2."));
        }

        [TestCase("no archive", "wrong.nupkg")]
        [TestCase("", "System.Runtime.CompilerServices.Unsafe 6.0.0; needed: System.Runtime.CompilerServices.Unsafe 4.5.2")]
        [TestCase("", "is the package Newtonsoft.Json; needed: Google.Protobuf", "Newtonsoft.Json")]
        [TestCase("", "Google.Protobuf 3.19.4; needed: Google.Protobuf 3.25.1 or later", "Google.Protobuf", "3.19.4")]
        public void AWrongChoiceIsExplained(
            string content, string explanation, string id = Unsafe, string version = "6.0.0")
        {
            File.WriteAllText("Downloads/wrong.nupkg", content);
            if (content.Length == 0)
            {
                Pack("Downloads/wrong.nupkg", id, version);
            }

            ProtobufCheck.Run();
            var window = EditorPlayer.Windows["Townsfolk Setup"];
            EditorPlayer.ChosenFile = Path.GetFullPath("Downloads/wrong.nupkg");
            EditorPlayer.Draw(window, press: Choose);
            Assert.That(EditorPlayer.Draw(window), Has.Some.StartsWith("Error: ").And.Some.Contains(explanation));
        }

        [Test]
        public void ASwitchOfThePlatformChecksAgain()
        {
            EditorPlayer.UserAssemblies = new[] { "Assets/Google.Protobuf.dll", $"Assets/{Unsafe}.dll" };
            EditorPlayer.Defines.Clear();
            EditorPlayer.SwitchPlatform(typeof(ProtobufCheck).Assembly, BuildTarget.Android);
            Assert.That(EditorPlayer.Defines.Keys, Is.EquivalentTo(Platforms));
            Assert.That(EditorPlayer.Defines.Values, Is.All.EqualTo(new[] { ProtobufCheck.Define }));
        }

        [Test]
        public void ABuildMachineIsToldInItsLog()
        {
            Player.IsBatchMode = true;
            ProtobufCheck.Run();
            Assert.That(EditorPlayer.Windows.Keys, Has.None.EqualTo("Townsfolk Setup"));
            Assert.That(Player.Messages, Has.Some.StartsWith("error: Townsfolk: This project lacks Google.Protobuf"));
        }

        [Test]
        public void ItIsLoadedAndUsedBeforeItCounts()
        {
            Assert.That(ProtobufProof.Problem(Published), Is.Empty);
            Assert.That(ProtobufProof.Problem(Assembly.Load), Is.Empty);
        }

        [TestCase("Google.Protobuf", "Unity does not load it")]
        [TestCase(Unsafe, "not System.Runtime.CompilerServices.Unsafe 4.0.4.1, which it needs")]
        [TestCase("System.Memory", "not System.Memory 4.0.1.1, which it needs")]
        public void WhatCanNotBeLoadedIsNamed(string refused, string explanation)
        {
            Assembly Load(AssemblyName name) =>
                name.Name == refused ? throw new FileNotFoundException(refused) : Published(name);
            Assert.That(ProtobufProof.Problem(Load), Does.Contain(explanation));
        }

        // The build that Unity gets; .NET itself would take another one out of the package.
        private static Assembly Published(AssemblyName name) => name.Name == "Google.Protobuf"
            ? new AssemblyLoadContext("published").LoadFromAssemblyPath(
                Build("google.protobuf", "3.25.1", "Google.Protobuf.dll"))
            : Assembly.Load(name);

        private static string[] Added() => Directory.GetFiles(ProtobufCheck.PluginFolder)
            .Select(file => Path.GetFileName(file)!).ToArray();

        private static string Folder(string id, string version)
        {
            var packages = Environment.GetEnvironmentVariable("NUGET_PACKAGES")
                ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");
            return Path.Combine(packages, id.ToLowerInvariant(), version);
        }

        private static string Build(string id, string version, string file) =>
            Path.Combine(Folder(id, version), "lib", "netstandard2.0", file);

        private static void Download(string id, string version)
        {
            var file = $"{id.ToLowerInvariant()}.{version}.nupkg";
            File.Copy(Path.Combine(Folder(id, version), file), Path.Combine("Downloads", file));
        }

        private static void Pack(string path, string id, string version)
        {
            File.Delete(path);
            using var archive = ZipFile.Open(path, ZipArchiveMode.Create);
            using var description = new StreamWriter(archive.CreateEntry(id + ".nuspec").Open());
            description.Write(
                $"<package><metadata><id>{id}</id><version>{version}</version></metadata></package>");
        }
    }
}
