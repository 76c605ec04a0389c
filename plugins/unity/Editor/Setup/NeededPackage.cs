using System;
using System.Collections.Generic;

namespace Townsfolk.Setup
{
    /// <summary>A package that Townsfolk needs, unless Unity or the project has its assembly already.</summary>
    public sealed class NeededPackage
    {
        /// <summary>
        /// All of them: Google.Protobuf, and what its build for .NET Standard 2.0 refers to. Unity has most
        /// of these itself; System.Runtime.CompilerServices.Unsafe it has not.
        /// </summary>
        public static readonly IReadOnlyList<NeededPackage> All = new[]
        {
            new NeededPackage("Google.Protobuf", "3.25.1", orLater: true),
            new NeededPackage("System.Runtime.CompilerServices.Unsafe", "4.5.2", orLater: false),
            new NeededPackage("System.Memory", "4.5.3", orLater: false),
            new NeededPackage("System.Buffers", "4.4.0", orLater: false),
            new NeededPackage("System.Numerics.Vectors", "4.4.0", orLater: false),
        };

        private readonly bool _orLater;

        private NeededPackage(string id, string version, bool orLater)
        {
            Id = id;
            Version = Version.Parse(version);
            _orLater = orLater;
        }

        /// <summary>The package's name, which is its assembly's too.</summary>
        public string Id { get; }

        /// <summary>The version that the generated code, or Google.Protobuf, was compiled against.</summary>
        public Version Version { get; }

        /// <summary>The file in the project.</summary>
        public string AssemblyFile => Id + ".dll";

        /// <summary>
        /// Whether this version will do. Of Google.Protobuf a later one does; of the others Unity loads only
        /// the one that Google.Protobuf names.
        /// </summary>
        public bool Takes(Version version) => _orLater ? version >= Version : version == Version;

        /// <inheritdoc/>
        public override string ToString() => $"{Id} {Version}" + (_orLater ? " or later" : string.Empty);
    }
}
