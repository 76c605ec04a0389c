using System;
using System.Collections.Generic;
using Townsfolk.V1;

namespace Townsfolk
{
    /// <summary>What kind of event an <see cref="NpcEvent"/> is.</summary>
    public enum NpcEventKind
    {
        /// <summary>The character begins to answer.</summary>
        Started,

        /// <summary>More of the answer's text.</summary>
        Text,

        /// <summary>A sentence of the answer is whole: it can be spoken aloud. Stage directions are not in it.</summary>
        Sentence,

        /// <summary>The answer is whole. The turn's last event.</summary>
        Finished,

        /// <summary>The answer was cut off. The turn's last event.</summary>
        Interrupted,

        /// <summary>The conversation outgrew the model's context, and its oldest lines were forgotten.</summary>
        ContextTrimmed,

        /// <summary>The character acts; its answer waits for <see cref="NpcSession.AnswerActionAsync"/>.</summary>
        Action,

        /// <summary>The character knows what came of an action.</summary>
        ActionSettled,

        /// <summary>The character does something that is not said: "slams the tankard".</summary>
        Direction,

        /// <summary>An event of the contract that this client does not know; see <see cref="NpcEvent.Message"/>.</summary>
        Other,
    }

    /// <summary>One event of a turn. A view of the contract's message: copying it allocates nothing.</summary>
    public readonly struct NpcEvent
    {
        internal NpcEvent(SessionEvent message)
        {
            Message = message;
        }

        /// <summary>The message behind the event, with everything in it.</summary>
        public SessionEvent Message { get; }

        /// <summary>What happened.</summary>
        public NpcEventKind Kind
        {
            get
            {
                switch (Message.EventCase)
                {
                    case SessionEvent.EventOneofCase.TurnStarted:
                        return NpcEventKind.Started;
                    case SessionEvent.EventOneofCase.TextDelta:
                        return NpcEventKind.Text;
                    case SessionEvent.EventOneofCase.SentenceCompleted:
                        return NpcEventKind.Sentence;
                    case SessionEvent.EventOneofCase.TurnFinished:
                        return NpcEventKind.Finished;
                    case SessionEvent.EventOneofCase.TurnInterrupted:
                        return NpcEventKind.Interrupted;
                    case SessionEvent.EventOneofCase.ContextTrimmed:
                        return NpcEventKind.ContextTrimmed;
                    case SessionEvent.EventOneofCase.ActionRequested:
                        return NpcEventKind.Action;
                    case SessionEvent.EventOneofCase.ActionSettled:
                        return NpcEventKind.ActionSettled;
                    case SessionEvent.EventOneofCase.DirectionGiven:
                        return NpcEventKind.Direction;
                    default:
                        return NpcEventKind.Other;
                }
            }
        }

        /// <summary>The turn that the event belongs to; empty for an event of none.</summary>
        public string TurnId
        {
            get
            {
                switch (Message.EventCase)
                {
                    case SessionEvent.EventOneofCase.TurnStarted:
                        return Message.TurnStarted.TurnId;
                    case SessionEvent.EventOneofCase.TextDelta:
                        return Message.TextDelta.TurnId;
                    case SessionEvent.EventOneofCase.SentenceCompleted:
                        return Message.SentenceCompleted.TurnId;
                    case SessionEvent.EventOneofCase.TurnFinished:
                        return Message.TurnFinished.TurnId;
                    case SessionEvent.EventOneofCase.TurnInterrupted:
                        return Message.TurnInterrupted.TurnId;
                    case SessionEvent.EventOneofCase.ContextTrimmed:
                        return Message.ContextTrimmed.TurnId;
                    case SessionEvent.EventOneofCase.ActionRequested:
                        return Message.ActionRequested.TurnId;
                    case SessionEvent.EventOneofCase.ActionSettled:
                        return Message.ActionSettled.TurnId;
                    case SessionEvent.EventOneofCase.DirectionGiven:
                        return Message.DirectionGiven.TurnId;
                    default:
                        return string.Empty;
                }
            }
        }

        /// <summary>
        /// The new text, the sentence, the stage direction without its marks, the whole answer, or what an interrupted
        /// answer keeps; empty for the other kinds.
        /// </summary>
        public string Text
        {
            get
            {
                switch (Message.EventCase)
                {
                    case SessionEvent.EventOneofCase.TextDelta:
                        return Message.TextDelta.Text;
                    case SessionEvent.EventOneofCase.SentenceCompleted:
                        return Message.SentenceCompleted.Text;
                    case SessionEvent.EventOneofCase.DirectionGiven:
                        return Message.DirectionGiven.Text;
                    case SessionEvent.EventOneofCase.TurnFinished:
                        return Message.TurnFinished.Text;
                    case SessionEvent.EventOneofCase.TurnInterrupted:
                        return Message.TurnInterrupted.Text;
                    default:
                        return string.Empty;
                }
            }
        }

        /// <summary>Whether the new text is a stage direction, marks and all: it is not said aloud.</summary>
        public bool IsDirection =>
            Message.EventCase == SessionEvent.EventOneofCase.TextDelta && Message.TextDelta.Direction;

        /// <summary>
        /// Where a sentence or a stage direction begins in the answer, in Unicode code points; 0 for the other kinds.
        /// </summary>
        public int Offset => Message.SentenceCompleted?.Offset ?? Message.DirectionGiven?.Offset ?? 0;

        /// <summary>How many code points of the answer a sentence or a stage direction takes.</summary>
        public int Length => Message.SentenceCompleted?.Length ?? Message.DirectionGiven?.Length ?? 0;

        /// <summary>What the character does; null for the other kinds.</summary>
        public ActionRequested? Action => Message.ActionRequested;

        /// <summary>How sure the character was of a sentence; null unless SessionConfig.hesitation_entropy asked.</summary>
        public Confidence? Confidence => Message.SentenceCompleted?.Confidence;

        /// <summary>Why the answer ended; Unspecified before its end.</summary>
        public FinishReason FinishReason
        {
            get
            {
                switch (Message.EventCase)
                {
                    case SessionEvent.EventOneofCase.TurnFinished:
                        return Message.TurnFinished.FinishReason;
                    case SessionEvent.EventOneofCase.TurnInterrupted:
                        return FinishReason.Interrupted;
                    default:
                        return FinishReason.Unspecified;
                }
            }
        }

        /// <summary>What the answer cost; null before its end.</summary>
        public Usage? Usage
        {
            get
            {
                switch (Message.EventCase)
                {
                    case SessionEvent.EventOneofCase.TurnFinished:
                        return Message.TurnFinished.Usage;
                    case SessionEvent.EventOneofCase.TurnInterrupted:
                        return Message.TurnInterrupted.Usage;
                    default:
                        return null;
                }
            }
        }

        /// <summary>The tokens behind the text, when SamplingParams.logprobs asked for them.</summary>
        public IReadOnlyList<Token> Tokens => Message.EventCase == SessionEvent.EventOneofCase.TextDelta
            ? Message.TextDelta.Tokens
            : (IReadOnlyList<Token>)Array.Empty<Token>();
    }
}
