using System;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Runtime.CompilerServices;
using System.Runtime.Loader;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using Townsfolk.Editor;
using Townsfolk.Unity;
using UnityEditor;
using UnityEngine;
using UnityStubs;

namespace Townsfolk.Tests.EndToEnd
{
    /// <summary>
    /// What the Unity editor does at each change of a script: it tells the loaded assemblies, and unloads
    /// them. The package is loaded into a context of its own here, made to speak, told, and unloaded:
    /// a thread, timer, call or handle that stayed behind would keep it in memory.
    /// </summary>
    [TestFixture]
    [Timeout(600000)]
    internal sealed class ReloadTests
    {
        [TestCase("reload", TownsfolkWire.GrpcWeb)]
        [TestCase("reload", TownsfolkWire.Grpc)]
        [TestCase("play mode", TownsfolkWire.GrpcWeb)]
        [TestCase("quit", TownsfolkWire.GrpcWeb)]
        public async Task NothingStaysBehind(string end, TownsfolkWire wire)
        {
            var (package, pid) = await Task.Run(() => LoadAndSpeak(end, wire));
            Assert.That(IsAlive(pid), Is.False, "the runtime still runs");
            for (var i = 0; package.IsAlive && i < 1200; i++)
            {
                GC.Collect();
                GC.WaitForPendingFinalizers();
                await Task.Delay(50);
            }

            Assert.That(package.IsAlive, Is.False, "something keeps the package's assemblies in memory");
        }

        // Not inlined, so that no local of it keeps the context alive.
        [MethodImpl(MethodImplOptions.NoInlining)]
        private static (WeakReference Package, int Pid) LoadAndSpeak(string end, TownsfolkWire wire)
        {
            var package = new PackageContext();
            var driver = package.LoadFromAssemblyPath(typeof(ReloadTests).Assembly.Location)
                .GetType(typeof(ReloadDriver).FullName!)!;
            var launch = SharedRuntime.Launch();
            var pid = (int)driver.GetMethod(nameof(ReloadDriver.Run))!.Invoke(
                null, new object?[] { end, wire.ToString(), launch.Command, launch.Model, launch.ServeArguments.ToArray() })!;
            package.Unload();
            return (new WeakReference(package), pid);
        }

        private static bool IsAlive(int pid)
        {
            try
            {
                using var process = Process.GetProcessById(pid);
                return !process.HasExited;
            }
            catch (ArgumentException)
            {
                return false;
            }
        }

        private sealed class PackageContext : AssemblyLoadContext
        {
            private static readonly string[] Own =
            {
                "Townsfolk.Core", "Townsfolk.Unity", "Townsfolk.Editor", "Townsfolk.Setup.Editor",
                "Google.Protobuf", "UnityStubs",
            };

            public PackageContext()
                : base("package", isCollectible: true)
            {
            }

            protected override System.Reflection.Assembly? Load(System.Reflection.AssemblyName name) =>
                Own.Contains(name.Name)
                    ? LoadFromAssemblyPath(Path.Combine(AppContext.BaseDirectory, name.Name + ".dll"))
                    : null;
        }
    }

    /// <summary>Runs inside the context that is unloaded.</summary>
    internal static class ReloadDriver
    {
        /// <summary>Speaks in the game and in the editor's own chat, and ends in the middle of it.</summary>
        /// <returns>The game's runtime's process id.</returns>
        public static int Run(
            string end, string wire, string command, string? model, string[] serveArguments)
        {
            RuntimeHelpers.RunClassConstructor(typeof(EditorRuntime).TypeHandle);
            var settings = ScriptableObject.CreateInstance<TownsfolkSettings>();
            settings.wire = (TownsfolkWire)Enum.Parse(typeof(TownsfolkWire), wire);
            settings.command = command;
            settings.model = model ?? string.Empty;
            settings.serveArguments = serveArguments;
            Player.Resources[TownsfolkSettings.ResourceName] = settings;

            var agents = Enumerable.Range(0, 3).Select(i => Scene.Character("Mara " + i, tokens: SharedRuntime.Long)).ToList();
            foreach (var agent in agents)
            {
                agent.Say("Tell me everything.");
                agent.Say("And then?");
            }

            Scene.FramesUntil(() => agents.All(agent => agent.CurrentText.Length > 0));
            var pid = TownsfolkRuntime.Instance.Process!.ProcessId!.Value;
            switch (end)
            {
                case "reload":
                    EditorPlayer.ReloadAssemblies();
                    break;
                case "play mode":
                    EditorPlayer.ChangePlayMode(PlayModeStateChange.ExitingPlayMode);
                    break;
                default:
                    Player.Quit();
                    break;
            }

            return pid;
        }
    }
}
