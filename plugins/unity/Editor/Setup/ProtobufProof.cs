using System;
using System.Collections.Generic;
using System.Linq;
using System.Reflection;

namespace Townsfolk.Setup
{
    /// <summary>
    /// Shows that Google.Protobuf works here: loads it and all that it refers to, and sends a message through
    /// its bytes. That a file of its name lies in the project shows nothing: Unity refuses to load it when a
    /// reference can't be resolved.
    /// </summary>
    public static class ProtobufProof
    {
        private const string Name = "Google.Protobuf";

        // Not of ASCII alone, so that the encoder is needed.
        private const string Probe = "Gasthof zum Bären";

        /// <summary>Returns what keeps it from working; empty when it works.</summary>
        /// <param name="load">Loads an assembly, or throws as <see cref="Assembly.Load(AssemblyName)"/> does.</param>
        public static string Problem(Func<AssemblyName, Assembly> load)
        {
            if (!TryLoad(load, new AssemblyName(Name), out var protobuf))
            {
                return $"{Name}.dll is in the project, but Unity does not load it: the Console's first messages say "
                    + "why. One way: another version of what it refers to is in the project; then switch off "
                    + "Project Settings, Player, Assembly Version Validation.";
            }

            var lost = Unresolved(load, protobuf!);
            if (lost.Count > 0)
            {
                return $"{Name}.dll is in the project, but not " + string.Join(", ", lost) + ", which it needs.";
            }

            try
            {
                return RoundTrip(protobuf!) == Probe ? string.Empty : $"{Name}.dll changes what it is given.";
            }
            catch (Exception failure)
            {
                return $"{Name}.dll does not work here: {failure.GetBaseException().Message}";
            }
        }

        private static bool TryLoad(Func<AssemblyName, Assembly> load, AssemblyName name, out Assembly? assembly)
        {
            try
            {
                assembly = load(name);
                return assembly != null;
            }
            catch (Exception failure) when (failure is System.IO.IOException || failure is BadImageFormatException)
            {
                assembly = null;
                return false;
            }
        }

        private static List<string> Unresolved(Func<AssemblyName, Assembly> load, Assembly root)
        {
            var lost = new List<string>();
            var seen = new HashSet<string>();
            var waiting = new Queue<AssemblyName>(root.GetReferencedAssemblies());
            while (waiting.Count > 0)
            {
                var name = waiting.Dequeue();
                if (!seen.Add(name.Name))
                {
                    continue;
                }

                if (!TryLoad(load, name, out var assembly))
                {
                    lost.Add($"{name.Name} {name.Version}");
                }
                else if (name.Name != "netstandard" && name.Name != "mscorlib")
                {
                    foreach (var further in assembly!.GetReferencedAssemblies())
                    {
                        waiting.Enqueue(further);
                    }
                }
            }

            return lost;
        }

        // By reflection, as this assembly must compile without it.
        private static string? RoundTrip(Assembly protobuf)
        {
            var type = protobuf.GetType("Google.Protobuf.WellKnownTypes.StringValue", throwOnError: true)!;
            var message = Activator.CreateInstance(type)!;
            var value = type.GetProperty("Value")!;
            value.SetValue(message, Probe);
            var bytes = protobuf.GetType("Google.Protobuf.MessageExtensions", throwOnError: true)!
                .GetMethod("ToByteArray")!.Invoke(null, new[] { message });
            var parser = type.GetProperty("Parser")!.GetValue(null)!;
            var parse = parser.GetType().GetMethods().First(method => method.Name == "ParseFrom"
                && method.ReturnType == type
                && method.GetParameters().Select(one => one.ParameterType).SequenceEqual(new[] { typeof(byte[]) }));
            return (string?)value.GetValue(parse.Invoke(parser, new[] { bytes }));
        }
    }
}
