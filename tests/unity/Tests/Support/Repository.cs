using System;
using System.IO;

namespace Townsfolk.Tests.Support
{
    /// <summary>Where things lie: the repository, its Python, its `townsfolk` command.</summary>
    internal static class Repository
    {
        public static readonly string Root = FindRoot();

        public static readonly string Python =
            Environment.GetEnvironmentVariable("TOWNSFOLK_PYTHON") ?? Script("python");

        public static readonly string Townsfolk =
            Environment.GetEnvironmentVariable("TOWNSFOLK_COMMAND") ?? Script("townsfolk");

        private static string FindRoot()
        {
            var folder = new DirectoryInfo(AppContext.BaseDirectory);
            while (!File.Exists(Path.Combine(folder.FullName, "pyproject.toml")))
            {
                folder = folder.Parent ?? throw new DirectoryNotFoundException("no repository above the tests");
            }

            return folder.FullName;
        }

        private static string Script(string name) => OperatingSystem.IsWindows()
            ? Path.Combine(Root, ".venv", "Scripts", name + ".exe")
            : Path.Combine(Root, ".venv", "bin", name);
    }
}
