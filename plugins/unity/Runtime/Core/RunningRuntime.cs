using System;
using System.ComponentModel;
using System.Diagnostics;
using System.IO;
using System.Threading;
using System.Threading.Tasks;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;

namespace Townsfolk
{
    /// <summary>One launched process, from its start to its end.</summary>
    internal sealed class RunningRuntime
    {
        private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(20);

        private readonly Process _process;
        private readonly string _folder;
        private int _stopped;

        private RunningRuntime(Process process, string folder)
        {
            _process = process;
            _folder = folder;
        }

        /// <summary>Where it serves; set by <see cref="WaitUntilReadyAsync"/>.</summary>
        public RuntimeEndpoint Endpoint { get; private set; } = null!;

        public int ProcessId { get; private set; }

        public bool HasExited => _stopped != 0 || _process.HasExited;

        public int ExitCode => _process.ExitCode;

        private string ReadyFile => Path.Combine(_folder, "ready.json");

        /// <summary>Starts the process; `startInfo` is told the path of the ready file.</summary>
        /// <exception cref="Win32Exception">There is no such program.</exception>
        public static RunningRuntime Start(Func<string, ProcessStartInfo> startInfo, RuntimeLog log)
        {
            var folder = Path.Combine(Path.GetTempPath(), "townsfolk-" + Guid.NewGuid().ToString("N"));
            Directory.CreateDirectory(folder);
            var runtime = new RunningRuntime(new Process(), folder);
            try
            {
                runtime._process.StartInfo = startInfo(runtime.ReadyFile);
                runtime._process.OutputDataReceived += (_, data) => Note(data.Data, log);
                runtime._process.ErrorDataReceived += (_, data) => Note(data.Data, log);
                runtime._process.Start();
            }
            catch
            {
                runtime._process.Dispose();
                Directory.Delete(folder, recursive: true);
                throw;
            }

            runtime.ProcessId = runtime._process.Id;
            runtime._process.BeginOutputReadLine();
            runtime._process.BeginErrorReadLine();
            return runtime;
        }

        /// <summary>Returns when the runtime serves.</summary>
        /// <exception cref="InvalidOperationException">It ended, or took too long.</exception>
        public async Task WaitUntilReadyAsync(TimeSpan timeout, CancellationToken cancellation)
        {
            var waited = Stopwatch.StartNew();
            while (!File.Exists(ReadyFile))
            {
                if (_process.HasExited)
                {
                    // Lets the last lines of the log arrive.
                    await Task.Delay(200, cancellation).ConfigureAwait(false);
                    throw new InvalidOperationException(
                        $"the runtime ended with status {_process.ExitCode} before it served");
                }

                if (waited.Elapsed > timeout)
                {
                    throw new InvalidOperationException(
                        $"the runtime did not serve within {timeout.TotalSeconds:0} s");
                }

                await Task.Delay(PollInterval, cancellation).ConfigureAwait(false);
            }

            var ready = JsonParser.Default.Parse<Struct>(File.ReadAllText(ReadyFile)).Fields;
            ProcessId = (int)ready["pid"].NumberValue;
            Endpoint = new RuntimeEndpoint(
                ready["address"].StringValue,
                (int)ready["port"].NumberValue,
                (int)ready["web_port"].NumberValue,
                ready["token"].StringValue);
        }

        /// <summary>Ends the process: by closing its standard input, and by force when the grace is over.</summary>
        public void Stop(TimeSpan grace)
        {
            if (Interlocked.Exchange(ref _stopped, 1) != 0)
            {
                return;
            }

            try
            {
                CloseInput();
                if (!_process.WaitForExit((int)grace.TotalMilliseconds))
                {
                    Kill();
                }
            }
            finally
            {
                _process.Dispose();
                Directory.Delete(_folder, recursive: true);
            }
        }

        private void CloseInput()
        {
            try
            {
                _process.StandardInput.Close();
            }
            catch (IOException)
            {
                // It is gone already.
            }
        }

        private void Kill()
        {
            try
            {
                if (ProcessId != _process.Id)
                {
                    // On Windows the command is a small launcher, and the runtime its child.
                    using var child = Process.GetProcessById(ProcessId);
                    child.Kill();
                }

                _process.Kill();
                _process.WaitForExit();
            }
            catch (Exception gone) when (gone is InvalidOperationException || gone is ArgumentException
                || gone is Win32Exception)
            {
                // It ended by itself in the meantime.
            }
        }

        private static void Note(string? line, RuntimeLog log)
        {
            if (line != null)
            {
                log.Add(line);
            }
        }
    }
}
