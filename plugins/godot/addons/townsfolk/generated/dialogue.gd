# Generated from townsfolk/v1/dialogue.proto by proto/protoc_gen_gdscript.py; do not edit.
@tool
extends RefCounted

## What to do when a conversation outgrows the model's context, or what a request can hold.
enum OverflowPolicy {
	## The runtime's default: drop the oldest.
	UNSPECIFIED = 0,
	## Forget the oldest lines of the transcript, answered or not; never persona or lore. The newest
	## that fit always stay.
	DROP_OLDEST = 1,
}

## What kind of line a transcript entry is.
enum EntryKind {
	## Not set.
	UNSPECIFIED = 0,
	## Somebody spoke to the character.
	HEARD = 1,
	## The character spoke.
	SPOKE = 2,
	## Something happened in the world that the character learned of.
	EVENT = 3,
}

## What kind of failure an error is.
enum ErrorCode {
	## Not set.
	UNSPECIFIED = 0,
	## A field's value is not allowed; the message names the field and the allowed range.
	INVALID_ARGUMENT = 1,
	## Something named does not exist: a lore id, a session, a turn.
	NOT_FOUND = 2,
	## A limit is reached; the message says which.
	RESOURCE_EXHAUSTED = 3,
	## Not possible in this state; the message says what is needed first.
	FAILED_PRECONDITION = 4,
	## The deadline passed before the answer began.
	DEADLINE_EXCEEDED = 5,
	## A fault of the runtime; its log has more.
	INTERNAL = 6,
	## The name is taken: a session id or a turn id.
	ALREADY_EXISTS = 7,
}

const ProtoMessage := preload("../protobuf/proto_message.gd")
const ProtoReader := preload("../protobuf/proto_reader.gd")
const ProtoWriter := preload("../protobuf/proto_writer.gd")
const Sampling := preload("sampling.gd")


## Who a character is. Only the name is required.
class Persona:
	extends ProtoMessage

	## What the character is called. 1 to 64 characters.
	var name: String = ""

	## Who the character is, in the second or third person: trade, home, history.
	var description: String = ""

	## What the character wants.
	var goals: Array[String] = []

	## How the character speaks.
	var speaking_style: String = ""

	## What the character never does or says.
	var taboos: Array[String] = []

	## Lines the character could have said.
	var example_lines: Array[String] = []

	func write_fields(writer: ProtoWriter) -> void:
		if name != "":
			writer.put_varint(10)
			writer.put_string(name)
		if description != "":
			writer.put_varint(18)
			writer.put_string(description)
		for element in goals:
			writer.put_varint(26)
			writer.put_string(element)
		if speaking_style != "":
			writer.put_varint(34)
			writer.put_string(speaking_style)
		for element in taboos:
			writer.put_varint(42)
			writer.put_string(element)
		for element in example_lines:
			writer.put_varint(50)
			writer.put_string(element)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					name = reader.read_string()
				18:
					description = reader.read_string()
				26:
					goals.append(reader.read_string())
				34:
					speaking_style = reader.read_string()
				42:
					taboos.append(reader.read_string())
				50:
					example_lines.append(reader.read_string())
				_:
					reader.skip(tag)


## Named world knowledge; RegisterLore keeps it, RemoveLore forgets it. Characters that list the
## same lore ids, in the same order, share its KV memory.
class Lore:
	extends ProtoMessage

	## A name for this lore, unique in the runtime. 1 to 128 characters.
	var lore_id: String = ""

	## What those who know it know. At most 16 characters for each token of half the model's
	## context; 64 MiB for all lore of a runtime.
	var text: String = ""

	func write_fields(writer: ProtoWriter) -> void:
		if lore_id != "":
			writer.put_varint(10)
			writer.put_string(lore_id)
		if text != "":
			writer.put_varint(18)
			writer.put_string(text)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					lore_id = reader.read_string()
				18:
					text = reader.read_string()
				_:
					reader.skip(tag)


