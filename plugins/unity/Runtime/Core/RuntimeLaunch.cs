using System;
using System.Collections.Generic;

namespace Townsfolk
{
    /// <summary>How a <see cref="RuntimeProcess"/> starts the runtime.</summary>
    public sealed class RuntimeLaunch
    {
        /// <summary>The program: a path, or a name on PATH.</summary>
        public string Command { get; set; } = "townsfolk";

        /// <summary>What stands before `serve`: { "-m", "townsfolk" } when the program is a Python.</summary>
        public IReadOnlyList<string> CommandArguments { get; set; } = Array.Empty<string>();

        /// <summary>
        /// A GGUF file, a model's folder, a name that `townsfolk models` lists, a hub id, or "auto"; null takes the
        /// starter model.
        /// </summary>
        public string? Model { get; set; }

        /// <summary>More options of `townsfolk serve`, such as { "--kv-memory-mib", "256" }.</summary>
        public IReadOnlyList<string> ServeArguments { get; set; } = Array.Empty<string>();

        /// <summary>
        /// Whether one runtime is shared with other games of this user that share, of the same model and settings.
        /// It ends with the last of them; none sees another's sessions.
        /// </summary>
        public bool Share { get; set; }

        /// <summary>The working folder; null takes the game's own.</summary>
        public string? WorkingDirectory { get; set; }

        /// <summary>How long the model may take to load.</summary>
        public TimeSpan StartTimeout { get; set; } = TimeSpan.FromMinutes(2);

        internal RuntimeLaunch Copy() => (RuntimeLaunch)MemberwiseClone();
    }

    /// <summary>The runtime could not be started, or ends again and again.</summary>
    public sealed class RuntimeStartException : Exception
    {
        /// <summary>Creates the exception.</summary>
        public RuntimeStartException(string message, Exception? inner = null)
            : base(message, inner)
        {
        }
    }
}
