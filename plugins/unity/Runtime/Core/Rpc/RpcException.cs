using System;
using System.Collections.Generic;

namespace Townsfolk.Rpc
{
    /// <summary>A call that failed. The subclasses are the failures that a game treats apart.</summary>
    public class RpcException : Exception
    {
        private static readonly IReadOnlyDictionary<string, string> NoMetadata =
            new Dictionary<string, string>();

        /// <summary>Creates the exception.</summary>
        public RpcException(
            StatusCode code,
            string message,
            IReadOnlyDictionary<string, string>? trailers = null,
            Exception? inner = null)
            : base(message, inner)
        {
            Code = code;
            Trailers = trailers ?? NoMetadata;
        }

        /// <summary>What kind of failure.</summary>
        public StatusCode Code { get; }

        /// <summary>The metadata that came with the status; empty when none came.</summary>
        public IReadOnlyDictionary<string, string> Trailers { get; }

        /// <summary>Returns the exception of the class that fits a status.</summary>
        public static RpcException From(
            StatusCode code,
            string message,
            IReadOnlyDictionary<string, string>? trailers = null)
        {
            switch (code)
            {
                case StatusCode.Unavailable:
                    return new RuntimeUnavailableException(message, trailers);
                case StatusCode.DeadlineExceeded:
                    return new DeadlineExceededException(message, trailers);
                case StatusCode.Unauthenticated:
                    return new UnauthenticatedException(message, trailers);
                default:
                    return new RpcException(code, message, trailers);
            }
        }
    }

    /// <summary>The runtime can't be reached, or the connection was lost. Trying again can help.</summary>
    public sealed class RuntimeUnavailableException : RpcException
    {
        /// <summary>Creates the exception.</summary>
        public RuntimeUnavailableException(
            string message,
            IReadOnlyDictionary<string, string>? trailers = null,
            Exception? inner = null)
            : base(StatusCode.Unavailable, message, trailers, inner)
        {
        }
    }

    /// <summary>The deadline passed before the call was over.</summary>
    public sealed class DeadlineExceededException : RpcException
    {
        /// <summary>Creates the exception.</summary>
        public DeadlineExceededException(
            string message,
            IReadOnlyDictionary<string, string>? trailers = null)
            : base(StatusCode.DeadlineExceeded, message, trailers)
        {
        }
    }

    /// <summary>The token is missing or wrong.</summary>
    public sealed class UnauthenticatedException : RpcException
    {
        /// <summary>Creates the exception.</summary>
        public UnauthenticatedException(
            string message,
            IReadOnlyDictionary<string, string>? trailers = null)
            : base(StatusCode.Unauthenticated, message, trailers)
        {
        }
    }

    /// <summary>Package and runtime speak unlike contracts; the message says which to upgrade.</summary>
    public sealed class VersionMismatchException : RpcException
    {
        /// <summary>Creates the exception.</summary>
        public VersionMismatchException(string message)
            : base(StatusCode.FailedPrecondition, message)
        {
        }
    }

    /// <summary>The answer is not what gRPC allows: a broken frame, a missing status, another server.</summary>
    public sealed class ProtocolException : RpcException
    {
        /// <summary>Creates the exception.</summary>
        public ProtocolException(string message, Exception? inner = null)
            : base(StatusCode.Internal, message, null, inner)
        {
        }
    }
}