## One line of a transcript.
class TranscriptEntry:
	extends ProtoMessage

	## What kind of line this is.
	var kind: EntryKind = EntryKind.UNSPECIFIED

	## Who spoke; empty for events.
	var speaker: String = ""

	## What was said or what happened.
	var text: String = ""

	## The character was cut off here: text is what was said until then.
	var cut: bool = false

	## The turn this line belongs to; empty for events.
	var turn_id: String = ""

	func write_fields(writer: ProtoWriter) -> void:
		if kind != 0:
			writer.put_varint(8)
			writer.put_int32(kind)
		if speaker != "":
			writer.put_varint(18)
			writer.put_string(speaker)
		if text != "":
			writer.put_varint(26)
			writer.put_string(text)
		if cut:
			writer.put_varint(32)
			writer.put_bool(cut)
		if turn_id != "":
			writer.put_varint(42)
			writer.put_string(turn_id)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				8:
					kind = reader.read_int32() as EntryKind
				18:
					speaker = reader.read_string()
				26:
					text = reader.read_string()
				32:
					cut = reader.read_bool()
				42:
					turn_id = reader.read_string()
				_:
					reader.skip(tag)


## Everything that defines one character's session.
class SessionConfig:
	extends ProtoMessage

	## The caller's name for the session, unique in the runtime; empty lets the runtime choose. At
	## most 128 characters.
	var session_id: String = ""

	## Who the character is.
	var persona: Persona = null

	## What the character knows of the world: ids given to RegisterLore, none twice. Rendered before
	## the persona, in this order.
	var lore_ids: Array[String] = []

	## Sampling defaults for every turn.
	var sampling: Sampling.SamplingParams = null

	## Larger goes first when the runtime is short of room or time. -100 to 100.
	var priority: int = 0

	## What happened before, oldest first: a saved game's transcript. At most 10,000 lines. What
	## GetSession gave is always accepted, and a runtime that still has the KV of that conversation
	## goes on with it.
	var history: Array[TranscriptEntry] = []

	## What to do when the conversation outgrows the model's context.
	var overflow_policy: OverflowPolicy = OverflowPolicy.UNSPECIFIED

	func write_fields(writer: ProtoWriter) -> void:
		if session_id != "":
			writer.put_varint(10)
			writer.put_string(session_id)
		if persona != null:
			writer.put_varint(18)
			writer.put_message(persona)
		for element in lore_ids:
			writer.put_varint(26)
			writer.put_string(element)
		if sampling != null:
			writer.put_varint(34)
			writer.put_message(sampling)
		if priority != 0:
			writer.put_varint(40)
			writer.put_int32(priority)
		for element in history:
			writer.put_varint(50)
			writer.put_message(element)
		if overflow_policy != 0:
			writer.put_varint(56)
			writer.put_int32(overflow_policy)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					session_id = reader.read_string()
				18:
					var persona_element := persona if persona != null else Persona.new()
					reader.read_message(persona_element)
					persona = persona_element
				26:
					lore_ids.append(reader.read_string())
				34:
					var sampling_element := (
						sampling if sampling != null else Sampling.SamplingParams.new()
					)
					reader.read_message(sampling_element)
					sampling = sampling_element
				40:
					priority = reader.read_int32()
				50:
					var history_element := TranscriptEntry.new()
					reader.read_message(history_element)
					history.append(history_element)
				56:
					overflow_policy = reader.read_int32() as OverflowPolicy
				_:
					reader.skip(tag)


## A turn: somebody speaks, the character answers.
class Utterance:
	extends ProtoMessage

	## What is said. Control tokens of the model in it are plain text.
	var text: String = ""

	## Who says it; empty means "Player". At most 64 characters, one line.
	var speaker: String = ""

	## The caller's name for the turn, unique in the session; empty lets the runtime choose. At most
	## 128 characters.
	var turn_id: String = ""

	## Overrides of the session's sampling for this turn.
	var sampling: Sampling.SamplingParams = null

	## The answer must end within this many milliseconds of the arrival; 0 means no limit. What was
	## said until then is kept.
	var deadline_ms: int = 0

	## What the answer must be. Not set: speech. An answer under a JSON Schema sends no sentences.
	var grammar: Sampling.Grammar = null

	func write_fields(writer: ProtoWriter) -> void:
		if text != "":
			writer.put_varint(10)
			writer.put_string(text)
		if speaker != "":
			writer.put_varint(18)
			writer.put_string(speaker)
		if turn_id != "":
			writer.put_varint(26)
			writer.put_string(turn_id)
		if sampling != null:
			writer.put_varint(34)
			writer.put_message(sampling)
		if deadline_ms != 0:
			writer.put_varint(40)
			writer.put_int32(deadline_ms)
		if grammar != null:
			writer.put_varint(50)
			writer.put_message(grammar)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					text = reader.read_string()
				18:
					speaker = reader.read_string()
				26:
					turn_id = reader.read_string()
				34:
					var sampling_element := (
						sampling if sampling != null else Sampling.SamplingParams.new()
					)
					reader.read_message(sampling_element)
					sampling = sampling_element
				40:
					deadline_ms = reader.read_int32()
				50:
					var grammar_element := grammar if grammar != null else Sampling.Grammar.new()
					reader.read_message(grammar_element)
					grammar = grammar_element
				_:
					reader.skip(tag)


