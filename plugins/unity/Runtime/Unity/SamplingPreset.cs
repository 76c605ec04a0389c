using System;
using Townsfolk.V1;
using UnityEngine;

namespace Townsfolk.Unity
{
    /// <summary>How a character's words are chosen. Without a preset the model's own defaults hold.</summary>
    [CreateAssetMenu(menuName = "Townsfolk/Sampling Preset", fileName = "Sampling", order = 2)]
    public sealed class SamplingPreset : ScriptableObject
    {
        /// <summary>Higher is more surprising; 0 always takes the likeliest word.</summary>
        [Range(0f, 5f)]
        [Tooltip("Higher is more surprising; 0 always takes the likeliest word.")]
        public float temperature = 0.8f;

        /// <summary>Only the k likeliest tokens can be drawn; 0 means no limit.</summary>
        [Range(0, 1024)]
        [Tooltip("Only the k likeliest tokens can be drawn; 0 means no limit.")]
        public int topK = 40;

        /// <summary>Only the likeliest tokens whose probabilities add up to this can be drawn.</summary>
        [Range(0.01f, 1f)]
        [Tooltip("Only the likeliest tokens whose probabilities add up to this can be drawn.")]
        public float topP = 0.95f;

        /// <summary>Tokens less likely than this share of the likeliest are left out; 0 is off.</summary>
        [Range(0f, 1f)]
        [Tooltip("Tokens less likely than this share of the likeliest are left out; 0 is off.")]
        public float minP;

        /// <summary>Above 1 the character repeats itself less; 1 is off.</summary>
        [Range(0.1f, 10f)]
        [Tooltip("Above 1 the character repeats itself less; 1 is off.")]
        public float repetitionPenalty = 1f;

        /// <summary>Above 0 the character avoids words of this answer; 0 is off.</summary>
        [Range(-10f, 10f)]
        [Tooltip("Above 0 the character avoids words that the answer has already; 0 is off.")]
        public float presencePenalty;

        /// <summary>As the presence penalty, but once for each time the word was used.</summary>
        [Range(-10f, 10f)]
        [Tooltip("As the presence penalty, but once for each time the word was used; 0 is off.")]
        public float frequencyPenalty;

        /// <summary>Whether an answer ends that goes round in circles.</summary>
        [Tooltip("End an answer that goes round in circles, as small models sometimes do.")]
        public bool stopRepetition = true;

        /// <summary>Whether an answer that goes round in circles is said anew behind its whole sentences.</summary>
        [Tooltip("Say anew what goes round in circles; text comes a sentence at a time until then.")]
        public bool retryRepetition;

        /// <summary>DRY: how much less likely words become that go on as the character's last lines did; 0 is off.</summary>
        [Range(0f, 10f)]
        [Tooltip("How much less likely words become that go on as the character's last lines did; 0 is off.")]
        public float dryMultiplier;

        /// <summary>So many tokens in a row never come again as the character said them; 0 is off, 1 means 2.</summary>
        [Range(0, 64)]
        [Tooltip("So many tokens in a row never come again as the character said them before; 0 is off.")]
        public int noRepeatTokens;

        /// <summary>How many of its latest lines the character is not to repeat.</summary>
        [Range(0, 64)]
        [Tooltip("How many of its latest lines the character is not to repeat, besides the answer itself.")]
        public int repeatWindow = 8;

        /// <summary>The longest answer, in tokens.</summary>
        [Min(1)]
        [Tooltip("The longest answer, in tokens; a token is about three quarters of a word.")]
        public int maxNewTokens = 256;

        /// <summary>The answer can't end before this many tokens.</summary>
        [Min(0)]
        [Tooltip("The answer can't end before this many tokens.")]
        public int minNewTokens;

        /// <summary>The answer ends before the first of these texts.</summary>
        [Tooltip("The answer ends before the first of these texts.")]
        public string[] stop = Array.Empty<string>();

        /// <summary>Makes tokens likelier or less likely; for those who know the model's vocabulary.</summary>
        [Tooltip("Makes tokens likelier (up to 100) or less likely (down to -100), by their ids.")]
        public TokenBias[] logitBias = Array.Empty<TokenBias>();

        /// <summary>Whether the seed below is used.</summary>
        [Tooltip("The same seed, conversation and settings draw the same random numbers; " +
            "in bfloat16 rounding can still change an answer.")]
        public bool useSeed;

        /// <summary>The seed, where it is used.</summary>
        [Min(0)]
        [Tooltip("The seed, where it is used.")]
        public int seed;

        /// <summary>The preset as the contract has it.</summary>
        public SamplingParams ToMessage()
        {
            var message = new SamplingParams
            {
                Temperature = temperature,
                TopK = topK,
                TopP = topP,
                MinP = minP,
                RepetitionPenalty = repetitionPenalty,
                PresencePenalty = presencePenalty,
                FrequencyPenalty = frequencyPenalty,
                StopRepetition = stopRepetition,
                RetryRepetition = retryRepetition,
                DryMultiplier = dryMultiplier,
                NoRepeatTokens = noRepeatTokens == 0 ? 0 : Math.Max(noRepeatTokens, 2),
                RepeatWindow = repeatWindow,
                MaxNewTokens = maxNewTokens,
                MinNewTokens = minNewTokens,
            };
            message.Stop.AddRange(stop);
            foreach (var one in logitBias)
            {
                message.LogitBias[one.tokenId] = one.bias;
            }

            if (useSeed)
            {
                message.Seed = (ulong)seed;
            }

            return message;
        }
    }

    /// <summary>A token and what is added to its logit.</summary>
    [Serializable]
    public struct TokenBias
    {
        /// <summary>The token's id in the model's vocabulary.</summary>
        public int tokenId;

        /// <summary>-100 forbids it, 100 forces it.</summary>
        [Range(-100f, 100f)]
        public float bias;
    }
}
