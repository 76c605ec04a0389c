using System;
using System.IO;
using System.IO.Compression;
using System.Linq;
using UnityEditor;
using UnityEditor.Build;
using UnityEditor.Compilation;

namespace Townsfolk.Setup
{
    /// <summary>
    /// Townsfolk needs one assembly that it does not ship: Google.Protobuf. The package's other assemblies
    /// compile only where TOWNSFOLK_PROTOBUF is defined, so that this one, which needs nothing, still
    /// compiles in a project that lacks it and can say what to do.
    /// </summary>
    [InitializeOnLoad]
    public static class ProtobufCheck
    {
        /// <summary>The define that lets the package's other assemblies compile.</summary>
        public const string Define = "TOWNSFOLK_PROTOBUF";

        /// <summary>The assembly that is needed.</summary>
        public const string AssemblyFile = "Google.Protobuf.dll";

        /// <summary>The oldest version that the generated code compiles against.</summary>
        public const string OldestVersion = "3.25.1";

        /// <summary>Where an added assembly is put.</summary>
        public const string PluginFolder = "Assets/Plugins/Townsfolk";

        // The builds of the assembly in its archive, the best for Unity first.
        private static readonly string[] Builds = { "lib/netstandard2.0/", "lib/netstandard2.1/" };

        static ProtobufCheck()
        {
            EditorApplication.delayCall += Run;
        }

        /// <summary>Whether the project has the assembly.</summary>
        public static bool IsPresent => CompilationPipeline.GetPrecompiledAssemblyNames().Contains(AssemblyFile);

        /// <summary>Sets or removes the define by what the project has; opens the window when it lacks the assembly.</summary>
        public static void Run()
        {
            var target = NamedBuildTarget.FromBuildTargetGroup(EditorUserBuildSettings.selectedBuildTargetGroup);
            PlayerSettings.GetScriptingDefineSymbols(target, out var defines);
            var wanted = IsPresent ? defines.Union(new[] { Define }) : defines.Except(new[] { Define });
            var list = wanted.ToArray();
            if (list.Length != defines.Length)
            {
                PlayerSettings.SetScriptingDefineSymbols(target, list);
            }

            if (!IsPresent)
            {
                ProtobufSetupWindow.Open();
            }
        }

        /// <summary>Takes the assembly out of a downloaded package archive into the project's Assets.</summary>
        /// <exception cref="InvalidDataException">The archive is not Google.Protobuf, or it is too old.</exception>
        public static void AddFrom(string archivePath, string pluginFolder)
        {
            using var archive = ZipFile.OpenRead(archivePath);
            var entry = Builds
                .Select(build => archive.GetEntry(build + AssemblyFile))
                .FirstOrDefault(found => found != null)
                ?? throw new InvalidDataException(
                    $"{Path.GetFileName(archivePath)} holds no {Builds[0]}{AssemblyFile}: "
                    + "download the package Google.Protobuf");
            var version = VersionOf(archive);
            if (version < Version.Parse(OldestVersion))
            {
                throw new InvalidDataException(
                    $"this is Google.Protobuf {version}; Townsfolk needs {OldestVersion} or later");
            }

            Directory.CreateDirectory(pluginFolder);
            entry.ExtractToFile(Path.Combine(pluginFolder, AssemblyFile), overwrite: true);
        }

        private static Version VersionOf(ZipArchive archive)
        {
            var description = archive.Entries.FirstOrDefault(entry => entry.FullName.EndsWith(".nuspec", StringComparison.Ordinal))
                ?? throw new InvalidDataException("this is no package archive: it has no .nuspec");
            using var reader = description.Open();
            var text = System.Xml.Linq.XDocument.Load(reader).Descendants()
                .First(element => element.Name.LocalName == "version").Value;
            return Version.Parse(text.Split('-')[0]);
        }
    }
}
