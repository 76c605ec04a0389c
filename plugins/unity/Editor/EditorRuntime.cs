using Townsfolk.Unity;
using UnityEditor;
using UnityEngine;

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
        private static RuntimeProcess? s_process;
        private static string s_settings = string.Empty;

        static EditorRuntime()
        {
            EditorApplication.playModeStateChanged += OnPlayModeChanged;
            AssemblyReloadEvents.beforeAssemblyReload += Shutdown;
            EditorApplication.quitting += Shutdown;
        }

        /// <summary>
        /// The launched runtime: the game's in play mode, so that two models need not share the memory. Null when
        /// none was needed yet, or when it runs elsewhere.
        /// </summary>
        public static RuntimeProcess? Process =>
            TownsfolkRuntime.Exists ? TownsfolkRuntime.Instance.Process : s_process;

        /// <summary>
        /// A client of the runtime that the project's settings describe as they are now; the game's in play mode.
        /// </summary>
        public static TownsfolkClient Client
        {
            get
            {
                if (Application.isPlaying)
                {
                    return TownsfolkRuntime.Instance.Client;
                }

                var settings = TownsfolkSettings.Load();
                var now = EditorJsonUtility.ToJson(settings);
                if (s_client == null || now != s_settings)
                {
                    EndOwn();
                    s_settings = now;
                    s_client = settings.Connect(out s_process);
                }

                return s_client;
            }
        }

        /// <summary>Ends the runtime, the game's too.</summary>
        public static void Shutdown()
        {
            TownsfolkRuntime.Shutdown();
            EndOwn();
        }

        private static void EndOwn()
        {
            s_client?.Dispose();
            s_client = null;
            s_process?.Dispose();
            s_process = null;
        }

        private static void OnPlayModeChanged(PlayModeStateChange change)
        {
            if (change == PlayModeStateChange.ExitingPlayMode)
            {
                TownsfolkRuntime.Shutdown();
            }
            else if (change == PlayModeStateChange.ExitingEditMode)
            {
                // The game launches its own.
                EndOwn();
            }
        }
    }
}
