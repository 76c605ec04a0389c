namespace Townsfolk.Rpc
{
    /// <summary>How a call ended; the codes of gRPC.</summary>
    public enum StatusCode
    {
        /// <summary>It succeeded.</summary>
        Ok = 0,

        /// <summary>It was cancelled, mostly by the caller.</summary>
        Cancelled = 1,

        /// <summary>It failed for a reason that has no code.</summary>
        Unknown = 2,

        /// <summary>A field's value is not allowed; the message names the field and its range.</summary>
        InvalidArgument = 3,

        /// <summary>The deadline passed.</summary>
        DeadlineExceeded = 4,

        /// <summary>Something named does not exist.</summary>
        NotFound = 5,

        /// <summary>The name is taken.</summary>
        AlreadyExists = 6,

        /// <summary>The caller may not do this.</summary>
        PermissionDenied = 7,

        /// <summary>A limit is reached; the message says which.</summary>
        ResourceExhausted = 8,

        /// <summary>Not possible in this state; the message says what is needed first.</summary>
        FailedPrecondition = 9,

        /// <summary>It was given up, and can be tried again.</summary>
        Aborted = 10,

        /// <summary>A value lies past the valid range.</summary>
        OutOfRange = 11,

        /// <summary>The server has no such method.</summary>
        Unimplemented = 12,

        /// <summary>A fault of the server, or an answer that breaks the protocol.</summary>
        Internal = 13,

        /// <summary>The server can't be reached, or the connection was lost.</summary>
        Unavailable = 14,

        /// <summary>Data is lost or damaged.</summary>
        DataLoss = 15,

        /// <summary>The token is missing or wrong.</summary>
        Unauthenticated = 16,
    }
}
