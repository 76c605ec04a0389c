using System;
using System.Collections.Generic;
using System.Threading;

namespace Townsfolk.Rpc
{
    /// <summary>What a caller can say about one call.</summary>
    public readonly struct CallOptions
    {
        /// <summary>Creates the options.</summary>
        /// <param name="timeout">The call must end within this time; null means no limit.</param>
        /// <param name="metadata">Lower-case ASCII keys and printable ASCII values to send along.</param>
        /// <param name="cancellation">Ends the call, on the server too.</param>
        public CallOptions(
            TimeSpan? timeout = null,
            IReadOnlyDictionary<string, string>? metadata = null,
            CancellationToken cancellation = default)
        {
            if (timeout is { } limit && limit <= TimeSpan.Zero)
            {
                throw new ArgumentOutOfRangeException(
                    nameof(timeout), limit, "must be above zero; null means no limit");
            }

            Timeout = timeout;
            Metadata = metadata;
            Cancellation = cancellation;
        }

        /// <summary>The call must end within this time; null means no limit.</summary>
        public TimeSpan? Timeout { get; }

        /// <summary>Metadata to send along; null means none.</summary>
        public IReadOnlyDictionary<string, string>? Metadata { get; }

        /// <summary>Ends the call, on the server too.</summary>
        public CancellationToken Cancellation { get; }
    }
}
