using System;
using System.Net.Http;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;

namespace Townsfolk.Rpc
{
    /// <summary>Sets the platform's HttpClientHandler up for long streams to one server.</summary>
    internal static class StockHandler
    {
        public static HttpMessageHandler Create(RuntimeEndpoint endpoint)
        {
            var handler = new HttpClientHandler
            {
                // A redirect would carry the token to another place.
                AllowAutoRedirect = false,
                UseCookies = false,
                UseProxy = !endpoint.IsLoopback,
                // Each gRPC-Web stream takes a connection; Mono's default of 2 would let the third NPC wait.
                MaxConnectionsPerServer = 1024,
            };
            if (endpoint.RootCertificate is { } pem)
            {
                var root = ParsePem(pem);
                handler.ServerCertificateCustomValidationCallback =
                    (request, certificate, chain, errors) => Trusts(root, certificate, errors);
            }

            return handler;
        }

        private static bool Trusts(X509Certificate2 root, X509Certificate2? certificate, SslPolicyErrors errors)
        {
            // A wrong host name is never excused; an unknown root is, when it is ours.
            if (certificate == null || (errors & ~SslPolicyErrors.RemoteCertificateChainErrors) != 0)
            {
                return false;
            }

            using var chain = new X509Chain();
            chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
            chain.ChainPolicy.VerificationFlags = X509VerificationFlags.AllowUnknownCertificateAuthority;
            chain.ChainPolicy.ExtraStore.Add(root);
            return chain.Build(certificate)
                && chain.ChainElements[chain.ChainElements.Count - 1].Certificate.Thumbprint == root.Thumbprint;
        }

        private static X509Certificate2 ParsePem(string pem)
        {
            const string Begin = "-----BEGIN CERTIFICATE-----";
            var start = pem.IndexOf(Begin, StringComparison.Ordinal);
            var end = pem.IndexOf("-----END CERTIFICATE-----", StringComparison.Ordinal);
            if (start < 0 || end < start)
            {
                throw new ArgumentException("RootCertificate must be a PEM with a BEGIN CERTIFICATE block");
            }

            var base64 = pem.Substring(start + Begin.Length, end - start - Begin.Length);
#pragma warning disable SYSLIB0057 // Its successor is not in .NET Standard 2.1.
            return new X509Certificate2(Convert.FromBase64String(base64));
#pragma warning restore SYSLIB0057
        }
    }
}
