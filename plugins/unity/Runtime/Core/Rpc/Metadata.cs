using System;
using System.Collections.Generic;
using System.Globalization;
using System.Net.Http.Headers;
using System.Text;

namespace Townsfolk.Rpc
{
    /// <summary>Reads and writes what travels as headers and trailers.</summary>
    internal static class Metadata
    {
        public static Dictionary<string, string> Read(HttpHeaders headers)
        {
            var metadata = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
            foreach (var header in headers)
            {
                metadata[header.Key] = string.Join(",", header.Value);
            }

            return metadata;
        }

        /// <summary>Parses the payload of a gRPC-Web trailers frame: "key: value" lines, CRLF between.</summary>
        /// <exception cref="ProtocolException">A line has no colon.</exception>
        public static Dictionary<string, string> Parse(ArraySegment<byte> payload)
        {
            var metadata = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
            var text = Encoding.UTF8.GetString(payload.Array!, payload.Offset, payload.Count);
            foreach (var raw in text.Split('\n'))
            {
                var line = raw.Trim();
                if (line.Length == 0)
                {
                    continue;
                }

                var colon = line.IndexOf(':');
                if (colon <= 0)
                {
                    throw new ProtocolException("the trailers of the answer are not \"key: value\" lines");
                }

                metadata[line.Substring(0, colon).Trim()] = line.Substring(colon + 1).Trim();
            }

            return metadata;
        }

        /// <summary>Adds a pair to the headers of a request.</summary>
        /// <exception cref="ArgumentException">Not a legal key or value, or a key that is gRPC's own.</exception>
        public static void Add(HttpHeaders headers, string key, string value)
        {
            if (key.StartsWith("grpc-", StringComparison.Ordinal) || !IsKey(key))
            {
                throw new ArgumentException(
                    $"metadata key '{key}' must be of a-z, 0-9, '-', '_', '.' and not begin with 'grpc-'");
            }

            foreach (var character in value)
            {
                if (character < 0x20 || character > 0x7e)
                {
                    throw new ArgumentException(
                        $"the value of metadata '{key}' must be printable ASCII");
                }
            }

            headers.TryAddWithoutValidation(key, value);
        }

        /// <summary>A time limit as grpc-timeout writes it: at most eight digits and a unit.</summary>
        public static string Timeout(TimeSpan limit)
        {
            var milliseconds = Math.Max(1, (long)Math.Ceiling(limit.TotalMilliseconds));
            return milliseconds < 100_000_000
                ? milliseconds.ToString(CultureInfo.InvariantCulture) + "m"
                : Math.Min(milliseconds / 1000, 99_999_999).ToString(CultureInfo.InvariantCulture) + "S";
        }

        /// <summary>Decodes a percent-encoded UTF-8 text; what is not an escape stays as it is.</summary>
        public static string PercentDecode(string text)
        {
            if (text.IndexOf('%') < 0)
            {
                return text;
            }

            var bytes = new List<byte>(text.Length);
            for (var i = 0; i < text.Length; i++)
            {
                if (text[i] == '%' && i + 2 < text.Length && Hex(text[i + 1]) is var high && high >= 0
                    && Hex(text[i + 2]) is var low && low >= 0)
                {
                    bytes.Add((byte)(16 * high + low));
                    i += 2;
                }
                else
                {
                    bytes.AddRange(Encoding.UTF8.GetBytes(text[i].ToString()));
                }
            }

            return Encoding.UTF8.GetString(bytes.ToArray());
        }

        private static bool IsKey(string key)
        {
            foreach (var character in key)
            {
                var legal = (character >= 'a' && character <= 'z') || (character >= '0' && character <= '9')
                    || character == '-' || character == '_' || character == '.';
                if (!legal)
                {
                    return false;
                }
            }

            return key.Length > 0;
        }

        private static int Hex(char digit)
        {
            if (digit >= '0' && digit <= '9')
            {
                return digit - '0';
            }

            var letter = char.ToLowerInvariant(digit);
            return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
        }
    }
}
