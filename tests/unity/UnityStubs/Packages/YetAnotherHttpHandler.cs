using System;
using System.Net.Http;
using System.Threading;
using System.Threading.Tasks;

namespace Cysharp.Net.Http
{
    // The package com.cysharp.yetanotherhttphandler 1.x.
    public class YetAnotherHttpHandler : HttpMessageHandler
    {
        public bool? Http2Only { get; set; }

        public string? RootCertificates { get; set; }

        protected override Task<HttpResponseMessage> SendAsync(
            HttpRequestMessage request, CancellationToken cancellationToken) =>
            throw new PlatformNotSupportedException("only its native library can do this");
    }
}
