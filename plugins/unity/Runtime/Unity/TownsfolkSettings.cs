using System;
using System.Threading;
using System.Threading.Tasks;
using UnityEngine;

namespace Townsfolk.Unity
{
    /// <summary>Which way calls take.</summary>
    public enum TownsfolkWire
    {
        /// <summary>gRPC-Web over HTTP/1.1: needs nothing beside Unity.</summary>
        GrpcWeb,

        /// <summary>gRPC over HTTP/2: needs the package YetAnotherHttpHandler, or Unity 6000.5.</summary>
        Grpc,
    }

    /// <summary>What the runtime gives up for the game's frames.</summary>
    public enum FramePolicy
    {
        /// <summary>Frames come first.</summary>
        Smooth = 1,

        /// <summary>Steps run where they usually fit.</summary>
        Balanced = 2,

        /// <summary>Answers come first.</summary>
        Fast = 3,
    }

    /// <summary>
    /// How this project reaches its runtime; Project Settings, Townsfolk. Lies in a Resources folder, so
    /// that builds have it.
    /// </summary>
    public sealed class TownsfolkSettings : ScriptableObject
    {
        /// <summary>The name below Resources.</summary>
        public const string ResourceName = "TownsfolkSettings";

        private const string DefaultCommand = "townsfolk";

        /// <summary>Whether the game launches its own runtime.</summary>
        [Tooltip("Launch a runtime with the game, and end it with the game. Off: use one that already runs.")]
        public bool launchRuntime = true;

        /// <summary>The program, or a name on PATH.</summary>
        [Tooltip("The townsfolk program: an absolute path, a path below StreamingAssets, or a name on PATH.")]
        public string command = DefaultCommand;

        /// <summary>What stands before "serve".</summary>
        [Tooltip("What stands before 'serve', such as '-m' and 'townsfolk' when the command is a Python.")]
        public string[] commandArguments = Array.Empty<string>();

        /// <summary>The model; empty takes the starter model.</summary>
        [Tooltip("A GGUF file or a model's folder (absolute, or below StreamingAssets), a name that 'townsfolk models' "
            + "lists, a hub id, or auto. Empty: the starter model.")]
        public string model = string.Empty;

        /// <summary>The bundle that builds take along; empty for none.</summary>
        [Tooltip("A folder that 'townsfolk bundle' has made. Builds copy it below StreamingAssets; games start it "
            + "before anything else, and so does the editor where the command is not changed.")]
        public string bundle = string.Empty;

        /// <summary>More options of "townsfolk serve".</summary>
        [Tooltip("More options of 'townsfolk serve', one each: '--kv-memory-mib', '256'.")]
        public string[] serveArguments = Array.Empty<string>();

        /// <summary>Whether one runtime is shared with other games.</summary>
        [Tooltip("Share one runtime with other games of this user that share, of the same model and settings. It ends "
            + "with the last of them; none sees another's characters.")]
        public bool shareRuntime;

        /// <summary>How long the model may take to load, in seconds.</summary>
        [Min(1f)]
        [Tooltip("How long the model may take to load, in seconds.")]
        public float startTimeout = 120f;

        /// <summary>Where the runtime is, when the game does not launch it.</summary>
        [Tooltip("Where the runtime is, when the game does not launch it.")]
        public string host = "127.0.0.1";

        /// <summary>Its gRPC port.</summary>
        [Range(0, 65535)]
        [Tooltip("Its gRPC port (HTTP/2); 0 when it is not used.")]
        public int port = 50151;

        /// <summary>Its gRPC-Web port.</summary>
        [Range(0, 65535)]
        [Tooltip("Its gRPC-Web port ('townsfolk serve --web-port'); 0 when it is not used.")]
        public int webPort = 50152;

        /// <summary>Its token.</summary>
        [Tooltip("What 'townsfolk serve --auth-token' was given. It ships with the game: no secret.")]
        public string token = string.Empty;

        /// <summary>Whether it has a certificate.</summary>
        [Tooltip("Whether the runtime has a certificate.")]
        public bool useTls;

        /// <summary>The one root to trust, as PEM.</summary>
        [Tooltip("The root certificate to trust, for a certificate of your own. Empty: the system's.")]
        public TextAsset? rootCertificate;

        /// <summary>Which way calls take.</summary>
        [Tooltip("gRPC-Web needs nothing else. gRPC needs YetAnotherHttpHandler, or Unity 6000.5 or later.")]
        public TownsfolkWire wire = TownsfolkWire.GrpcWeb;

