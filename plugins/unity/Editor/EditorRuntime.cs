using Townsfolk.Unity;
using UnityEditor;

namespace Townsfolk.Editor
{
    /// <summary>
    /// The runtime of the editor's own chats and of the Townsfolk window. Started on demand; it and the
    /// game's runtime end with play mode, with every script reload and with the editor.
    /// </summary>
    [InitializeOnLoad]
    public static class EditorRuntime
    {
        private static TownsfolkClient? s_client;

        static EditorRuntime()
        {
            EditorApplication.playModeStateChanged += OnPlayModeChanged;
            AssemblyReloadEvents.beforeAssemblyReload += EndAll;
            EditorApplication.quitting += EndAll;
        }

        /// <summary>The launched runtime; null when none was needed yet, or when it runs elsewhere.</summary>
        public static RuntimeProcess? Process { get; private set; }

        /// <summary>A client of the runtime that the project's settings describe.</summary>
        public static TownsfolkClient Client => s_client ??= Connect();

        /// <summary>Ends the editor's runtime.</summary>
        public static void Shutdown()
        {
            s_client?.Dispose();
            s_client = null;
            Process?.Dispose();
            Process = null;
        }

        private static TownsfolkClient Connect()
        {
            var client = TownsfolkSettings.Load().Connect(out var process);
            Process = process;
            return client;
        }

        private static void OnPlayModeChanged(PlayModeStateChange change)
        {
            if (change == PlayModeStateChange.ExitingPlayMode)
            {
                TownsfolkRuntime.Shutdown();
            }
            else if (change == PlayModeStateChange.ExitingEditMode)
            {
                // The game launches its own: two models need not share the memory.
                Shutdown();
            }
        }

        private static void EndAll()
        {
            TownsfolkRuntime.Shutdown();
            Shutdown();
        }
    }
}
