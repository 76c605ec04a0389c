using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using Townsfolk.Rpc;
using Townsfolk.Tests.Support;
using Townsfolk.V1;

namespace Townsfolk.Tests.EndToEnd
{
    /// <summary>The real runtime with the starter model, launched once for all tests that do it no harm.</summary>
    [SetUpFixture]
    internal sealed class SharedRuntime
    {
        /// <summary>Tokens of an answer that a test cuts off: no machine is done with them before it does.</summary>
        public const int Long = 1000;

        public static RuntimeProcess Process { get; private set; } = null!;

        public static string Log => "\nThe runtime's log:\n" + string.Join("\n", Process.Log.Lines());

        /// <summary>How the tests launch a runtime: small, one thread.</summary>
        public static RuntimeLaunch Launch(params string[] more) => new RuntimeLaunch
        {
            Command = Repository.Townsfolk,
            // Tests of the runtime's developers can name another model; the starter model is the default.
            Model = Environment.GetEnvironmentVariable("TOWNSFOLK_TEST_MODEL"),
            ServeArguments = new[] { "--threads", "1", "--kv-memory-mib", "64", "--shutdown-grace-s", "0.5" }
                .Concat(more).ToArray(),
        };

        public static HttpTransport Transport(string wire) =>
            wire == "grpc" ? HttpTransport.Grpc : HttpTransport.GrpcWeb;

        public static TownsfolkClient Connect(string wire, IEndpointSource? endpoints = null) =>
            new TownsfolkClient(
                endpoints ?? Process, new TownsfolkClientOptions { Transport = Transport(wire) });

        /// <summary>A character; with `tokens`, its answers are exactly that long.</summary>
        public static SessionConfig Innkeeper(string name = "Mara", int tokens = 0, params string[] lore)
        {
            var config = new SessionConfig
            {
                Persona = new Persona { Name = name, Description = "You keep the inn at the ford." },
                Sampling = new SamplingParams { Seed = 7, MaxNewTokens = 40 },
            };
            config.LoreIds.AddRange(lore);
            if (tokens > 0)
            {
                config.Sampling.MinNewTokens = tokens;
                config.Sampling.MaxNewTokens = tokens;
                foreach (var id in Vocabulary.Ends)
                {
                    config.Sampling.LogitBias[id] = -100;
                }
            }

            return config;
        }

        /// <summary>Reads a whole answer.</summary>
        public static Task<List<NpcEvent>> ReadAsync(
            NpcSession session, string text, CancellationToken cancellation = default) =>
            ReadAsync(session, new Utterance { Text = text }, cancellation);

        /// <summary>Reads a whole answer.</summary>
        public static async Task<List<NpcEvent>> ReadAsync(
            NpcSession session, Utterance text, CancellationToken cancellation = default)
        {
            var events = new List<NpcEvent>();
            await foreach (var happened in session.SayAsync(text, cancellation))
            {
                events.Add(happened);
            }

            return events;
        }

        /// <summary>Begins to read an answer; returns, when its text has begun to come, what reads the rest.</summary>
        public static async Task<Task<List<NpcEvent>>> BeginReadingAsync(NpcSession session, string text)
        {
            var begun = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
            var reading = Task.Run(async () =>
            {
                var events = new List<NpcEvent>();
                await foreach (var happened in session.SayAsync(text))
                {
                    events.Add(happened);
                    if (happened.Kind == NpcEventKind.Text)
                    {
                        begun.TrySetResult(true);
                    }
                }

                return events;
            });
            await Task.WhenAny(begun.Task, reading);
            return reading;
        }

        [OneTimeSetUp]
        public async Task StartAsync()
        {
            Process = new RuntimeProcess(Launch());
            await Process.GetAsync();
        }

        [OneTimeTearDown]
        public void Stop() => Process.Dispose();
    }
}