        /// <summary>How long a lost runtime is waited for, in seconds.</summary>
        [Range(0f, 300f)]
        [Tooltip("How long a line waits for a runtime that can't be reached before it fails, in seconds.")]
        public float reconnectTimeout = 30f;

        /// <summary>How long events may be handled each frame, in milliseconds.</summary>
        [Range(0.1f, 16f)]
        [Tooltip("How long events may be handled each frame, in milliseconds; the rest waits for the next.")]
        public float frameBudget = 2f;

        /// <summary>Whether the runtime is told of the game's frames.</summary>
        [Tooltip("Tell the runtime of the game's frames, so that it computes between them. Its GPU time is known "
            + "with Frame Timing Stats on, in the Player Settings.")]
        public bool reportFrames = true;

        /// <summary>What the runtime is to give up for frames.</summary>
        [Tooltip("What the runtime is to give up for frames. Smooth: no frame is late. Fast: no answer waits.")]
        public FramePolicy framePolicy = FramePolicy.Balanced;

        /// <summary>The project's settings, or the defaults where there are none.</summary>
        public static TownsfolkSettings Load()
        {
            var settings = Resources.Load<TownsfolkSettings>(ResourceName);
            return settings != null ? settings : CreateInstance<TownsfolkSettings>();
        }

        /// <summary>How the runtime is launched.</summary>
        public RuntimeLaunch ToLaunch()
        {
            var shipped = RuntimeBundle.Open(
                System.IO.Path.Combine(Application.streamingAssetsPath, RuntimeBundle.FolderName));
            if (shipped == null && command == DefaultCommand)
            {
                shipped = RuntimeBundle.Open(bundle);
            }

            // A bundle's own model is meant where none is named.
            var own = model.Length == 0 || (shipped != null && model == "starter");
            return new RuntimeLaunch
            {
                Command = shipped?.Program ?? BelowStreamingAssets(command),
                CommandArguments = shipped == null ? commandArguments : Array.Empty<string>(),
                Model = own ? null : BelowStreamingAssets(model),
                ServeArguments = serveArguments,
                Share = shareRuntime,
                StartTimeout = TimeSpan.FromSeconds(startTimeout),
            };
        }

        /// <summary>Where the runtime is, when the game does not launch it.</summary>
        public RuntimeEndpoint ToEndpoint() => new RuntimeEndpoint(
            host,
            port,
            webPort,
            token,
            useTls,
            rootCertificate != null ? rootCertificate.text : null);

        /// <summary>
        /// A client of the runtime that these settings describe. Where they describe none, each of its calls fails
        /// and says so.
        /// </summary>
        /// <param name="process">The launcher of the runtime, for the caller to dispose; null when it runs elsewhere.</param>
        public TownsfolkClient Connect(out RuntimeProcess? process)
        {
            process = null;
            try
            {
                var options = new TownsfolkClientOptions
                {
                    Transport = UnityTransport.For(wire),
                    ReconnectTimeout = TimeSpan.FromSeconds(reconnectTimeout),
                    Warn = advice => Debug.LogWarning("Townsfolk: " + advice),
                };
                if (!launchRuntime)
                {
                    return new TownsfolkClient(new FixedEndpoint(ToEndpoint()), options);
                }

                process = new RuntimeProcess(ToLaunch());
                return new TownsfolkClient(process, options);
            }
            catch (Exception wrong) when (wrong is ArgumentException || wrong is NotSupportedException)
            {
                return new TownsfolkClient(new NoEndpoint(wrong));
            }
        }

        /// <summary>A path below StreamingAssets where there is such a file or folder; else as it stands.</summary>
        public static string BelowStreamingAssets(string path)
        {
            var shipped = System.IO.Path.Combine(Application.streamingAssetsPath, path);
            return System.IO.File.Exists(shipped) || System.IO.Directory.Exists(shipped) ? shipped : path;
        }

        private sealed class NoEndpoint : IEndpointSource
        {
            private readonly Exception _wrong;

            public NoEndpoint(Exception wrong)
            {
                _wrong = wrong;
            }

            public Task<RuntimeEndpoint> GetAsync(CancellationToken cancellation) =>
                Task.FromException<RuntimeEndpoint>(new RuntimeStartException(
                    "Project Settings, Townsfolk, describe no runtime: " + _wrong.Message, _wrong));
        }
    }
}
