using Townsfolk.Unity;
using UnityEditor;

namespace Townsfolk.Editor
{
    /// <summary>An agent's inspector, with a test chat that knows the agent's lore and sampling.</summary>
    [CanEditMultipleObjects]
    [CustomEditor(typeof(NpcAgent))]
    internal sealed class NpcAgentEditor : UnityEditor.Editor
    {
        private TestChat? _chat;

        public override void OnInspectorGUI()
        {
            DrawDefaultInspector();
            if (targets.Length > 1)
            {
                return;
            }

            var agent = (NpcAgent)target;
            if (agent.Persona == null)
            {
                EditorGUILayout.HelpBox(
                    "This agent has no persona. Create one: Assets, Create, Townsfolk, Persona.", MessageType.Warning);
            }

            _chat ??= new TestChat(Repaint);
            _chat.Draw(agent.Persona, agent.Lore, agent.Sampling);
        }

        private void OnDisable()
        {
            _chat?.Dispose();
            _chat = null;
        }
    }
}
