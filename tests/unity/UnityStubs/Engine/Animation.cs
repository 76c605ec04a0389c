using System.Collections.Generic;
using System.Linq;

namespace UnityEngine
{
    public class Animator : Behaviour
    {
        private static readonly List<string> Names = new List<string>();

        // What was set, by name.
        internal List<string> Calls { get; } = new List<string>();

        public static int StringToHash(string name)
        {
            if (!Names.Contains(name))
            {
                Names.Add(name);
            }

            return Names.IndexOf(name);
        }

        public void SetBool(int id, bool value) => Calls.Add($"{Names[id]} {value}");

        public void SetTrigger(int id) => Calls.Add(Names[id]);
    }
}

namespace UnityEngine.Playables
{
    public interface IPlayable
    {
    }

    public struct Playable : IPlayable
    {
        internal PlayableDirector Director { get; set; }
    }

    public struct PlayableGraph
    {
        internal PlayableDirector? Director { get; set; }

        public bool IsValid() => Director is { IsPlaying: true };

        public Playable GetRootPlayable(int index) => new Playable { Director = Director! };
    }

    public static class PlayableExtensions
    {
        public static void SetSpeed<U>(this U playable, double value)
            where U : struct, IPlayable => ((Playable)(object)playable).Director.Speed = value;
    }

    public class PlayableDirector : Behaviour
    {
        internal bool IsPlaying { get; set; }

        internal double Speed { get; set; } = 1;

        public PlayableGraph playableGraph => new PlayableGraph { Director = this };
    }
}