## The session exists and can be spoken to.
class SessionOpened:
	extends ProtoMessage

	## The session's id.
	var session_id: String = ""

	## The stream was attached to a session that already existed.
	var resumed: bool = false

	## Tokens of lore and persona.
	var system_tokens: int = 0

	## The model's context length in tokens.
	var context_tokens: int = 0

	func write_fields(writer: ProtoWriter) -> void:
		if session_id != "":
			writer.put_varint(10)
			writer.put_string(session_id)
		if resumed:
			writer.put_varint(16)
			writer.put_bool(resumed)
		if system_tokens != 0:
			writer.put_varint(24)
			writer.put_int32(system_tokens)
		if context_tokens != 0:
			writer.put_varint(32)
			writer.put_int32(context_tokens)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					session_id = reader.read_string()
				16:
					resumed = reader.read_bool()
				24:
					system_tokens = reader.read_int32()
				32:
					context_tokens = reader.read_int32()
				_:
					reader.skip(tag)


## The character begins to answer.
class TurnStarted:
	extends ProtoMessage

	## The turn.
	var turn_id: String = ""

	func write_fields(writer: ProtoWriter) -> void:
		if turn_id != "":
			writer.put_varint(10)
			writer.put_string(turn_id)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					turn_id = reader.read_string()
				_:
					reader.skip(tag)


## More of the answer's text.
class TextDelta:
	extends ProtoMessage

	## The turn.
	var turn_id: String = ""

	## Whole characters to append to what came before; can be empty while tokens are reported. A
	## character that is half written when the reply is cut off, or reaches its limit, is left out.
	var text: String = ""

	## The tokens behind the text, when SamplingParams.logprobs is set.
	var tokens: Array[Sampling.Token] = []

	func write_fields(writer: ProtoWriter) -> void:
		if turn_id != "":
			writer.put_varint(10)
			writer.put_string(turn_id)
		if text != "":
			writer.put_varint(18)
			writer.put_string(text)
		for element in tokens:
			writer.put_varint(26)
			writer.put_message(element)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					turn_id = reader.read_string()
				18:
					text = reader.read_string()
				26:
					var tokens_element := Sampling.Token.new()
					reader.read_message(tokens_element)
					tokens.append(tokens_element)
				_:
					reader.skip(tag)


## A sentence of the answer is whole: it can be spoken aloud.
class SentenceCompleted:
	extends ProtoMessage

	## The turn.
	var turn_id: String = ""

	## Counts from 0 within the turn.
	var index: int = 0

	## The sentence, without surrounding white space.
	var text: String = ""

	func write_fields(writer: ProtoWriter) -> void:
		if turn_id != "":
			writer.put_varint(10)
			writer.put_string(turn_id)
		if index != 0:
			writer.put_varint(16)
			writer.put_int32(index)
		if text != "":
			writer.put_varint(26)
			writer.put_string(text)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					turn_id = reader.read_string()
				16:
					index = reader.read_int32()
				26:
					text = reader.read_string()
				_:
					reader.skip(tag)


