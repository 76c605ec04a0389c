using System;
using Townsfolk.V1;
using UnityEngine;

namespace Townsfolk.Unity
{
    /// <summary>What an agent's character can do, and what came of it. From the main thread.</summary>
    internal sealed class AgentActions
    {
        /// <summary>The actions that have a method.</summary>
        public NpcActions Known { get; } = new NpcActions();

        /// <summary>Takes the methods of an object that are actions.</summary>
        public void Add(object target) => Known.Add(target);

        /// <summary>Calls the method of an action, where there is one, and tells the character what came of it.</summary>
        public void Invoke(NpcSession? session, ActionRequested action)
        {
            bool? done;
            string outcome;
            try
            {
                done = Known.Invoke(action, out outcome);
            }
            catch (Exception failure)
            {
                // The game's own fault: the character must not wait for ever.
                Debug.LogException(failure);
                done = false;
                outcome = "it failed";
            }

            if (done is { } accepted)
            {
                Answer(session, action, accepted, outcome);
            }
        }

        /// <summary>Tells the character what came of an action; without a session nobody waits for that.</summary>
        public void Answer(NpcSession? session, ActionRequested action, bool accepted, string text)
        {
            if (session != null)
            {
                _ = AgentCalls.WatchAsync(
                    "the answer to an action",
                    () => session.AnswerActionAsync(action.ActionId, accepted, text));
            }
        }
    }
}
