using System;
#if UNITY_2023_1_OR_NEWER
using UnityEngine;
#else
using System.Threading.Tasks;
#endif

namespace Townsfolk.Unity
{
    /// <summary>The answer to come: an Awaitable where Unity has it, a Task before.</summary>
    internal sealed class ReplyPromise
    {
#if UNITY_2023_1_OR_NEWER
        private readonly AwaitableCompletionSource<string> _source = new AwaitableCompletionSource<string>();

        public Awaitable<string> Reply => _source.Awaitable;
#else
        // Without the option the awaiting code would run inside the queue's time budget.
        private readonly TaskCompletionSource<string> _source =
            new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task<string> Reply => _source.Task;
#endif

        public void Succeed(string text) => _source.TrySetResult(text);

        public void Fail(Exception failure)
        {
            if (failure is OperationCanceledException)
            {
                _source.TrySetCanceled();
            }
            else
            {
                _source.TrySetException(failure);
            }
        }
    }
}
