using System;
using System.Diagnostics;
using System.Threading.Tasks;
using Townsfolk.Rpc;
using Townsfolk.V1;
using UnityEngine;

namespace Townsfolk.Unity
{
    /// <summary>Notes the game's frames for the runtime: last of all that a frame does before it is drawn.</summary>
    [AddComponentMenu("")]
    [DisallowMultipleComponent]
    [DefaultExecutionOrder(32000)]
    internal sealed class FrameWatch : MonoBehaviour
    {
        private const double UsualRate = 60;

        private readonly FrameTiming[] _timings = new FrameTiming[1];
        private readonly Stopwatch _frame = new Stopwatch();
        private FrameReporter? _reporter;
        private bool _isOnGpu;

        /// <summary>Begins to report to a runtime.</summary>
        public void Begin(TownsfolkClient client, FramePolicy policy)
        {
            _reporter = new FrameReporter(client) { Policy = (PacePolicy)policy };
            _ = AskAsync(client);
        }

        /// <summary>A frame begins: what the game does in it follows.</summary>
        public void BeginFrame() => _frame.Restart();

        /// <summary>Ends reporting.</summary>
        public void End()
        {
            _reporter?.Dispose();
            _reporter = null;
        }

        // What Unity measures is of a frame some frames ago; 0 where "Frame Timing Stats" is off.
        private void LateUpdate()
        {
            if (_reporter == null)
            {
                return;
            }

            if (!_isOnGpu)
            {
                var seconds = _frame.Elapsed.TotalSeconds;
                _reporter.Note(seconds, seconds, Rate());
                return;
            }

            FrameTimingManager.CaptureFrameTimings();
            var busy = FrameTimingManager.GetLatestTimings(1, _timings) == 0 ? 0 : _timings[0].gpuFrameTime / 1000;
            _reporter.Note(0, busy, Rate());
        }

        private void OnDestroy() => End();

        private async Task AskAsync(TownsfolkClient client)
        {
            try
            {
                var info = await client.GetRuntimeInfoAsync().ConfigureAwait(false);
                _isOnGpu = !info.Device.StartsWith("cpu", StringComparison.Ordinal);
            }
            catch (Exception wrong) when (
                wrong is RpcException || wrong is RuntimeStartException || wrong is ObjectDisposedException)
            {
                // Who speaks tells what is wrong with the connection.
            }
        }

        private static double Rate()
        {
            if (QualitySettings.vSyncCount == 0 && Application.targetFrameRate > 0)
            {
                return Application.targetFrameRate;
            }

#if UNITY_2023_1_OR_NEWER
            var screen = Screen.currentResolution.refreshRateRatio.value;
#else
            double screen = Screen.currentResolution.refreshRate;
#endif
            var rate = screen > 0 ? screen : UsualRate;
            return QualitySettings.vSyncCount > 1 ? rate / QualitySettings.vSyncCount : rate;
        }
    }
}