## The answer is whole. It is the character's alone: its own label ("Mira:") before it is left out,
## and it ends before the label of anybody who has spoken in the session, and before its own further
## on. A model that begins with somebody else's label is made to begin again as the character. A
## label is a name and a colon at the beginning of the answer, of a line, or behind a sentence;
## letter case, Markdown, brackets and "(laughing)" in it do not matter.
class TurnFinished:
	extends ProtoMessage

	## The turn.
	var turn_id: String = ""

	## The whole answer: all text deltas joined, without surrounding white space.
	var text: String = ""

	## Why it ended.
	var finish_reason: Sampling.FinishReason = Sampling.FinishReason.UNSPECIFIED

	## What it cost.
	var usage: Sampling.Usage = null

	func write_fields(writer: ProtoWriter) -> void:
		if turn_id != "":
			writer.put_varint(10)
			writer.put_string(turn_id)
		if text != "":
			writer.put_varint(18)
			writer.put_string(text)
		if finish_reason != 0:
			writer.put_varint(24)
			writer.put_int32(finish_reason)
		if usage != null:
			writer.put_varint(34)
			writer.put_message(usage)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					turn_id = reader.read_string()
				18:
					text = reader.read_string()
				24:
					finish_reason = reader.read_int32() as Sampling.FinishReason
				34:
					var usage_element := usage if usage != null else Sampling.Usage.new()
					reader.read_message(usage_element)
					usage = usage_element
				_:
					reader.skip(tag)


## The answer was cut off; the transcript keeps what is in text, marked as cut.
class TurnInterrupted:
	extends ProtoMessage

	## The turn.
	var turn_id: String = ""

	## What the transcript keeps: what was generated, or the part of it that was heard. Empty when
	## the turn was still waiting.
	var text: String = ""

	## What it cost.
	var usage: Sampling.Usage = null

	func write_fields(writer: ProtoWriter) -> void:
		if turn_id != "":
			writer.put_varint(10)
			writer.put_string(turn_id)
		if text != "":
			writer.put_varint(18)
			writer.put_string(text)
		if usage != null:
			writer.put_varint(26)
			writer.put_message(usage)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					turn_id = reader.read_string()
				18:
					text = reader.read_string()
				26:
					var usage_element := usage if usage != null else Sampling.Usage.new()
					reader.read_message(usage_element)
					usage = usage_element
				_:
					reader.skip(tag)


## The conversation outgrew the model's context and lines were forgotten, by the session's overflow
## policy.
class ContextTrimmed:
	extends ProtoMessage

	## The turn that needed the room.
	var turn_id: String = ""

	## The transcript's entries that the character no longer sees, oldest first.
	var dropped: Array[TranscriptEntry] = []

	func write_fields(writer: ProtoWriter) -> void:
		if turn_id != "":
			writer.put_varint(10)
			writer.put_string(turn_id)
		for element in dropped:
			writer.put_varint(18)
			writer.put_message(element)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					turn_id = reader.read_string()
				18:
					var dropped_element := TranscriptEntry.new()
					reader.read_message(dropped_element)
					dropped.append(dropped_element)
				_:
					reader.skip(tag)


## An event in the world reached the character's transcript.
class Notified:
	extends ProtoMessage

	## What happened.
	var text: String = ""

	func write_fields(writer: ProtoWriter) -> void:
		if text != "":
			writer.put_varint(10)
			writer.put_string(text)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					text = reader.read_string()
				_:
					reader.skip(tag)


## The session's priority has changed.
class PriorityUpdated:
	extends ProtoMessage

	## The new priority.
	var priority: int = 0

	func write_fields(writer: ProtoWriter) -> void:
		if priority != 0:
			writer.put_varint(8)
			writer.put_int32(priority)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				8:
					priority = reader.read_int32()
				_:
					reader.skip(tag)


## Answers were cut off, as asked: the answer to an Interrupt on a stream.
class Interrupted:
	extends ProtoMessage

	## The turns that were cut off, oldest first; see Interrupt. Empty when there was nothing to
	## cut.
	var turn_ids: Array[String] = []

	func write_fields(writer: ProtoWriter) -> void:
		for element in turn_ids:
			writer.put_varint(10)
			writer.put_string(element)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					turn_ids.append(reader.read_string())
				_:
					reader.skip(tag)


## Something failed; the session lives on.
class SessionError:
	extends ProtoMessage

	## What kind of failure.
	var code: ErrorCode = ErrorCode.UNSPECIFIED

	## What went wrong and what to do about it.
	var message: String = ""

	## The turn that failed and is over; empty when no turn was concerned.
	var turn_id: String = ""

	func write_fields(writer: ProtoWriter) -> void:
		if code != 0:
			writer.put_varint(8)
			writer.put_int32(code)
		if message != "":
			writer.put_varint(18)
			writer.put_string(message)
		if turn_id != "":
			writer.put_varint(26)
			writer.put_string(turn_id)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				8:
					code = reader.read_int32() as ErrorCode
				18:
					message = reader.read_string()
				26:
					turn_id = reader.read_string()
				_:
					reader.skip(tag)


