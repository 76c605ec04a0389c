using System;
using System.Threading.Tasks;
using UnityEngine;

namespace Townsfolk.Unity
{
    /// <summary>
    /// What an agent asks of the runtime beside its lines; on threads of the pool. Nobody awaits these
    /// calls, so that what fails is logged here.
    /// </summary>
    internal static class AgentCalls
    {
        /// <summary>Makes a call on a thread of the pool, and logs its failure.</summary>
        /// <param name="what">What does not reach the runtime when it fails.</param>
        /// <param name="call">The call.</param>
        public static Task WatchAsync(string what, Func<Task> call) => Task.Run(async () =>
        {
            try
            {
                await call().ConfigureAwait(false);
            }
            catch (Exception exception) when (!(exception is OperationCanceledException))
            {
                Debug.LogWarning($"Townsfolk: {what} did not reach the runtime: {exception.Message}");
            }
        });

        public static async Task InterruptAsync(Task<NpcSession> opening, NpcTurn turn, string? heard)
        {
            var reached = false;
            await WatchAsync("an interrupt", async () =>
            {
                var session = await opening.ConfigureAwait(false);
                reached = (await session.InterruptAsync(heard, turn.Id).ConfigureAwait(false)).Count > 0;
            }).ConfigureAwait(false);
            if (!reached)
            {
                // The runtime has not heard of the turn yet.
                turn.Cancel();
            }
        }

        public static async Task CloseAsync(Task<NpcSession> opening, Task before)
        {
            await before.ConfigureAwait(false);
            try
            {
                await (await opening.ConfigureAwait(false)).DisposeAsync().ConfigureAwait(false);
            }
            catch (Exception)
            {
                // It never opened: there is nothing to close.
            }
        }
    }
}
