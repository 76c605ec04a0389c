using System;
using System.Collections.Generic;
using System.Runtime.CompilerServices;
using System.Threading.Tasks;

namespace UnityEngine
{
    // Unity 2023.1 and later. Built on a task here; Unity pools them.
    public sealed class Awaitable<T>
    {
        private readonly Task<T> _task;

        internal Awaitable(Task<T> task)
        {
            _task = task;
        }

        public Awaiter GetAwaiter() => new Awaiter(_task.GetAwaiter());

        public struct Awaiter : INotifyCompletion
        {
            private readonly TaskAwaiter<T> _awaiter;

            internal Awaiter(TaskAwaiter<T> awaiter)
            {
                _awaiter = awaiter;
            }

            public bool IsCompleted => _awaiter.IsCompleted;

            public T GetResult() => _awaiter.GetResult();

            public void OnCompleted(Action continuation) => _awaiter.OnCompleted(continuation);
        }
    }

    public class AwaitableCompletionSource<T>
    {
        private readonly TaskCompletionSource<T> _source = new TaskCompletionSource<T>();

        public AwaitableCompletionSource()
        {
            Awaitable = new Awaitable<T>(_source.Task);
        }

        public Awaitable<T> Awaitable { get; }

        public bool TrySetResult(in T value) => _source.TrySetResult(value);

        public bool TrySetCanceled() => _source.TrySetCanceled();

        public bool TrySetException(Exception exception) => _source.TrySetException(exception);
    }
}

namespace UnityEngine.Networking
{
    public enum HttpForcedVersion
    {
        NotForced = 0,
        HTTP1_0 = 1,
        HTTP1_1 = 2,
        HTTP2 = 3,
    }

    // Unity 6000.5 and later.
    public sealed class UnityHttpMessageHandler : System.Net.Http.HttpMessageHandler
    {
        public HttpForcedVersion HttpForcedVersion { get; set; }

        protected override Task<System.Net.Http.HttpResponseMessage> SendAsync(
            System.Net.Http.HttpRequestMessage request, System.Threading.CancellationToken cancellationToken) =>
            throw new PlatformNotSupportedException("only Unity can do this");
    }
}