## Anything that happens in a session. A turn sends turn_started, deltas and sentences, and ends
## with exactly one of turn_finished, turn_interrupted, or an error that names it. Each notify,
## interrupt and update_priority on a stream is answered, in their order, by exactly one of
## notified, interrupted, priority_updated, or an error that names no turn.
class SessionEvent:
	extends ProtoMessage

	## Which member of event is set.
	enum EventCase {
		NONE = 0,
		OPENED = 1,
		TURN_STARTED = 2,
		TEXT_DELTA = 3,
		SENTENCE_COMPLETED = 4,
		TURN_FINISHED = 5,
		TURN_INTERRUPTED = 6,
		CONTEXT_TRIMMED = 7,
		NOTIFIED = 8,
		PRIORITY_UPDATED = 9,
		ERROR = 10,
		INTERRUPTED = 11
	}

	## Which member of event is set; changes when one is assigned.
	var event_case := EventCase.NONE

	## First on every stream.
	var opened: SessionOpened:
		get:
			return _event_value if event_case == EventCase.OPENED else null
		set(value):
			_event_value = value
			event_case = EventCase.OPENED if value != null else EventCase.NONE

	## The character begins to answer.
	var turn_started: TurnStarted:
		get:
			return _event_value if event_case == EventCase.TURN_STARTED else null
		set(value):
			_event_value = value
			event_case = EventCase.TURN_STARTED if value != null else EventCase.NONE

	## More of the answer's text.
	var text_delta: TextDelta:
		get:
			return _event_value if event_case == EventCase.TEXT_DELTA else null
		set(value):
			_event_value = value
			event_case = EventCase.TEXT_DELTA if value != null else EventCase.NONE

	## A sentence of the answer is whole.
	var sentence_completed: SentenceCompleted:
		get:
			return _event_value if event_case == EventCase.SENTENCE_COMPLETED else null
		set(value):
			_event_value = value
			event_case = EventCase.SENTENCE_COMPLETED if value != null else EventCase.NONE

	## The answer is whole.
	var turn_finished: TurnFinished:
		get:
			return _event_value if event_case == EventCase.TURN_FINISHED else null
		set(value):
			_event_value = value
			event_case = EventCase.TURN_FINISHED if value != null else EventCase.NONE

	## The answer was cut off.
	var turn_interrupted: TurnInterrupted:
		get:
			return _event_value if event_case == EventCase.TURN_INTERRUPTED else null
		set(value):
			_event_value = value
			event_case = EventCase.TURN_INTERRUPTED if value != null else EventCase.NONE

	## Lines were forgotten.
	var context_trimmed: ContextTrimmed:
		get:
			return _event_value if event_case == EventCase.CONTEXT_TRIMMED else null
		set(value):
			_event_value = value
			event_case = EventCase.CONTEXT_TRIMMED if value != null else EventCase.NONE

	## A world event reached the transcript.
	var notified: Notified:
		get:
			return _event_value if event_case == EventCase.NOTIFIED else null
		set(value):
			_event_value = value
			event_case = EventCase.NOTIFIED if value != null else EventCase.NONE

	## The priority has changed.
	var priority_updated: PriorityUpdated:
		get:
			return _event_value if event_case == EventCase.PRIORITY_UPDATED else null
		set(value):
			_event_value = value
			event_case = EventCase.PRIORITY_UPDATED if value != null else EventCase.NONE

	## Something failed; the session lives on.
	var error: SessionError:
		get:
			return _event_value if event_case == EventCase.ERROR else null
		set(value):
			_event_value = value
			event_case = EventCase.ERROR if value != null else EventCase.NONE

	## Answers were cut off, as asked.
	var interrupted: Interrupted:
		get:
			return _event_value if event_case == EventCase.INTERRUPTED else null
		set(value):
			_event_value = value
			event_case = EventCase.INTERRUPTED if value != null else EventCase.NONE
	var _event_value: Variant

	## Makes no member of event set.
	func clear_event() -> void:
		_event_value = null
		event_case = EventCase.NONE

	func write_fields(writer: ProtoWriter) -> void:
		if event_case == EventCase.OPENED:
			writer.put_varint(10)
			writer.put_message(opened)
		if event_case == EventCase.TURN_STARTED:
			writer.put_varint(18)
			writer.put_message(turn_started)
		if event_case == EventCase.TEXT_DELTA:
			writer.put_varint(26)
			writer.put_message(text_delta)
		if event_case == EventCase.SENTENCE_COMPLETED:
			writer.put_varint(34)
			writer.put_message(sentence_completed)
		if event_case == EventCase.TURN_FINISHED:
			writer.put_varint(42)
			writer.put_message(turn_finished)
		if event_case == EventCase.TURN_INTERRUPTED:
			writer.put_varint(50)
			writer.put_message(turn_interrupted)
		if event_case == EventCase.CONTEXT_TRIMMED:
			writer.put_varint(58)
			writer.put_message(context_trimmed)
		if event_case == EventCase.NOTIFIED:
			writer.put_varint(66)
			writer.put_message(notified)
		if event_case == EventCase.PRIORITY_UPDATED:
			writer.put_varint(74)
			writer.put_message(priority_updated)
		if event_case == EventCase.ERROR:
			writer.put_varint(82)
			writer.put_message(error)
		if event_case == EventCase.INTERRUPTED:
			writer.put_varint(90)
			writer.put_message(interrupted)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					var opened_element: SessionOpened = (
						_event_value if event_case == EventCase.OPENED else SessionOpened.new()
					)
					reader.read_message(opened_element)
					_event_value = opened_element
					event_case = EventCase.OPENED
				18:
					var turn_started_element: TurnStarted = (
						_event_value if event_case == EventCase.TURN_STARTED else TurnStarted.new()
					)
					reader.read_message(turn_started_element)
					_event_value = turn_started_element
					event_case = EventCase.TURN_STARTED
				26:
					var text_delta_element: TextDelta = (
						_event_value if event_case == EventCase.TEXT_DELTA else TextDelta.new()
					)
					reader.read_message(text_delta_element)
					_event_value = text_delta_element
					event_case = EventCase.TEXT_DELTA
				34:
					var sentence_completed_element: SentenceCompleted = (
						_event_value
						if event_case == EventCase.SENTENCE_COMPLETED
						else SentenceCompleted.new()
					)
					reader.read_message(sentence_completed_element)
					_event_value = sentence_completed_element
					event_case = EventCase.SENTENCE_COMPLETED
				42:
					var turn_finished_element: TurnFinished = (
						_event_value
						if event_case == EventCase.TURN_FINISHED
						else TurnFinished.new()
					)
					reader.read_message(turn_finished_element)
					_event_value = turn_finished_element
					event_case = EventCase.TURN_FINISHED
				50:
					var turn_interrupted_element: TurnInterrupted = (
						_event_value
						if event_case == EventCase.TURN_INTERRUPTED
						else TurnInterrupted.new()
					)
					reader.read_message(turn_interrupted_element)
					_event_value = turn_interrupted_element
					event_case = EventCase.TURN_INTERRUPTED
				58:
					var context_trimmed_element: ContextTrimmed = (
						_event_value
						if event_case == EventCase.CONTEXT_TRIMMED
						else ContextTrimmed.new()
					)
					reader.read_message(context_trimmed_element)
					_event_value = context_trimmed_element
					event_case = EventCase.CONTEXT_TRIMMED
				66:
					var notified_element: Notified = (
						_event_value if event_case == EventCase.NOTIFIED else Notified.new()
					)
					reader.read_message(notified_element)
					_event_value = notified_element
					event_case = EventCase.NOTIFIED
				74:
					var priority_updated_element: PriorityUpdated = (
						_event_value
						if event_case == EventCase.PRIORITY_UPDATED
						else PriorityUpdated.new()
					)
					reader.read_message(priority_updated_element)
					_event_value = priority_updated_element
					event_case = EventCase.PRIORITY_UPDATED
				82:
					var error_element: SessionError = (
						_event_value if event_case == EventCase.ERROR else SessionError.new()
					)
					reader.read_message(error_element)
					_event_value = error_element
					event_case = EventCase.ERROR
				90:
					var interrupted_element: Interrupted = (
						_event_value if event_case == EventCase.INTERRUPTED else Interrupted.new()
					)
					reader.read_message(interrupted_element)
					_event_value = interrupted_element
					event_case = EventCase.INTERRUPTED
				_:
					reader.skip(tag)
