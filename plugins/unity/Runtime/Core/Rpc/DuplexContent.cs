using System;
using System.IO;
using System.Net;
using System.Net.Http;
using System.Threading;
using System.Threading.Tasks;

namespace Townsfolk.Rpc
{
    /// <summary>A request body that stays open: frames are written to it until it is completed.</summary>
    internal sealed class DuplexContent : HttpContent
    {
        private readonly SemaphoreSlim _writing = new SemaphoreSlim(1, 1);
        private readonly TaskCompletionSource<Stream> _stream =
            new TaskCompletionSource<Stream>(TaskCreationOptions.RunContinuationsAsynchronously);

        private readonly TaskCompletionSource<bool> _completed =
            new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);

        /// <summary>Writes a frame; waits while the server takes no more.</summary>
        public async Task WriteAsync(byte[] frame, Abort abort)
        {
            if (_completed.Task.IsCompleted && !_stream.Task.IsFaulted)
            {
                throw new InvalidOperationException("the requests of this call are complete");
            }

            await _writing.WaitAsync(abort.Token).ConfigureAwait(false);
            try
            {
                var stream = await abort.RaceAsync(_stream.Task).ConfigureAwait(false);
                await abort.RaceAsync(SendAsync(stream, frame, abort.Token)).ConfigureAwait(false);
            }
            finally
            {
                _writing.Release();
            }
        }

        /// <summary>Ends the body.</summary>
        public void Complete() => _completed.TrySetResult(true);

        /// <summary>Ends the body of a call that failed; whoever waits to write gets the exception.</summary>
        public void Abandon(Exception reason)
        {
            _stream.TrySetException(reason);
            _ = _stream.Task.Exception;
            Complete();
        }

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            // Without a flush .NET keeps the request's headers back until the first frame.
            await stream.FlushAsync().ConfigureAwait(false);
            _stream.TrySetResult(stream);
            await _completed.Task.ConfigureAwait(false);
        }

        protected override bool TryComputeLength(out long length)
        {
            length = -1;
            return false;
        }

        private static async Task<bool> SendAsync(Stream stream, byte[] frame, CancellationToken cancellation)
        {
            await stream.WriteAsync(frame, 0, frame.Length, cancellation).ConfigureAwait(false);
            await stream.FlushAsync(cancellation).ConfigureAwait(false);
            return true;
        }
    }
}
