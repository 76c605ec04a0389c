using System;
using System.Net.Http;
using System.Runtime.CompilerServices;
using System.Threading;
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

    // Unity 6000.5 and later. Unity carries the requests itself; here .NET's own handler does.
    public sealed class UnityHttpMessageHandler : HttpMessageHandler
    {
        private readonly HttpMessageInvoker _carrier = new HttpMessageInvoker(new HttpClientHandler());

        public HttpForcedVersion HttpForcedVersion { get; set; }

        protected override Task<HttpResponseMessage> SendAsync(
            HttpRequestMessage request, CancellationToken cancellationToken)
        {
            if (HttpForcedVersion != HttpForcedVersion.HTTP2)
            {
                throw new InvalidOperationException("without TLS this would be HTTP/1.1");
            }

            return _carrier.SendAsync(request, cancellationToken);
        }

        protected override void Dispose(bool disposing)
        {
            _carrier.Dispose();
            base.Dispose(disposing);
        }
    }
}
