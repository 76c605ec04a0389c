using System;
using System.Diagnostics;
using System.Threading;
using System.Threading.Tasks;
using Townsfolk.Rpc;
using Townsfolk.V1;

namespace Townsfolk
{
    /// <summary>
    /// Tells the runtime of the game's frames, so that it computes in what they leave of the processor that both
    /// use. For the thread that draws: noting a frame allocates nothing. Reports are made and sent on threads of the
    /// pool, five times a second.
    /// </summary>
    public sealed class FrameReporter : IDisposable
    {
        private const int MostFrames = 256;
        private const long MostMicroseconds = 10_000_000;
        private static readonly TimeSpan Between = TimeSpan.FromMilliseconds(200);

        private readonly TownsfolkClient _client;
        private readonly CancellationTokenSource _ending = new CancellationTokenSource();
        private readonly object _lock = new object();

        // What was noted since the last report; under the lock.
        private readonly long[] _begins = new long[MostFrames];
        private readonly uint[] _busy = new uint[MostFrames];
        private int _noted;
        private uint _targetUs;
        private bool _isReporting;
        private volatile bool _isOver;

        // One report, filled again and again: for the one task that sends.
        private readonly ReportFramesRequest _report = new ReportFramesRequest { Reporter = Guid.NewGuid().ToString("N") };
        private readonly V1.Frame[] _frames = new V1.Frame[MostFrames];

        /// <summary>Creates a reporter; nothing is sent before the first frame.</summary>
        /// <param name="client">The runtime.</param>
        public FrameReporter(TownsfolkClient client)
        {
            _client = client;
        }

        /// <summary>What the runtime is to give up for frames.</summary>
        public PacePolicy Policy { get; set; } = PacePolicy.Balanced;

        /// <summary>Notes a frame; it is sent with the next report.</summary>
        /// <param name="ageSeconds">How long ago its work began on the processor that the runtime shares.</param>
        /// <param name="busySeconds">How long a frame keeps it busy, as measured of late; 0 when that is not known.</param>
        /// <param name="framesPerSecond">What the game aims for, 1 to 1000.</param>
        public void Note(double ageSeconds, double busySeconds, double framesPerSecond)
        {
            if (_isOver)
            {
                return;
            }

            var begin = Now() - (long)(Math.Max(ageSeconds, 0) * 1e6);
            lock (_lock)
            {
                _targetUs = (uint)(1e6 / Math.Min(Math.Max(framesPerSecond, 1), 1000));
                if (_noted < MostFrames)
                {
                    _begins[_noted] = begin;
                    _busy[_noted] = (uint)Math.Min(Math.Max(busySeconds * 1e6, 0), MostMicroseconds);
                    _noted++;
                }
            }

            if (!_isReporting)
            {
                _isReporting = true;
                _ = Task.Run(ReportAsync);
            }
        }

        /// <summary>Ends reporting, and pacing with it.</summary>
        public void Dispose()
        {
            if (!_isOver)
            {
                _isOver = true;
                _ending.Cancel();
            }
        }

        private static long Now() => Stopwatch.GetTimestamp() * 1_000_000L / Stopwatch.Frequency;

        private async Task ReportAsync()
        {
            while (!_isOver)
            {
                try
                {
                    await Task.Delay(Between, _ending.Token).ConfigureAwait(false);
                }
                catch (OperationCanceledException)
                {
                    break;
                }

                if (Fill())
                {
                    await SendAsync().ConfigureAwait(false);
                }
            }

            _report.Frames.Clear();
            _report.Done = true;
            await SendAsync().ConfigureAwait(false);
        }

        // Moves what was noted into the report; false where nothing was.
        private bool Fill()
        {
            _report.Frames.Clear();
            lock (_lock)
            {
                var now = Now();
                for (var i = 0; i < _noted; i++)
                {
                    var frame = _frames[i] ??= new V1.Frame();
                    frame.AgeUs = (uint)Math.Min(now - _begins[i], MostMicroseconds);
                    frame.BusyUs = _busy[i];
                    _report.Frames.Add(frame);
                }

                _noted = 0;
                _report.ClockUs = (ulong)now;
                _report.TargetUs = _targetUs;
            }

            _report.Policy = Policy;
            return _report.Frames.Count > 0;
        }

        private async Task SendAsync()
        {
            // A game goes on without: who speaks tells what is wrong with the connection.
            try
            {
                await _client.ReportFramesAsync(_report).ConfigureAwait(false);
            }
            catch (Exception wrong) when (wrong is RpcException || wrong is RuntimeStartException)
            {
                // A runtime of before knows nothing of frames.
                _isOver |= wrong is VersionMismatchException
                    || (wrong is RpcException answer && answer.Code == StatusCode.Unimplemented);
            }
            catch (ObjectDisposedException)
            {
                _isOver = true;
            }
        }
    }
}
