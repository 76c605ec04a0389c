using System;
using System.IO;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Threading.Tasks;
using NUnit.Framework;
using Townsfolk.Rpc;
using static Townsfolk.Tests.EndToEnd.SharedRuntime;

namespace Townsfolk.Tests.EndToEnd
{
    /// <summary>TLS with a certificate of one's own.</summary>
    [TestFixture]
    [Timeout(600000)]
    internal sealed class TlsTests
    {
        private string _folder = null!;
        private string _certificate = null!;
        private RuntimeProcess _runtime = null!;
        private RuntimeEndpoint _plain = null!;

        [OneTimeSetUp]
        public async Task StartAsync()
        {
            _folder = Directory.CreateTempSubdirectory("townsfolk-tls-").FullName;
            using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            _certificate = Certify("127.0.0.1", key);
            await File.WriteAllTextAsync(Path.Combine(_folder, "cert.pem"), _certificate);
            await File.WriteAllTextAsync(Path.Combine(_folder, "key.pem"), key.ExportPkcs8PrivateKeyPem());
            _runtime = new RuntimeProcess(Launch(
                "--tls-certificate", Path.Combine(_folder, "cert.pem"), "--tls-key", Path.Combine(_folder, "key.pem")));
            _plain = await _runtime.GetAsync();
        }

        [OneTimeTearDown]
        public void Stop()
        {
            _runtime.Dispose();
            Directory.Delete(_folder, recursive: true);
        }

        [TestCase("grpc")]
        [TestCase("grpc-web")]
        public async Task TheRootThatIsNamedIsTrusted(string wire)
        {
            using var client = Client(wire, _certificate);
            await using var session = await client.OpenSessionAsync(Innkeeper(tokens: 5));
            Assert.That(await ReadAsync(session, "Hello!"), Is.Not.Empty);
        }

        [TestCase("grpc")]
        [TestCase("grpc-web")]
        public void AnyOtherIsNot(string wire)
        {
            using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            foreach (var root in new[] { null, Certify("127.0.0.1", key) })
            {
                using var client = Client(wire, root);
                Assert.CatchAsync<RuntimeUnavailableException>(() => client.GetRuntimeInfoAsync());
            }
        }

        [TestCase("grpc")]
        [TestCase("grpc-web")]
        public void PlainTextToATlsPortIsATypedError(string wire)
        {
            using var client = Client(wire, null, useTls: false);
            Assert.CatchAsync<RpcException>(() => client.GetRuntimeInfoAsync());
        }

        private TownsfolkClient Client(string wire, string? root, bool useTls = true) => new TownsfolkClient(
            new FixedEndpoint(new RuntimeEndpoint(
                _plain.Host, _plain.Port, _plain.WebPort, _plain.Token, useTls, root)),
            new TownsfolkClientOptions
            {
                Transport = Transport(wire),
                ReconnectTimeout = TimeSpan.FromMilliseconds(200),
                CallTimeout = TimeSpan.FromSeconds(10),
            });

        private static string Certify(string address, ECDsa key)
        {
            var request = new CertificateRequest("CN=townsfolk test", key, HashAlgorithmName.SHA256);
            var names = new SubjectAlternativeNameBuilder();
            names.AddIpAddress(IPAddress.Parse(address));
            request.CertificateExtensions.Add(names.Build());
            request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
            using var certificate = request.CreateSelfSigned(
                DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
            return certificate.ExportCertificatePem();
        }
    }
}
