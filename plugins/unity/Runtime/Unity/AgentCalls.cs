using System;
using System.Threading;
using System.Threading.Tasks;
using Townsfolk.V1;
using UnityEngine;

namespace Townsfolk.Unity
{
    /// <summary>
    /// What an agent asks of the runtime beside its lines; on threads of the pool. Nobody awaits these
    /// calls, so that what fails is logged here.
    /// </summary>
    internal static class AgentCalls
    {
        public static async Task InterruptAsync(Task<NpcSession> opening, NpcTurn turn, string? heard)
        {
            try
            {
                var session = await opening.ConfigureAwait(false);
                if ((await session.InterruptAsync(heard, turn.Id).ConfigureAwait(false)).Count > 0)
                {
                    return;
                }
            }
            catch (Exception exception)
            {
                Debug.LogWarning("Townsfolk: an interrupt did not reach the runtime: " + exception.Message);
            }

            // The runtime has not heard of the turn yet.
            turn.Cancel();
        }

        public static async Task<NpcChoice> ChooseAsync(
            Task before, Task<NpcSession> opening, ChooseRequest request, CancellationToken cancellation)
        {
            await before.ConfigureAwait(false);
            var session = await opening.ConfigureAwait(false);
            return await session.ChooseAsync(request, cancellation).ConfigureAwait(false);
        }

        public static async Task AnswerActionAsync(NpcSession session, string actionId, bool accepted, string text)
        {
            try
            {
                await session.AnswerActionAsync(actionId, accepted, text).ConfigureAwait(false);
            }
            catch (Exception exception)
            {
                Debug.LogWarning("Townsfolk: the answer to an action did not reach the runtime: " + exception.Message);
            }
        }

        public static async Task NotifyAsync(
            Task before, Task<NpcSession> opening, string text, CancellationToken cancellation)
        {
            await before.ConfigureAwait(false);
            try
            {
                var session = await opening.ConfigureAwait(false);
                await session.NotifyAsync(text, cancellation).ConfigureAwait(false);
            }
            catch (Exception exception) when (!(exception is OperationCanceledException))
            {
                Debug.LogWarning("Townsfolk: an event did not reach the runtime: " + exception.Message);
            }
        }

        public static async Task SetPriorityAsync(NpcSession session, int priority)
        {
            try
            {
                await session.SetPriorityAsync(priority).ConfigureAwait(false);
            }
            catch (Exception exception)
            {
                Debug.LogWarning("Townsfolk: a priority did not reach the runtime: " + exception.Message);
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
