using System.Threading;
using System.Threading.Tasks;

namespace Townsfolk
{
    /// <summary>Knows where the runtime is: always in the same place, or wherever it was launched last.</summary>
    public interface IEndpointSource
    {
        /// <summary>
        /// Returns where the runtime is now: the same object for as long as it is the same runtime.
        /// Launches one where that is its task and none runs.
        /// </summary>
        Task<RuntimeEndpoint> GetAsync(CancellationToken cancellation);
    }

    /// <summary>A runtime that somebody else starts and stops.</summary>
    public sealed class FixedEndpoint : IEndpointSource
    {
        private readonly Task<RuntimeEndpoint> _endpoint;

        /// <summary>Wraps an endpoint.</summary>
        public FixedEndpoint(RuntimeEndpoint endpoint)
        {
            _endpoint = Task.FromResult(endpoint);
        }

        /// <inheritdoc/>
        public Task<RuntimeEndpoint> GetAsync(CancellationToken cancellation) => _endpoint;
    }
}
