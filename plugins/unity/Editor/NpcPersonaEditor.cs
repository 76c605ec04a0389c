using System;
using Townsfolk.Unity;
using UnityEditor;

namespace Townsfolk.Editor
{
    /// <summary>A persona's inspector, with a test chat.</summary>
    [CanEditMultipleObjects]
    [CustomEditor(typeof(NpcPersona))]
    internal sealed class NpcPersonaEditor : UnityEditor.Editor
    {
        private TestChat? _chat;

        public override void OnInspectorGUI()
        {
            DrawDefaultInspector();
            if (targets.Length > 1)
            {
                return;
            }

            _chat ??= new TestChat(Repaint);
            _chat.Draw((NpcPersona)target, Array.Empty<LorePack>(), null);
        }

        private void OnDisable()
        {
            _chat?.Dispose();
            _chat = null;
        }
    }
}
