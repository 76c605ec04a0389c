using System;
using System.Collections.Generic;
using System.IO;
using System.IO.Compression;
using System.Linq;
using System.Xml;
using System.Xml.Linq;

namespace Townsfolk.Setup
{
    /// <summary>A downloaded package archive: a .nupkg.</summary>
    public sealed class PackageArchive : IDisposable
    {
        // The builds of an assembly in its archive, the best for Unity first.
        private static readonly string[] Builds = { "lib/netstandard2.0/", "lib/netstandard2.1/" };

        private readonly string _file;
        private readonly ZipArchive _archive;

        private PackageArchive(string path)
        {
            _file = Path.GetFileName(path);
            _archive = ZipFile.OpenRead(path);
            try
            {
                (Id, Version) = Describe();
            }
            catch
            {
                _archive.Dispose();
                throw;
            }
        }

        /// <summary>The package's name.</summary>
        public string Id { get; }

        /// <summary>The package's version.</summary>
        public Version Version { get; }

        /// <summary>
        /// Takes assemblies that are needed out of an archive, and out of those that lie beside it, into a
        /// folder of the project.
        /// </summary>
        /// <param name="path">The archive that was chosen.</param>
        /// <param name="needed">What is needed.</param>
        /// <param name="folder">Where the assemblies go.</param>
        /// <returns>What is still needed.</returns>
        /// <exception cref="InvalidDataException">The chosen archive is none of what is needed.</exception>
        public static IReadOnlyList<NeededPackage> Add(
            string path, IReadOnlyList<NeededPackage> needed, string folder)
        {
            var left = needed.ToList();
            using (var chosen = Open(path))
            {
                left.Remove(chosen.Find(needed));
                chosen.Extract(folder);
            }

            foreach (var beside in Directory.GetFiles(Path.GetDirectoryName(Path.GetFullPath(path))!, "*.nupkg"))
            {
                // Others than the chosen one may be anything.
                try
                {
                    using var archive = Open(beside);
                    left.Remove(archive.Find(left));
                    archive.Extract(folder);
                }
                catch (Exception other) when (other is InvalidDataException || other is IOException)
                {
                }
            }

            return left;
        }

        /// <inheritdoc/>
        public void Dispose() => _archive.Dispose();

        private static PackageArchive Open(string path)
        {
            try
            {
                return new PackageArchive(path);
            }
            catch (Exception broken) when (broken is XmlException || broken is FormatException
                || broken is ArgumentException || broken is InvalidDataException)
            {
                throw new InvalidDataException($"{Path.GetFileName(path)} is no package archive: {broken.Message}", broken);
            }
        }

        private (string Id, Version Version) Describe()
        {
            var description = _archive.Entries.FirstOrDefault(
                entry => entry.FullName.EndsWith(".nuspec", StringComparison.Ordinal))
                ?? throw new FormatException("it has no .nuspec");
            using var reader = description.Open();
            var about = XDocument.Load(reader);
            return (Read(about, "id"), Version.Parse(Read(about, "version").Split('-')[0]));
        }

        private static string Read(XDocument about, string element) =>
            about.Descendants().FirstOrDefault(one => one.Name.LocalName == element)?.Value
                ?? throw new FormatException($"its .nuspec has no <{element}>");

        private NeededPackage Find(IReadOnlyList<NeededPackage> needed)
        {
            var same = needed.FirstOrDefault(one => string.Equals(one.Id, Id, StringComparison.OrdinalIgnoreCase))
                ?? throw new InvalidDataException(
                    $"{_file} is the package {Id}; needed: {string.Join(", ", needed)}");
            return same.Takes(Version)
                ? same
                : throw new InvalidDataException($"{_file} is {Id} {Version}; needed: {same}");
        }

        private void Extract(string folder)
        {
            var file = Id + ".dll";
            var entry = Builds
                .Select(build => _archive.GetEntry(build + file))
                .FirstOrDefault(found => found != null)
                ?? throw new InvalidDataException($"{_file} holds no {Builds[0]}{file}");
            Directory.CreateDirectory(folder);
            entry.ExtractToFile(Path.Combine(folder, file), overwrite: true);
        }
    }
}
