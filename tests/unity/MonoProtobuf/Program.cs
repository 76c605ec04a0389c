using System;
using System.IO;
using System.Linq;
using System.Reflection;
using Townsfolk.Setup;

namespace ProtobufProbe
{
    /// <summary>
    /// What the set-up adds, on Mono: `ProtobufProbe ARCHIVES FOLDER`. Takes the assemblies that Mono lacks out of
    /// downloaded archives, as the set-up does for Unity, loads them and prints what is wrong, if anything is.
    /// </summary>
    internal static class Program
    {
        private static void Main(string[] arguments)
        {
            var (archives, folder) = (arguments[0], arguments[1]);
            var library = Path.GetDirectoryName(typeof(object).Assembly.Location)!;
            var needed = NeededPackage.All
                .Where(one => !File.Exists(Path.Combine(library, one.AssemblyFile))
                    && !File.Exists(Path.Combine(library, "Facades", one.AssemblyFile)))
                .ToList();
            var first = Directory.GetFiles(archives, "google.protobuf.*.nupkg").Single();
            foreach (var left in PackageArchive.Add(first, needed, folder))
            {
                Console.WriteLine("missing " + left);
            }

            AppDomain.CurrentDomain.AssemblyResolve += (_, wanted) =>
            {
                var file = Path.Combine(folder, new AssemblyName(wanted.Name).Name + ".dll");
                return File.Exists(file) ? Assembly.LoadFrom(file) : null;
            };
            Console.WriteLine("problem: " + ProtobufProof.Problem(Assembly.Load));
        }
    }
}
