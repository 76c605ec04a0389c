using System;
using System.Collections.Generic;
using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;

namespace Townsfolk
{
    /// <summary>
    /// A runtime that the game launches for itself. It starts when first needed, starts again when it has
    /// died, and ends with the game: when it is disposed, and also when the game crashes (the runtime
    /// watches its parent and its standard input). Safe from any thread.
    /// </summary>
    public sealed class RuntimeProcess : IEndpointSource, IDisposable
    {
        private const int LogLines = 500;
        private const int MaxEarlyDeaths = 3;
        private static readonly TimeSpan EarlyDeath = TimeSpan.FromMinutes(1);
        private static readonly TimeSpan StopGrace = TimeSpan.FromSeconds(5);

        private readonly RuntimeLaunch _launch;
        private readonly object _lock = new object();
        private readonly CancellationTokenSource _disposed = new CancellationTokenSource();
        private readonly Queue<DateTime> _deaths = new Queue<DateTime>();
        private Task<RunningRuntime>? _starting;
        private RunningRuntime? _running;

        /// <summary>Creates the launcher. Nothing is started before <see cref="GetAsync"/>.</summary>
        public RuntimeProcess(RuntimeLaunch launch)
        {
            if (string.IsNullOrWhiteSpace(launch.Command))
            {
                throw new ArgumentException("RuntimeLaunch.Command must name the townsfolk program");
            }

            _launch = launch.Copy();
        }

        /// <summary>What the runtime wrote.</summary>
        public RuntimeLog Log { get; } = new RuntimeLog(LogLines);

        /// <summary>Whether the runtime runs and serves.</summary>
        public bool IsRunning
        {
            get
            {
                lock (_lock)
                {
                    return _running is { HasExited: false };
                }
            }
        }

        /// <summary>Where the runtime serves; null when it does not run.</summary>
        public RuntimeEndpoint? Endpoint
        {
            get
            {
                lock (_lock)
                {
                    return _running is { HasExited: false } running ? running.Endpoint : null;
                }
            }
        }

        /// <summary>The runtime's process id; null when it does not run.</summary>
        public int? ProcessId
        {
            get
            {
                lock (_lock)
                {
                    return _running is { HasExited: false } running ? running.ProcessId : (int?)null;
                }
            }
        }

        /// <summary>Where the runtime serves; starts it when it does not run.</summary>
        /// <exception cref="RuntimeStartException">It can't be started, or it dies again and again.</exception>
        public async Task<RuntimeEndpoint> GetAsync(CancellationToken cancellation = default)
        {
            Task<RunningRuntime> starting;
            lock (_lock)
            {
                if (_disposed.IsCancellationRequested)
                {
                    throw new ObjectDisposedException(nameof(RuntimeProcess));
                }

                if (_running is { HasExited: false } running)
                {
                    return running.Endpoint;
                }

                if (_starting == null)
                {
                    CountDeath();
                    _starting = Task.Run(StartAsync);
                }

                starting = _starting;
            }

            // One caller's impatience must not end the start that others wait for.
            var cancelled = Task.Delay(Timeout.Infinite, cancellation);
            if (await Task.WhenAny(starting, cancelled).ConfigureAwait(false) == cancelled)
            {
                throw new OperationCanceledException(cancellation);
            }

            return (await starting.ConfigureAwait(false)).Endpoint;
        }

        /// <summary>Ends the runtime, politely at first. The next <see cref="GetAsync"/> starts it again.</summary>
        public async Task StopAsync()
        {
            RunningRuntime? running;
            Task<RunningRuntime>? starting;
            lock (_lock)
            {
                running = _running;
                starting = _starting;
                _running = null;
                _deaths.Clear();
            }

            if (starting != null)
            {
                try
                {
                    running = await starting.ConfigureAwait(false);
                }
                catch (Exception failure) when (failure is RuntimeStartException || failure is OperationCanceledException)
                {
                    return;
                }

                lock (_lock)
                {
                    _running = null;
                }
            }

            if (running != null)
            {
                await Task.Run(() => running.Stop(StopGrace)).ConfigureAwait(false);
            }
        }

        /// <summary>Ends the runtime; returns when it is gone, within seconds.</summary>
        public void Dispose()
        {
            RunningRuntime? running;
            Task<RunningRuntime>? starting;
            lock (_lock)
            {
                if (_disposed.IsCancellationRequested)
                {
                    return;
                }

                _disposed.Cancel();
                running = _running;
                starting = _starting;
                _running = null;
            }

            // A start under way sees the cancellation within its polling interval and ends its process.
            try
            {
                starting?.Wait(StopGrace);
            }
            catch (AggregateException)
            {
                // Cancelled, as asked.
            }

            running?.Stop(StopGrace);
        }

        private void CountDeath()
        {
            if (_running == null)
            {
                return;
            }

            var now = DateTime.UtcNow;
            Log.Add($"[townsfolk] the runtime ended with status {_running.ExitCode}; starting it again");
            _running.Stop(TimeSpan.Zero);
            _running = null;
            _deaths.Enqueue(now);
            while (_deaths.Peek() < now - EarlyDeath)
            {
                _deaths.Dequeue();
            }

            if (_deaths.Count > MaxEarlyDeaths)
            {
                _deaths.Clear();
                throw new RuntimeStartException(
                    $"the runtime ended {MaxEarlyDeaths + 1} times within {EarlyDeath.TotalSeconds:0} s; "
                    + "its last lines:\n" + Tail());
            }
        }

        private async Task<RunningRuntime> StartAsync()
        {
            RunningRuntime? started = null;
            try
            {
                started = RunningRuntime.Start(StartInfo, Log);
                await started.WaitUntilReadyAsync(_launch.StartTimeout, _disposed.Token).ConfigureAwait(false);
                lock (_lock)
                {
                    _disposed.Token.ThrowIfCancellationRequested();
                    _running = started;
                }

                return started;
            }
            catch (Exception failure)
            {
                started?.Stop(TimeSpan.Zero);
                switch (failure)
                {
                    case Win32Exception _:
                        throw new RuntimeStartException(
                            $"'{_launch.Command}' can't be started ({failure.Message}): is Townsfolk installed, "
                            + "and is the command a path or a name on PATH?", failure);
                    case InvalidOperationException _:
                        throw new RuntimeStartException(failure.Message + "; its last lines:\n" + Tail(), failure);
                    default:
                        throw;
                }
            }
            finally
            {
                lock (_lock)
                {
                    _starting = null;
                }
            }
        }

        private ProcessStartInfo StartInfo(string readyFile)
        {
            int self;
            using (var game = Process.GetCurrentProcess())
            {
                self = game.Id;
            }

            var start = new ProcessStartInfo(_launch.Command)
            {
                UseShellExecute = false,
                CreateNoWindow = true,
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                WorkingDirectory = _launch.WorkingDirectory ?? string.Empty,
            };
            var arguments = _launch.CommandArguments
                .Concat(new[] { "serve", "--port", "0", "--web-port", "0", "--ready-file", readyFile })
                .Concat(new[]
                {
                    "--exit-with-stdin",
                    "--exit-with-parent", self.ToString(CultureInfo.InvariantCulture),
                })
                .Concat(_launch.Share ? new[] { "--share" } : new string[0])
                .Concat(string.IsNullOrEmpty(_launch.Model) ? new string[0] : new[] { "--model", _launch.Model! })
                .Concat(_launch.ServeArguments);
            foreach (var argument in arguments)
            {
                start.ArgumentList.Add(argument);
            }

            return start;
        }

        private string Tail() => string.Join("\n", Log.Lines().Reverse().Take(20).Reverse());
    }
}
