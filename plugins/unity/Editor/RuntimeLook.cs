using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using Townsfolk.Rpc;
using Townsfolk.V1;

namespace Townsfolk.Editor
{
    /// <summary>What can be seen of a runtime at one moment: all its sessions, and one of them in full.</summary>
    internal sealed class RuntimeLook
    {
        private readonly List<SessionSummary> _sessions = new List<SessionSummary>();
        private readonly Dictionary<string, InspectSessionResponse> _seen =
            new Dictionary<string, InspectSessionResponse>();

        private RuntimeLook(string chosen, WatchStatsResponse stats, IReadOnlyList<ErrorReport> errors)
        {
            Chosen = chosen;
            Stats = stats;
            CallErrors = errors;
        }

        /// <summary>The session that is looked into; empty when none is open.</summary>
        public string Chosen { get; }

        /// <summary>The engine's counters.</summary>
        public WatchStatsResponse Stats { get; }

        /// <summary>The open sessions.</summary>
        public IReadOnlyList<SessionSummary> Sessions => _sessions;

        /// <summary>What a saved game keeps of the chosen session; null when none is open.</summary>
        public GetSessionResponse? Saved { get; private set; }

        /// <summary>How the chosen session's turns went, and its last prompt; null when none is open.</summary>
        public InspectSessionResponse? ChosenSeen => _seen.TryGetValue(Chosen, out var seen) ? seen : null;

        /// <summary>What failed of the chosen session and of all calls, newest first.</summary>
        public IEnumerable<ErrorReport> Errors =>
            CallErrors.Concat(ChosenSeen?.Errors ?? Enumerable.Empty<ErrorReport>())
                .OrderByDescending(error => error.UnixMs);

        private IReadOnlyList<ErrorReport> CallErrors { get; }

        /// <summary>Looks at a runtime, and into the wanted session, or the first one where that is not open.</summary>
        public static async Task<RuntimeLook> TakeAsync(
            TownsfolkClient client, string wanted, CancellationToken cancellation)
        {
            var sessions = await client.ListSessionsAsync(cancellation).ConfigureAwait(false);
            var errors = await client.ListErrorsAsync(cancellation).ConfigureAwait(false);
            var chosen = sessions.Any(session => session.SessionId == wanted)
                ? wanted
                : sessions.FirstOrDefault()?.SessionId ?? string.Empty;
            var look = new RuntimeLook(
                chosen, await StatsAsync(client, cancellation).ConfigureAwait(false), errors);
            foreach (var session in sessions)
            {
                await look.SeeAsync(client, session, cancellation).ConfigureAwait(false);
            }

            return look;
        }

        /// <summary>How many turns of a session wait.</summary>
        public int Waiting(SessionSummary session) => _seen[session.SessionId].QueuedTurns;

        private static async Task<WatchStatsResponse> StatsAsync(
            TownsfolkClient client, CancellationToken cancellation)
        {
            await foreach (var stats in client.WatchStatsAsync(new WatchStatsRequest(), cancellation))
            {
                return stats;
            }

            return new WatchStatsResponse();
        }

        private async Task SeeAsync(
            TownsfolkClient client, SessionSummary session, CancellationToken cancellation)
        {
            var isChosen = session.SessionId == Chosen;
            try
            {
                _seen[session.SessionId] = await client.InspectSessionAsync(
                    session.SessionId, isChosen, cancellation).ConfigureAwait(false);
                if (isChosen)
                {
                    Saved = await client.GetSessionAsync(session.SessionId, cancellation).ConfigureAwait(false);
                }

                _sessions.Add(session);
            }
            catch (RpcException gone) when (gone.Code == StatusCode.NotFound)
            {
                // It has ended since.
            }
        }
    }
}
