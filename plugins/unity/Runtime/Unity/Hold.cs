using System;
using System.Threading;
using System.Threading.Tasks;

namespace Townsfolk.Unity
{
    /// <summary>Counts who keeps a character busy; what it is to answer waits. Safe from any thread.</summary>
    internal sealed class Hold
    {
        private readonly object _lock = new object();
        private int _holders;
        private TaskCompletionSource<bool>? _over;
        private Task _recorded = Task.CompletedTask;

        /// <summary>Whether anybody keeps it busy.</summary>
        public bool IsHeld
        {
            get
            {
                lock (_lock)
                {
                    return _holders > 0;
                }
            }
        }

        /// <summary>Keeps it busy until what is returned is disposed.</summary>
        /// <param name="freed">Is called when nobody is left.</param>
        public IDisposable Take(Action freed)
        {
            lock (_lock)
            {
                _over ??= new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
                _holders++;
            }

            return new Holder(() => LetGo(freed));
        }

        /// <summary>Does what belongs before all that waits, one after the other.</summary>
        public Task Record(Func<Task> record)
        {
            lock (_lock)
            {
                var before = _recorded;
                var recording = Task.Run(async () =>
                {
                    await before.ConfigureAwait(false);
                    await record().ConfigureAwait(false);
                });
                _recorded = recording.ContinueWith(_ => { }, TaskScheduler.Default);
                return recording;
            }
        }

        /// <summary>Waits until nobody keeps it busy.</summary>
        /// <exception cref="OperationCanceledException">It was cancelled before.</exception>
        public async Task OverAsync(CancellationToken cancellation)
        {
            while (Next() is { } waited)
            {
                await Until(waited, cancellation).ConfigureAwait(false);
            }
        }

        /// <summary>Waits for a task, or for the cancellation.</summary>
        /// <exception cref="OperationCanceledException">It was cancelled before.</exception>
        public static async Task Until(Task task, CancellationToken cancellation)
        {
            var cancelled = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
            using (cancellation.Register(() => cancelled.TrySetResult(true)))
            {
                await Task.WhenAny(task, cancelled.Task).ConfigureAwait(false);
            }

            cancellation.ThrowIfCancellationRequested();
        }

        private Task? Next()
        {
            lock (_lock)
            {
                return _holders > 0 ? _over!.Task : _recorded.IsCompleted ? null : _recorded;
            }
        }

        private void LetGo(Action freed)
        {
            TaskCompletionSource<bool>? over = null;
            lock (_lock)
            {
                if (--_holders == 0)
                {
                    (over, _over) = (_over, null);
                }
            }

            if (over != null)
            {
                over.TrySetResult(true);
                freed();
            }
        }

        private sealed class Holder : IDisposable
        {
            private Action? _letGo;

            public Holder(Action letGo)
            {
                _letGo = letGo;
            }

            public void Dispose() => Interlocked.Exchange(ref _letGo, null)?.Invoke();
        }
    }
}
