using System;
using System.Threading;
using System.Threading.Tasks;

namespace Townsfolk.Rpc
{
    /// <summary>
    /// Why and when a call must stop: the caller's token, its deadline, its disposal or its channel's.
    /// Not every HttpMessageHandler heeds the token it is given (Mono's does so only between
    /// chunks), so every wait is raced against the end.
    /// </summary>
    internal sealed class Abort : IDisposable
    {
        private readonly CancellationToken _caller;
        private readonly CancellationToken _channel;
        private readonly CancellationTokenSource _source;
        private readonly TaskCompletionSource<bool> _aborted =
            new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);

        private readonly Timer? _deadline;
        private readonly CancellationTokenRegistration _registration;
        private volatile bool _expired;

        public Abort(TimeSpan? timeout, CancellationToken caller, CancellationToken channel)
        {
            _caller = caller;
            _channel = channel;
            _source = CancellationTokenSource.CreateLinkedTokenSource(caller, channel);
            Token = _source.Token;
            _registration = Token.Register(() => _aborted.TrySetResult(true));
            if (timeout is { } limit)
            {
                _deadline = new Timer(_ => Expire(), null, limit, Timeout.InfiniteTimeSpan);
            }
        }

        /// <summary>Cancelled when the call must stop.</summary>
        public CancellationToken Token { get; }

        public bool CallerCancelled => _caller.IsCancellationRequested;

        public bool Requested => _aborted.Task.IsCompleted || Token.IsCancellationRequested;

        /// <summary>Stops the call.</summary>
        public void Cancel()
        {
            try
            {
                _source.Cancel();
            }
            catch (ObjectDisposedException)
            {
                // The deadline's timer fired while the call was being disposed.
            }
            catch (AggregateException)
            {
                // A handler's own clean-up failed; the call is over all the same.
            }
        }

        /// <summary>Waits for a task or for the end, whichever comes first.</summary>
        /// <exception cref="OperationCanceledException">The end came first.</exception>
        public async Task<T> RaceAsync<T>(Task<T> task)
        {
            if (!task.IsCompleted && await Task.WhenAny(task, _aborted.Task).ConfigureAwait(false) != task)
            {
                Forget(task);
                throw new OperationCanceledException(Token);
            }

            return await task.ConfigureAwait(false);
        }

        /// <summary>The exception that says why the call was stopped.</summary>
        public Exception Reason()
        {
            if (_caller.IsCancellationRequested)
            {
                return new OperationCanceledException("the call was cancelled", _caller);
            }

            if (_channel.IsCancellationRequested)
            {
                return new RuntimeUnavailableException("the connection to the runtime was closed");
            }

            return _expired
                ? (Exception)new DeadlineExceededException("the deadline passed")
                : new OperationCanceledException("the call was disposed");
        }

        public void Dispose()
        {
            _deadline?.Dispose();
            _registration.Dispose();
            _source.Dispose();
            _aborted.TrySetResult(true);
        }

        /// <summary>
        /// Lets go of a task whose outcome concerns nobody any more: it lives on in a handler that
        /// did not heed the token.
        /// </summary>
        public static void Forget(Task task) => task.ContinueWith(
            done =>
            {
                _ = done.Exception;
                if (done is Task<System.Net.Http.HttpResponseMessage> { Status: TaskStatus.RanToCompletion } late)
                {
                    late.Result.Dispose();
                }
            },
            CancellationToken.None,
            TaskContinuationOptions.ExecuteSynchronously,
            TaskScheduler.Default);

        private void Expire()
        {
            _expired = true;
            Cancel();
        }
    }
}
