using System;
using System.Collections.Generic;
using System.ComponentModel;
using System.Diagnostics;
using System.Linq;

namespace Townsfolk.Editor
{
    /// <summary>
    /// Writes what goes on in a runtime to a file for a bug report: `townsfolk inspect --record` does, which takes
    /// tokens and keys out.
    /// </summary>
    internal sealed class RuntimeRecorder : IDisposable
    {
        private const string TokenVariable = "TOWNSFOLK_AUTH_TOKEN";

        private readonly Process _process = new Process();
        private readonly List<string> _said = new List<string>();

        private RuntimeRecorder()
        {
        }

        /// <summary>Why it goes on no longer; empty while it does.</summary>
        public string Problem
        {
            get
            {
                lock (_said)
                {
                    return _process.HasExited ? "the recording has ended: " + string.Join("\n", _said) : string.Empty;
                }
            }
        }

        /// <summary>Begins to write. Without texts, nothing that players or writers wrote is in the file.</summary>
        /// <exception cref="RuntimeStartException">There is no such command.</exception>
        public static RuntimeRecorder Start(
            RuntimeLaunch launch, RuntimeEndpoint endpoint, string file, bool withoutTexts)
        {
            var start = new ProcessStartInfo(launch.Command)
            {
                UseShellExecute = false,
                CreateNoWindow = true,
                RedirectStandardError = true,
            };
            var arguments = launch.CommandArguments
                .Concat(new[] { "inspect", "--no-view", "--connect", $"{endpoint.Host}:{endpoint.Port}" })
                .Concat(new[] { "--record", file })
                .Concat(withoutTexts ? new[] { "--no-text" } : new string[0]);
            foreach (var argument in arguments)
            {
                start.ArgumentList.Add(argument);
            }

            // Not as an argument, which others on this machine can read.
            start.Environment[TokenVariable] = endpoint.Token ?? string.Empty;
            var recorder = new RuntimeRecorder();
            recorder._process.StartInfo = start;
            recorder._process.ErrorDataReceived += (_, data) => recorder.Note(data.Data);
            try
            {
                recorder._process.Start();
            }
            catch (Win32Exception missing)
            {
                recorder._process.Dispose();
                throw new RuntimeStartException(
                    $"recording needs the townsfolk command, and '{launch.Command}' can't be started "
                    + $"({missing.Message}): name it in Project Settings, Townsfolk. No bundle can record.", missing);
            }

            recorder._process.BeginErrorReadLine();
            return recorder;
        }

        /// <summary>Ends it; the file is whole at any time.</summary>
        public void Dispose()
        {
            try
            {
                _process.Kill();
                _process.WaitForExit();
            }
            catch (InvalidOperationException)
            {
                // It has ended by itself.
            }

            _process.Dispose();
        }

        private void Note(string? line)
        {
            if (line != null)
            {
                lock (_said)
                {
                    _said.Add(line);
                }
            }
        }
    }
}
