using System;
using System.Net;

namespace Townsfolk
{
    /// <summary>Where a runtime listens and what it asks for.</summary>
    public sealed class RuntimeEndpoint
    {
        /// <summary>Describes an endpoint.</summary>
        /// <param name="host">A host name or an IP address.</param>
        /// <param name="port">The gRPC port (HTTP/2); 0 when it is not used.</param>
        /// <param name="webPort">The gRPC-Web port (HTTP/1.1); 0 when it is not used.</param>
        /// <param name="token">What `townsfolk serve --auth-token` was given; null for none.</param>
        /// <param name="useTls">Whether the runtime has a certificate.</param>
        /// <param name="rootCertificate">
        /// PEM of the one root to trust, for a certificate of one's own; null for the system's roots.
        /// </param>
        public RuntimeEndpoint(
            string host,
            int port,
            int webPort,
            string? token = null,
            bool useTls = false,
            string? rootCertificate = null)
        {
            if (string.IsNullOrWhiteSpace(host))
            {
                throw new ArgumentException("host must not be empty", nameof(host));
            }

            CheckPort(port, nameof(port));
            CheckPort(webPort, nameof(webPort));
            Host = host;
            Port = port;
            WebPort = webPort;
            Token = token;
            UseTls = useTls;
            RootCertificate = rootCertificate;
        }

        /// <summary>A host name or an IP address.</summary>
        public string Host { get; }

        /// <summary>The gRPC port (HTTP/2); 0 when it is not used.</summary>
        public int Port { get; }

        /// <summary>The gRPC-Web port (HTTP/1.1); 0 when it is not used.</summary>
        public int WebPort { get; }

        /// <summary>Sent with every call; null for none.</summary>
        public string? Token { get; }

        /// <summary>Whether the runtime has a certificate.</summary>
        public bool UseTls { get; }

        /// <summary>PEM of the one root to trust; null for the system's roots.</summary>
        public string? RootCertificate { get; }

        /// <summary>Whether the runtime is on this machine.</summary>
        public bool IsLoopback => Host == "localhost"
            || (IPAddress.TryParse(Host, out var address) && IPAddress.IsLoopback(address));

        private static void CheckPort(int port, string name)
        {
            if (port < 0 || port > 65535)
            {
                throw new ArgumentOutOfRangeException(name, port, "must be 0 to 65535");
            }
        }
    }
}
