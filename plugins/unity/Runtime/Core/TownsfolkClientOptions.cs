using System;
using Townsfolk.Rpc;

namespace Townsfolk
{
    /// <summary>How a <see cref="TownsfolkClient"/> reaches its runtime, and how patient it is.</summary>
    public sealed class TownsfolkClientOptions
    {
        /// <summary>The wire and the HTTP stack. The default needs nothing but sockets.</summary>
        public HttpTransport Transport { get; set; } = HttpTransport.GrpcWeb;

        /// <summary>The limit of every short call: open, interrupt, notify and the like.</summary>
        public TimeSpan CallTimeout { get; set; } = TimeSpan.FromSeconds(30);

        /// <summary>How long a runtime that can't be reached is tried again before a call fails.</summary>
        public TimeSpan ReconnectTimeout { get; set; } = TimeSpan.FromSeconds(30);

        /// <summary>
        /// How long an answer may be silent before it fails. Long by default: on a slow machine a queue of
        /// characters waits for its turn in silence.
        /// </summary>
        public TimeSpan SilenceTimeout { get; set; } = TimeSpan.FromMinutes(2);

        /// <summary>The largest message that is taken, in bytes.</summary>
        public int MaxMessageBytes { get; set; } = RpcChannel.DefaultMaxMessageBytes;

        /// <summary>Is told, on any thread, of a runtime that is older than this package.</summary>
        public Action<string> Warn { get; set; } = Console.Error.WriteLine;

        internal TownsfolkClientOptions Copy() => (TownsfolkClientOptions)MemberwiseClone();
    }
}
