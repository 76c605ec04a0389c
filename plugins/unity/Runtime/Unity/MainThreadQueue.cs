using System;
using System.Diagnostics;

namespace Townsfolk.Unity
{
    /// <summary>
    /// Carries what happened to turns from the threads that read them to the main thread. A ring of
    /// structs: once it has grown to its size, neither side allocates.
    /// </summary>
    internal sealed class MainThreadQueue
    {
        private readonly object _lock = new object();
        private Item[] _items = new Item[64];
        private int _first;
        private int _count;

        /// <summary>Adds an event of a turn; from any thread.</summary>
        public void Post(NpcTurn turn, NpcEvent happened) => Add(new Item(turn, happened, null));

        /// <summary>Adds the end of a turn that has no last event; from any thread.</summary>
        public void PostEnd(NpcTurn turn, Exception failure) => Add(new Item(turn, default, failure));

        /// <summary>
        /// Hands out what waits, for at most this long, and always at least one; on the main thread.
        /// </summary>
        public void Drain(TimeSpan budget)
        {
            var end = Stopwatch.GetTimestamp() + (long)(budget.TotalSeconds * Stopwatch.Frequency);
            while (TryTake(out var item))
            {
                try
                {
                    item.HandOut();
                }
                catch (Exception exception)
                {
                    // A listener of the game threw: the other listeners get their events all the same.
                    UnityEngine.Debug.LogException(exception);
                }

                if (Stopwatch.GetTimestamp() >= end)
                {
                    return;
                }
            }
        }

        private void Add(Item item)
        {
            lock (_lock)
            {
                if (_count == _items.Length)
                {
                    var larger = new Item[2 * _count];
                    for (var i = 0; i < _count; i++)
                    {
                        larger[i] = _items[(_first + i) % _count];
                    }

                    _items = larger;
                    _first = 0;
                }

                _items[(_first + _count) % _items.Length] = item;
                _count++;
            }
        }

        private bool TryTake(out Item item)
        {
            lock (_lock)
            {
                if (_count == 0)
                {
                    item = default;
                    return false;
                }

                item = _items[_first];
                _items[_first] = default;
                _first = (_first + 1) % _items.Length;
                _count--;
                return true;
            }
        }

        private readonly struct Item
        {
            private readonly NpcTurn _turn;
            private readonly NpcEvent _happened;
            private readonly Exception? _failure;

            public Item(NpcTurn turn, NpcEvent happened, Exception? failure)
            {
                _turn = turn;
                _happened = happened;
                _failure = failure;
            }

            public void HandOut()
            {
                if (_failure != null)
                {
                    _turn.Fail(_failure);
                }
                else
                {
                    _turn.Handle(_happened);
                }
            }
        }
    }
}
