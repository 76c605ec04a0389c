using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;

namespace Townsfolk
{
    /// <summary>
    /// A folder that `townsfolk bundle` has made: a runtime and its model, for machines that have neither.
    /// </summary>
    public sealed class RuntimeBundle
    {
        /// <summary>What the folder is called in a game: it lies below StreamingAssets.</summary>
        public const string FolderName = "townsfolk";

        private const string Manifest = "manifest.json";

        private readonly Dictionary<string, long> _sizes;

        private RuntimeBundle(string folder, Struct manifest)
        {
            Folder = folder;
            Program = Path.Combine(folder, manifest.Fields["program"].StringValue);
            Version = manifest.Fields["townsfolk"].StringValue;
            Platform = manifest.Fields["platform"].StringValue;
            _sizes = manifest.Fields["files"].StructValue.Fields.ToDictionary(
                file => file.Key, file => (long)file.Value.StructValue.Fields["size"].NumberValue);
        }

        /// <summary>Its folder.</summary>
        public string Folder { get; }

        /// <summary>The path of its program.</summary>
        public string Program { get; }

        /// <summary>The version of Townsfolk in it.</summary>
        public string Version { get; }

        /// <summary>What it runs on, such as linux-x86_64 or win-amd64.</summary>
        public string Platform { get; }

        /// <summary>The bundle in a folder; null where there is none.</summary>
        public static RuntimeBundle? Open(string folder)
        {
            var path = Path.Combine(folder, Manifest);
            if (folder.Length == 0 || !File.Exists(path))
            {
                return null;
            }

            try
            {
                return new RuntimeBundle(folder, JsonParser.Default.Parse<Struct>(File.ReadAllText(path)));
            }
            catch (Exception broken) when (broken is InvalidProtocolBufferException || broken is IOException
                || broken is KeyNotFoundException)
            {
                return null;
            }
        }

        /// <summary>Whether a path lies in it.</summary>
        public bool Has(string path)
        {
            var full = Path.Combine(Folder, path);
            return !Path.IsPathRooted(path) && (File.Exists(full) || Directory.Exists(full));
        }

        /// <summary>What of it is missing, or has another size than it had when it was made.</summary>
        public IEnumerable<string> Problems()
        {
            foreach (var file in _sizes)
            {
                var found = new FileInfo(Path.Combine(Folder, file.Key));
                if (!found.Exists)
                {
                    yield return $"{file.Key} is missing";
                }
                else if (found.Length != file.Value)
                {
                    yield return $"{file.Key} has {found.Length} bytes";
                }
            }
        }

        /// <summary>Copies all of it, but for files that are there already.</summary>
        public void CopyTo(string target)
        {
            foreach (var file in _sizes.Keys.Append(Manifest))
            {
                var from = new FileInfo(Path.Combine(Folder, file));
                var to = new FileInfo(Path.Combine(target, file));
                if (to.Exists && to.Length == from.Length && to.LastWriteTimeUtc >= from.LastWriteTimeUtc)
                {
                    continue;
                }

                Directory.CreateDirectory(to.DirectoryName!);
                from.CopyTo(to.FullName, overwrite: true);
            }
        }
    }
}
