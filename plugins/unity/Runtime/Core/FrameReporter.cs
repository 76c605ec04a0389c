using System;
using System.Diagnostics;
using System.Threading.Tasks;
using Townsfolk.Rpc;
using Townsfolk.V1;

namespace Townsfolk
{
    /// <summary>
    /// Tells the runtime of the game's frames, so that it computes in what they leave of the processor that both
    /// use. For the thread that draws; reports are sent in the background, five times a second.
    /// </summary>
    public sealed class FrameReporter : IDisposable
    {
        private const int MostFrames = 256;
        private const long MostMicroseconds = 10_000_000;
        private static readonly TimeSpan Between = TimeSpan.FromMilliseconds(200);

        private readonly TownsfolkClient _client;
        private readonly string _reporter = Guid.NewGuid().ToString("N");
        private readonly long[] _begins = new long[MostFrames];
        private readonly uint[] _busy = new uint[MostFrames];
        private int _frames;
        private long _reportedAt = Now();
        private Task? _sending;
        private bool _isOver;

        /// <summary>Creates a reporter; nothing is sent before the first frame.</summary>
        /// <param name="client">The runtime.</param>
        public FrameReporter(TownsfolkClient client)
        {
            _client = client;
        }

        /// <summary>What the runtime is to give up for frames.</summary>
        public PacePolicy Policy { get; set; } = PacePolicy.Balanced;

        /// <summary>
        /// Notes a frame, and sends what has been noted when it is time for that.
        /// </summary>
        /// <param name="ageSeconds">How long ago its work began on the processor that the runtime shares.</param>
        /// <param name="busySeconds">How long a frame keeps it busy, as measured of late; 0 when that is not known.</param>
        /// <param name="framesPerSecond">What the game aims for, 1 to 1000.</param>
        public void Note(double ageSeconds, double busySeconds, double framesPerSecond)
        {
            if (_isOver)
            {
                return;
            }

            var now = Now();
            if (_frames < MostFrames)
            {
                _begins[_frames] = now - (long)(Math.Max(ageSeconds, 0) * 1e6);
                _busy[_frames] = (uint)Math.Min(Math.Max(busySeconds * 1e6, 0), MostMicroseconds);
                _frames++;
            }

            if (now - _reportedAt < Between.Ticks / 10 || (_sending != null && !_sending.IsCompleted))
            {
                return;
            }

            var rate = Math.Min(Math.Max(framesPerSecond, 1), 1000);
            var request = new ReportFramesRequest
            {
                Reporter = _reporter,
                ClockUs = (ulong)now,
                TargetUs = (uint)(1e6 / rate),
                Policy = Policy,
            };
            for (var i = 0; i < _frames; i++)
            {
                request.Frames.Add(new V1.Frame
                {
                    AgeUs = (uint)Math.Min(now - _begins[i], MostMicroseconds),
                    BusyUs = _busy[i],
                });
            }

            _frames = 0;
            _reportedAt = now;
            _sending = SendAsync(request);
        }

        /// <summary>Ends reporting, and pacing with it.</summary>
        public void Dispose()
        {
            if (!_isOver)
            {
                _isOver = true;
                _ = SendAsync(new ReportFramesRequest { Reporter = _reporter, Done = true });
            }
        }

        private static long Now() => Stopwatch.GetTimestamp() * 1_000_000L / Stopwatch.Frequency;

        private async Task SendAsync(ReportFramesRequest request)
        {
            // A game goes on without: who speaks tells what is wrong with the connection.
            try
            {
                await _client.ReportFramesAsync(request).ConfigureAwait(false);
            }
            catch (Exception wrong) when (wrong is RpcException || wrong is RuntimeStartException)
            {
                // A runtime of before knows nothing of frames.
                _isOver |= wrong is RpcException answer && answer.Code == StatusCode.Unimplemented;
            }
            catch (ObjectDisposedException)
            {
                _isOver = true;
            }
        }
    }
}
