using System;
using System.Collections.Generic;
using System.Linq;
using Google.Protobuf;
using Townsfolk.V1;

namespace Townsfolk.Unity
{
    /// <summary>
    /// All characters of the game: saved at once, and restored at once; see <see cref="TownsfolkRuntime.Cast"/>. From the
    /// main thread.
    /// </summary>
    public sealed class NpcCast
    {
        private readonly List<NpcAgent> _agents = new List<NpcAgent>();

        // What those remember that are to come: that were restored, or went with their scene.
        private readonly Dictionary<string, SessionConfig> _restored = new Dictionary<string, SessionConfig>();

        internal NpcCast()
        {
        }

        /// <summary>
        /// What all characters remember, for a saved game. Those of scenes that were not loaded since the last
        /// <see cref="Restore"/> are in it as they were.
        /// </summary>
        /// <exception cref="InvalidOperationException">Two characters have the same save key.</exception>
        public byte[] Save()
        {
            _agents.ForEach(TakeUp);
            var characters = new SortedDictionary<string, SessionConfig>(_restored, StringComparer.Ordinal);

            foreach (var group in _agents.Where(agent => agent.SaveKey.Length > 0).GroupBy(agent => agent.SaveKey))
            {
                var agents = group.ToList();
                if (agents.Count > 1)
                {
                    throw new InvalidOperationException($"{agents[0].name} and {agents[1].name} would both be saved as "
                        + $"'{group.Key}': give each a Save Key of its own");
                }

                characters[group.Key] = SessionConfig.Parser.ParseFrom(agents[0].Save());
            }

            var game = new SavedGame();
            game.Characters.Add(characters);
            return game.ToByteArray();
        }

        /// <summary>
        /// Has all characters go on from a saved game; answers under way are cut off. Those that it does not know begin
        /// anew, and those that come to life later take their memories from it.
        /// </summary>
        /// <exception cref="ArgumentException">It is no saved game.</exception>
        public void Restore(byte[] saved)
        {
            SavedGame game;
            try
            {
                game = SavedGame.Parser.ParseFrom(saved);
            }
            catch (InvalidProtocolBufferException broken)
            {
                throw new ArgumentException("these bytes are no saved game: " + broken.Message, nameof(saved), broken);
            }

            _restored.Clear();
            foreach (var one in game.Characters)
            {
                _restored[one.Key] = one.Value;
            }

            foreach (var agent in _agents)
            {
                agent.EndConversation();
                TakeUp(agent);
            }
        }

        internal void Add(NpcAgent agent) => _agents.Add(agent);

        internal void Remove(NpcAgent agent)
        {
            var saved = agent.HasOwnSaveKey ? agent.Save() : null;
            _agents.Remove(agent);
            if (saved != null)
            {
                // Its scene is left: who comes back remembers, and so does a saved game.
                _restored[agent.SaveKey] = SessionConfig.Parser.ParseFrom(saved);
            }
        }

        /// <summary>Lets a character remember what was restored of it, once.</summary>
        internal void TakeUp(NpcAgent agent)
        {
            if (_restored.TryGetValue(agent.SaveKey, out var saved) && _agents.Contains(agent))
            {
                _restored.Remove(agent.SaveKey);
                agent.Restore(saved.ToByteArray());
            }
        }

        internal void Clear()
        {
            _agents.Clear();
            _restored.Clear();
        }
    }
}
