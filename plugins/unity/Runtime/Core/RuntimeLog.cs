using System;
using System.Collections.Generic;

namespace Townsfolk
{
    /// <summary>The last lines that a runtime wrote. Safe from any thread.</summary>
    public sealed class RuntimeLog
    {
        private readonly int _capacity;
        private readonly Queue<string> _lines = new Queue<string>();

        internal RuntimeLog(int capacity)
        {
            _capacity = capacity;
        }

        /// <summary>A line was written. Raised on a thread of its own choosing.</summary>
        public event Action<string>? LineAdded;

        /// <summary>The lines, oldest first.</summary>
        public IReadOnlyList<string> Lines()
        {
            lock (_lines)
            {
                return _lines.ToArray();
            }
        }

        internal void Add(string line)
        {
            lock (_lines)
            {
                _lines.Enqueue(line);
                if (_lines.Count > _capacity)
                {
                    _lines.Dequeue();
                }
            }

            LineAdded?.Invoke(line);
        }
    }
}
