using System;
using System.Collections.Generic;
using System.Linq;
using System.Reflection;
using System.Threading;
using System.Threading.Tasks;
using Townsfolk.Rpc;
using Townsfolk.Tests.Support;
using Townsfolk.Unity;
using Townsfolk.V1;
using UnityEngine;
using UnityEngine.Events;
using UnityStubs;

namespace Townsfolk.Tests.EndToEnd
{
    /// <summary>A scene in the stubs' player, whose characters talk to the real runtime.</summary>
    internal sealed class Scene : IDisposable
    {
        public Scene(RuntimeEndpoint endpoint)
        {
            var settings = ScriptableObject.CreateInstance<TownsfolkSettings>();
            settings.launchRuntime = false;
            settings.host = endpoint.Host;
            settings.port = endpoint.Port;
            settings.webPort = endpoint.WebPort;
            settings.token = endpoint.Token ?? string.Empty;
            TownsfolkRuntime.Settings = settings;
            Settings = settings;
        }

        public TownsfolkSettings Settings { get; }

        public static NpcAgent Character(string name = "Mara", int tokens = 0, params LorePack[] lore)
        {
            var persona = ScriptableObject.CreateInstance<NpcPersona>();
            persona.characterName = name;
            persona.description = "You keep the inn at the ford.";
            var agent = new GameObject(name).AddComponent<NpcAgent>();
            agent.Persona = persona;
            agent.Lore = lore;
            agent.Sampling = ScriptableObject.CreateInstance<SamplingPreset>();
            agent.Sampling.useSeed = true;
            agent.Sampling.maxNewTokens = tokens > 0 ? tokens : 40;
            agent.Sampling.minNewTokens = tokens;
            if (tokens > 0)
            {
                // So many, whatever they say: a small model that can't end goes round.
                agent.Sampling.stopRepetition = false;
                agent.Sampling.logitBias = Vocabulary.Ends
                    .Select(id => new TokenBias { tokenId = id, bias = -100f }).ToArray();
            }

            return agent;
        }

        /// <summary>The UnityEvent of a name, as the inspector would show it.</summary>
        public static T Event<T>(NpcAgent agent, string field)
            where T : UnityEventBase => (T)typeof(NpcAgent)
                .GetField(field, BindingFlags.Instance | BindingFlags.NonPublic)!.GetValue(agent)!;

        /// <summary>
        /// Frames until something is so; fails after five minutes. Of no seconds each, they give the model
        /// all the time that it needs while nothing is typed.
        /// </summary>
        public static void FramesUntil(Func<bool> done, float seconds = 1f / 60f)
        {
            var end = DateTime.UtcNow.AddMinutes(5);
            while (!done())
            {
                if (DateTime.UtcNow > end)
                {
                    throw new TimeoutException("it did not happen; log: " + string.Join("\n", Player.Messages));
                }

                Player.Frame(seconds);
                Thread.Sleep(5);
            }
        }

        /// <summary>What the runtime has of a character's conversation, which must be what the agent would save.</summary>
        public static IReadOnlyList<TranscriptEntry> Remembered(NpcAgent agent)
        {
            var saved = SessionConfig.Parser.ParseFrom(agent.Save()).History;
            return Sessions(agent.Persona!.characterName).Select(session => session.History)
                .Single(history => history.Equals(saved));
        }

        /// <summary>The runtime's sessions of the characters of a name.</summary>
        public static IReadOnlyList<SessionConfig> Sessions(string personaName) => Task.Run(async () =>
        {
            using var client = SharedRuntime.Connect("grpc");
            using var channel = HttpTransport.Grpc.Connect(await SharedRuntime.Process.GetAsync());
            var found = new List<SessionConfig>();
            foreach (var one in await client.ListSessionsAsync())
            {
                if (one.PersonaName == personaName)
                {
                    var session = await channel.UnaryAsync(
                        TownsfolkMethods.GetSession, new GetSessionRequest { SessionId = one.SessionId });
                    found.Add(session.Config);
                }
            }

            return found;
        }).Result;

        /// <summary>Writes all that an agent raises down, with the thread that it came on.</summary>
        public static List<string> Listen(NpcAgent agent)
        {
            var heard = new List<string>();
            var thread = Environment.CurrentManagedThreadId;
            void Note(string what)
            {
                if (Environment.CurrentManagedThreadId != thread)
                {
                    heard.Add("WRONG THREAD");
                }

                heard.Add(what);
            }

            agent.ThinkingStarted += () => Note("thinking");
            agent.TextStreamed += text => Note("text " + text);
            agent.SentenceReady += text => Note("sentence " + text);
            agent.ReplyFinished += text => Note("finished " + text);
            agent.Interrupted += text => Note("interrupted " + text);
            agent.Failed += failure => Note("failed " + failure.GetType().Name);
            return heard;
        }

        public void Dispose()
        {
            Player.Quit();
            Player.TimeScale = 1f;
            TownsfolkRuntime.Settings = null!;
            while (Player.Messages.TryDequeue(out _))
            {
            }
        }
    }
}
