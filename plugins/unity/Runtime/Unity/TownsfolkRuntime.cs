using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using Townsfolk.V1;
using UnityEngine;

namespace Townsfolk.Unity
{
    /// <summary>
    /// The game's one connection to its runtime. Made on first use, survives scene loads, and ends with
    /// the game, with play mode and with every reload of the scripts.
    /// </summary>
    [AddComponentMenu("")]
    [DisallowMultipleComponent]
    [DefaultExecutionOrder(-1000)]
    public sealed class TownsfolkRuntime : MonoBehaviour
    {
        private static TownsfolkRuntime? s_instance;
        private static TownsfolkSettings? s_settings;

        private readonly ConcurrentDictionary<string, Registration> _lore =
            new ConcurrentDictionary<string, Registration>();

        private readonly Dictionary<string, LorePack> _packs = new Dictionary<string, LorePack>();
        private readonly CancellationTokenSource _ending = new CancellationTokenSource();
        private TimeSpan _frameBudget;
        private FrameWatch? _frames;
        private FramePolicy _framePolicy;

        /// <summary>The connection; made on first use.</summary>
        public static TownsfolkRuntime Instance
        {
            get
            {
                if (s_instance == null)
                {
                    var host = new GameObject("Townsfolk");
                    if (Application.isPlaying)
                    {
                        DontDestroyOnLoad(host);
                    }

                    s_instance = host.AddComponent<TownsfolkRuntime>();
                }

                return s_instance;
            }
        }

        /// <summary>The connection has ended: what was under way is over.</summary>
        internal event Action? Ended;

        /// <summary>Whether there is a connection.</summary>
        public static bool Exists => s_instance != null;

        /// <summary>
        /// The settings of the next connection: the project's own, unless the game sets others before it
        /// first uses <see cref="Instance"/>.
        /// </summary>
        public static TownsfolkSettings Settings
        {
            get => s_settings != null ? s_settings : s_settings = TownsfolkSettings.Load();
            set => s_settings = value;
        }

        /// <summary>All characters: their memories are saved and restored at once.</summary>
        public static NpcCast Cast { get; } = new NpcCast();

        /// <summary>The client, for calls beside what the components offer.</summary>
        public TownsfolkClient Client { get; private set; } = null!;

        /// <summary>The launched runtime; null when the settings name one that runs elsewhere.</summary>
        public RuntimeProcess? Process { get; private set; }

        /// <summary>Whether the runtime is told of the game's frames, so that it computes between them.</summary>
        public bool ReportsFrames
        {
            get => _frames != null;
            set
            {
                if (value == ReportsFrames || IsEnding)
                {
                    return;
                }

                if (value)
                {
                    _frames = gameObject.AddComponent<FrameWatch>();
                    _frames.Begin(Client, _framePolicy);
                }
                else
                {
                    Destroy(_frames!);
                    _frames = null;
                }
            }
        }

        internal MainThreadQueue Queue { get; } = new MainThreadQueue();

        /// <summary>Cancelled when the connection ends.</summary>
        internal CancellationToken Ending => _ending.Token;

        internal bool IsEnding => _ending.IsCancellationRequested;

        /// <summary>Ends the connection and the launched runtime; returns within seconds.</summary>
        public static void Shutdown()
        {
            if (s_instance != null)
            {
                var host = s_instance.gameObject;
                s_instance.End();
                if (Application.isPlaying)
                {
                    Destroy(host);
                }
                else
                {
                    DestroyImmediate(host);
                }
            }
        }

        /// <summary>Warns of two lore packs that share an id and differ: a runtime has one text for an id.</summary>
        internal void CheckPacks(IEnumerable<LorePack> packs)
        {
            foreach (var pack in packs)
            {
                if (pack == null)
                {
                    continue;
                }

                if (_packs.TryGetValue(pack.loreId, out var known) && known != null && known != pack
                    && known.text != pack.text)
                {
                    Debug.LogWarning($"Townsfolk: the lore packs '{known.name}' and '{pack.name}' have the same id "
                        + $"'{pack.loreId}' and different texts: each character knows the one that was sent last "
                        + "before it began to speak. Give one of them another id.");
                }

                _packs[pack.loreId] = pack;
            }
        }

        /// <summary>
        /// Registers lore, once for each connection and text; all characters share it. A text that has changed is
        /// known to those who begin to speak from then on.
        /// </summary>
        internal async Task RegisterLoreAsync(IReadOnlyList<Lore> lore)
        {
            foreach (var one in lore)
            {
                var registration = _lore.AddOrUpdate(
                    one.LoreId,
                    _ => new Registration(one),
                    (_, before) => before.Text == one.Text ? before : new Registration(one));
                try
                {
                    await registration.SendAsync(Client, Ending).ConfigureAwait(false);
                }
                catch
                {
                    // The next character that needs it tries again.
                    _lore.TryRemove(one.LoreId, out _);
                    throw;
                }
            }
        }

        private void Awake()
        {
            var settings = Settings;
            _frameBudget = TimeSpan.FromMilliseconds(settings.frameBudget);
            Client = settings.Connect(out var process);
            Process = process;
            Application.quitting += Shutdown;
            _framePolicy = settings.framePolicy;

            // In the editor nothing is drawn that a game would miss.
            ReportsFrames = settings.reportFrames && Application.isPlaying;
        }

        private void Update()
        {
            _frames?.BeginFrame();
            Queue.Drain(_frameBudget);
        }

        private void OnDestroy() => End();

        private void End()
        {
            if (_ending.IsCancellationRequested)
            {
                return;
            }

            Application.quitting -= Shutdown;
            if (ReferenceEquals(s_instance, this))
            {
                s_instance = null;
            }

            _frames?.End();
            _ending.Cancel();
            Client.Dispose();
            Process?.Dispose();
            Ended?.Invoke();
        }

        // Enter Play Mode without a domain reload keeps statics: begin anew.
        [RuntimeInitializeOnLoadMethod(RuntimeInitializeLoadType.SubsystemRegistration)]
        private static void ResetStatics()
        {
            Shutdown();
            s_settings = null;
            Cast.Clear();
        }

        // One text under a lore id, sent once.
        private sealed class Registration
        {
            private readonly Lore _lore;
            private Task<int>? _sending;

            public Registration(Lore lore)
            {
                _lore = lore;
            }

            public string Text => _lore.Text;

            public Task SendAsync(TownsfolkClient client, CancellationToken ending)
            {
                lock (_lore)
                {
                    return _sending ??= client.RegisterLoreAsync(_lore, ending);
                }
            }
        }
    }
}
