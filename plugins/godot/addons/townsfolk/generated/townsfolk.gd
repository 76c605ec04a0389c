# Generated from townsfolk/v1/townsfolk.proto by proto/protoc_gen_gdscript.py; do not edit.
# gdlint: disable=max-file-lines, max-public-methods
@tool
extends RefCounted

## What has become of a turn.
enum TurnState {
	## Not set.
	UNSPECIFIED = 0,
	## The character answers, or is about to.
	ANSWERING = 1,
	## The answer is whole.
	FINISHED = 2,
	## It was cut off.
	INTERRUPTED = 3,
	## It failed.
	FAILED = 4,
}

## By what options are compared.
enum ChoiceScore {
	## The runtime's default: the whole text.
	UNSPECIFIED = 0,
	## The log-probability of the whole text: how likely the model is to say just this. A longer
	## text is less likely.
	TOTAL = 1,
	## The mean log-probability of its tokens: for texts of unlike length.
	PER_TOKEN = 2,
}

## Where the model is. Calls are served in each state; the health service says SERVING.
enum ModelState {
	## Not set.
	UNSPECIFIED = 0,
	## In memory.
	LOADED = 1,
	## Its memory was given back, as nobody spoke for long; the next request loads it again.
	RELEASED = 2,
	## It is being loaded again; requests wait for it.
	LOADING = 3,
}

## The contract's major version: a client and a runtime of unlike ones can't speak with each other.
## It changes with the package's name.
enum ContractMajor {
	## Not set.
	UNSPECIFIED = 0,
	## That of this file.
	CURRENT = 1,
}

## The contract's minor version: it grows with each release that adds to the contract. A client says
## it with each call, as metadata "townsfolk-contract: 1.1". A runtime serves clients of its own
## minor version and of older ones; of a newer one it serves what it knows, and refuses requests
## that hold what it does not. docs/upgrading.md has the rules.
enum ContractMinor {
	## That of runtimes and clients which do not say one.
	UNSPECIFIED = 0,
	## That of this file.
	CURRENT = 1,
}

## What a runtime that is paced gives up for frames.
enum PacePolicy {
	## Balanced.
	UNSPECIFIED = 0,
	## Frames come first: a step runs only where even its slower runs fit between two frames. Where
	## none fits, there is one every 250 ms.
	SMOOTH = 1,
	## A step runs where it usually fits. Where none fits, there is one every 80 ms: about reading
	## speed.
	BALANCED = 2,
	## Answers come first: a step waits for no frame, but is no longer than one leaves room for
	## where it can be split.
	FAST = 3,
}

const ProtoMessage := preload("../protobuf/proto_message.gd")
const ProtoReader := preload("../protobuf/proto_reader.gd")
const ProtoWriter := preload("../protobuf/proto_writer.gd")
const GrpcChannel := preload("../transport/grpc_channel.gd")
const GrpcCall := preload("../transport/grpc_call.gd")
const Dialogue := preload("dialogue.gd")
const Episode := preload("episode.gd")
const Sampling := preload("sampling.gd")


## Opens a session or attaches to one.
class OpenSession:
	extends ProtoMessage

	## The session. To resume, only session_id is read.
	var config: Dialogue.SessionConfig = null

	## Attach to the session with this id, which must exist, instead of opening a new one.
	var resume: bool = false

	func write_fields(writer: ProtoWriter) -> void:
		if config != null:
			writer.put_varint(10)
			writer.put_message(config)
		if resume:
			writer.put_varint(16)
			writer.put_bool(resume)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					var config_element := config if config != null else Dialogue.SessionConfig.new()
					reader.read_message(config_element)
					config = config_element
				16:
					resume = reader.read_bool()
				_:
					reader.skip(tag)


## Cuts answers off, also one that is whole but not yet heard to its end. The runtime says which
## turns it has cut. Of the first of them, the transcript keeps heard_characters. If that turn is
## under way, it ends with turn_interrupted. If it had ended before the interrupt came, no event of
## the turn says so: a client that keeps a transcript of its own shortens that turn's answer to
## heard_characters, where it is longer, and marks it as cut. tests/support/transcript_cases.json
## has the cases that every client passes.
class Interrupt:
	extends ProtoMessage

	## The turn to cut off, which may have ended. Empty means the current turn and all that wait;
	## when there is none and heard_characters is set, the newest answer of the transcript.
	var turn_id: String = ""

	## How much of the answer was heard or shown, in Unicode code points: the transcript keeps
	## exactly that much. Not set: all that was generated.
	var heard_characters: int = 0:
		set(value):
			heard_characters = value
			has_heard_characters = true
	## Whether [member heard_characters] is set.
	var has_heard_characters := false

	## Makes [member heard_characters] not set.
	func clear_heard_characters() -> void:
		heard_characters = 0
		has_heard_characters = false

	func write_fields(writer: ProtoWriter) -> void:
		if turn_id != "":
			writer.put_varint(10)
			writer.put_string(turn_id)
		if has_heard_characters:
			writer.put_varint(16)
			writer.put_int32(heard_characters)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					turn_id = reader.read_string()
				16:
					heard_characters = reader.read_int32()
				_:
					reader.skip(tag)


## Lines that were spoken without the runtime: a script's, in a cut scene. The character remembers
## them as if it had said, heard or seen them. All of them enter the transcript at once, or none.
## During an answer they come after it.
class RecordedLines:
	extends ProtoMessage

	## The lines, oldest first. 1 to 256, each of 1 to 4096 characters. A line that the character
	## spoke has no speaker, or its name; one that was heard and has no speaker is the player's; an
	## event has none. `cut` says that the character was cut off there. `turn_id` must be empty:
	## what is heard of such a line is told by an Interrupt with no turn_id, while it is the newest
	## that the character spoke.
	var lines: Array[Dialogue.TranscriptEntry] = []

	func write_fields(writer: ProtoWriter) -> void:
		for element in lines:
			writer.put_varint(10)
			writer.put_message(element)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					var lines_element := Dialogue.TranscriptEntry.new()
					reader.read_message(lines_element)
					lines.append(lines_element)
				_:
					reader.skip(tag)


## One event from the client on a session's stream.
class ConverseRequest:
	extends ProtoMessage

	## Which member of request is set.
	enum RequestCase {
		NONE = 0,
		OPEN = 1,
		SAY = 2,
		NOTIFY = 3,
		INTERRUPT = 4,
		UPDATE_PRIORITY = 5,
		CLOSE = 6,
		RECORD = 10
	}

	## Which member of request is set; changes when one is assigned.
	var request_case := RequestCase.NONE

	## First on every stream.
	var open: OpenSession:
		get:
			return _request_value if request_case == RequestCase.OPEN else null
		set(value):
			_request_value = value
			request_case = RequestCase.OPEN if value != null else RequestCase.NONE

	## Somebody speaks to the character, or something else has it speak: see TurnCue. Several turns
	## queue up and are answered in order.
	var say: Dialogue.Utterance:
		get:
			return _request_value if request_case == RequestCase.SAY else null
		set(value):
			_request_value = value
			request_case = RequestCase.SAY if value != null else RequestCase.NONE

	## The character learns of an event in the world, without answering.
	var notify: String:
		get:
			return _request_value if request_case == RequestCase.NOTIFY else ""
		set(value):
			_request_value = value
			request_case = RequestCase.NOTIFY

	## Cut an answer off.
	var interrupt: Interrupt:
		get:
			return _request_value if request_case == RequestCase.INTERRUPT else null
		set(value):
			_request_value = value
			request_case = RequestCase.INTERRUPT if value != null else RequestCase.NONE

	## A new priority for the session. -100 to 100.
	var update_priority: int:
		get:
			return _request_value if request_case == RequestCase.UPDATE_PRIORITY else 0
		set(value):
			_request_value = value
			request_case = RequestCase.UPDATE_PRIORITY

	## End the session and forget it; the stream ends.
	var close: bool:
		get:
			return _request_value if request_case == RequestCase.CLOSE else false
		set(value):
			_request_value = value
			request_case = RequestCase.CLOSE

	## Lines that the game's script has spoken become part of the conversation.
	var record: RecordedLines:
		get:
			return _request_value if request_case == RequestCase.RECORD else null
		set(value):
			_request_value = value
			request_case = RequestCase.RECORD if value != null else RequestCase.NONE
	var _request_value: Variant

	## Makes no member of request set.
	func clear_request() -> void:
		_request_value = null
		request_case = RequestCase.NONE

	func write_fields(writer: ProtoWriter) -> void:
		if request_case == RequestCase.OPEN:
			writer.put_varint(10)
			writer.put_message(open)
		if request_case == RequestCase.SAY:
			writer.put_varint(18)
			writer.put_message(say)
		if request_case == RequestCase.NOTIFY:
			writer.put_varint(26)
			writer.put_string(notify)
		if request_case == RequestCase.INTERRUPT:
			writer.put_varint(34)
			writer.put_message(interrupt)
		if request_case == RequestCase.UPDATE_PRIORITY:
			writer.put_varint(40)
			writer.put_int32(update_priority)
		if request_case == RequestCase.CLOSE:
			writer.put_varint(48)
			writer.put_bool(close)
		if request_case == RequestCase.RECORD:
			writer.put_varint(82)
			writer.put_message(record)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					var open_element: OpenSession = (
						_request_value if request_case == RequestCase.OPEN else OpenSession.new()
					)
					reader.read_message(open_element)
					_request_value = open_element
					request_case = RequestCase.OPEN
				18:
					var say_element: Dialogue.Utterance = (
						_request_value
						if request_case == RequestCase.SAY
						else Dialogue.Utterance.new()
					)
					reader.read_message(say_element)
					_request_value = say_element
					request_case = RequestCase.SAY
				26:
					notify = reader.read_string()
				34:
					var interrupt_element: Interrupt = (
						_request_value if request_case == RequestCase.INTERRUPT else Interrupt.new()
					)
					reader.read_message(interrupt_element)
					_request_value = interrupt_element
					request_case = RequestCase.INTERRUPT
				40:
					update_priority = reader.read_int32()
				48:
					close = reader.read_bool()
				82:
					var record_element: RecordedLines = (
						_request_value
						if request_case == RequestCase.RECORD
						else RecordedLines.new()
					)
					reader.read_message(record_element)
					_request_value = record_element
					request_case = RequestCase.RECORD
				_:
					reader.skip(tag)


## One event to the client on a session's stream.
class ConverseResponse:
	extends ProtoMessage

	## What happened.
	var event: Dialogue.SessionEvent = null

	func write_fields(writer: ProtoWriter) -> void:
		if event != null:
			writer.put_varint(10)
			writer.put_message(event)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					var event_element := event if event != null else Dialogue.SessionEvent.new()
					reader.read_message(event_element)
					event = event_element
				_:
					reader.skip(tag)


## See SessionConfig.
class OpenSessionRequest:
	extends ProtoMessage

	## The session to open.
	var open: OpenSession = null

	func write_fields(writer: ProtoWriter) -> void:
		if open != null:
			writer.put_varint(10)
			writer.put_message(open)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					var open_element := open if open != null else OpenSession.new()
					reader.read_message(open_element)
					open = open_element
				_:
					reader.skip(tag)


## The session exists.
class OpenSessionResponse:
	extends ProtoMessage

	## The session.
	var opened: Dialogue.SessionOpened = null

	func write_fields(writer: ProtoWriter) -> void:
		if opened != null:
			writer.put_varint(10)
			writer.put_message(opened)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					var opened_element := opened if opened != null else Dialogue.SessionOpened.new()
					reader.read_message(opened_element)
					opened = opened_element
				_:
					reader.skip(tag)


## Speak to a session.
class SayRequest:
	extends ProtoMessage

	## The session.
	var session_id: String = ""

	## What is said.
	var utterance: Dialogue.Utterance = null

	func write_fields(writer: ProtoWriter) -> void:
		if session_id != "":
			writer.put_varint(10)
			writer.put_string(session_id)
		if utterance != null:
			writer.put_varint(18)
			writer.put_message(utterance)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					session_id = reader.read_string()
				18:
					var utterance_element := (
						utterance if utterance != null else Dialogue.Utterance.new()
					)
					reader.read_message(utterance_element)
					utterance = utterance_element
				_:
					reader.skip(tag)


## One event of the turn.
class SayResponse:
	extends ProtoMessage

	## What happened. The stream ends after the turn's last event.
	var event: Dialogue.SessionEvent = null

	func write_fields(writer: ProtoWriter) -> void:
		if event != null:
			writer.put_varint(10)
			writer.put_message(event)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					var event_element := event if event != null else Dialogue.SessionEvent.new()
					reader.read_message(event_element)
					event = event_element
				_:
					reader.skip(tag)


## Cut answers off.
class InterruptSessionRequest:
	extends ProtoMessage

	## The session.
	var session_id: String = ""

	## Which answer, and how much of it was heard.
	var interrupt: Interrupt = null

	func write_fields(writer: ProtoWriter) -> void:
		if session_id != "":
			writer.put_varint(10)
			writer.put_string(session_id)
		if interrupt != null:
			writer.put_varint(18)
			writer.put_message(interrupt)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					session_id = reader.read_string()
				18:
					var interrupt_element := interrupt if interrupt != null else Interrupt.new()
					reader.read_message(interrupt_element)
					interrupt = interrupt_element
				_:
					reader.skip(tag)


## The answers are cut off.
class InterruptSessionResponse:
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


## Say what came of an action.
class AnswerActionRequest:
	extends ProtoMessage

	## Which member of outcome is set.
	enum OutcomeCase { NONE = 0, ACCEPT = 3, REJECT = 4 }

	## Which member of outcome is set; changes when one is assigned.
	var outcome_case := OutcomeCase.NONE

	## The session.
	var session_id: String = ""

	## The action, as ActionRequested named it. NOT_FOUND when it does not wait for an answer (any
	## more).
	var action_id: String = ""

	## It is done; the result, which the character learns, or nothing.
	var accept: String:
		get:
			return _outcome_value if outcome_case == OutcomeCase.ACCEPT else ""
		set(value):
			_outcome_value = value
			outcome_case = OutcomeCase.ACCEPT

	## It is not done, and this is why.
	var reject: String:
		get:
			return _outcome_value if outcome_case == OutcomeCase.REJECT else ""
		set(value):
			_outcome_value = value
			outcome_case = OutcomeCase.REJECT
	var _outcome_value: Variant

	## Makes no member of outcome set.
	func clear_outcome() -> void:
		_outcome_value = null
		outcome_case = OutcomeCase.NONE

	func write_fields(writer: ProtoWriter) -> void:
		if session_id != "":
			writer.put_varint(10)
			writer.put_string(session_id)
		if action_id != "":
			writer.put_varint(18)
			writer.put_string(action_id)
		if outcome_case == OutcomeCase.ACCEPT:
			writer.put_varint(26)
			writer.put_string(accept)
		if outcome_case == OutcomeCase.REJECT:
			writer.put_varint(34)
			writer.put_string(reject)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					session_id = reader.read_string()
				18:
					action_id = reader.read_string()
				26:
					accept = reader.read_string()
				34:
					reject = reader.read_string()
				_:
					reader.skip(tag)


## The character goes on.
class AnswerActionResponse:
	extends ProtoMessage


## Tell a character of an event.
class NotifySessionRequest:
	extends ProtoMessage

	## The session.
	var session_id: String = ""

	## What happened. 1 to 4096 characters.
	var text: String = ""

	func write_fields(writer: ProtoWriter) -> void:
		if session_id != "":
			writer.put_varint(10)
			writer.put_string(session_id)
		if text != "":
			writer.put_varint(18)
			writer.put_string(text)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					session_id = reader.read_string()
				18:
					text = reader.read_string()
				_:
					reader.skip(tag)


## The event is in the transcript.
class NotifySessionResponse:
	extends ProtoMessage


## Record lines of a script.
class RecordLinesRequest:
	extends ProtoMessage

	## The session.
	var session_id: String = ""

	## The lines.
	var recorded: RecordedLines = null

	func write_fields(writer: ProtoWriter) -> void:
		if session_id != "":
			writer.put_varint(10)
			writer.put_string(session_id)
		if recorded != null:
			writer.put_varint(18)
			writer.put_message(recorded)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					session_id = reader.read_string()
				18:
					var recorded_element := recorded if recorded != null else RecordedLines.new()
					reader.read_message(recorded_element)
					recorded = recorded_element
				_:
					reader.skip(tag)


## The lines are in the transcript.
class RecordLinesResponse:
	extends ProtoMessage

	## The lines, as the transcript has them.
	var recorded: Dialogue.Recorded = null

	func write_fields(writer: ProtoWriter) -> void:
		if recorded != null:
			writer.put_varint(10)
			writer.put_message(recorded)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					var recorded_element := (
						recorded if recorded != null else Dialogue.Recorded.new()
					)
					reader.read_message(recorded_element)
					recorded = recorded_element
				_:
					reader.skip(tag)


## Change a session.
class UpdateSessionRequest:
	extends ProtoMessage

	## The session.
	var session_id: String = ""

	## The new priority, -100 to 100. Holds for the current answer too.
	var priority: int = 0:
		set(value):
			priority = value
			has_priority = true
	## Whether [member priority] is set.
	var has_priority := false

	## Makes [member priority] not set.
	func clear_priority() -> void:
		priority = 0
		has_priority = false

	func write_fields(writer: ProtoWriter) -> void:
		if session_id != "":
			writer.put_varint(10)
			writer.put_string(session_id)
		if has_priority:
			writer.put_varint(16)
			writer.put_int32(priority)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					session_id = reader.read_string()
				16:
					priority = reader.read_int32()
				_:
					reader.skip(tag)


## The session is changed.
class UpdateSessionResponse:
	extends ProtoMessage


## Ask for a session.
class GetSessionRequest:
	extends ProtoMessage

	## The session.
	var session_id: String = ""

	func write_fields(writer: ProtoWriter) -> void:
		if session_id != "":
			writer.put_varint(10)
			writer.put_string(session_id)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					session_id = reader.read_string()
				_:
					reader.skip(tag)


## A session as it is now.
class GetSessionResponse:
	extends ProtoMessage

	## Its configuration, with the whole transcript as history: opening a session with it restores
	## the conversation.
	var config: Dialogue.SessionConfig = null

	## The turn being answered; empty when none is.
	var current_turn_id: String = ""

	## How many turns wait behind it.
	var queued_turns: int = 0

	func write_fields(writer: ProtoWriter) -> void:
		if config != null:
			writer.put_varint(10)
			writer.put_message(config)
		if current_turn_id != "":
			writer.put_varint(18)
			writer.put_string(current_turn_id)
		if queued_turns != 0:
			writer.put_varint(24)
			writer.put_int32(queued_turns)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					var config_element := config if config != null else Dialogue.SessionConfig.new()
					reader.read_message(config_element)
					config = config_element
				18:
					current_turn_id = reader.read_string()
				24:
					queued_turns = reader.read_int32()
				_:
					reader.skip(tag)


## Ask for all sessions.
class ListSessionsRequest:
	extends ProtoMessage


## One session in a list.
class SessionSummary:
	extends ProtoMessage

	## Its id.
	var session_id: String = ""

	## The character's name.
	var persona_name: String = ""

	## Its priority.
	var priority: int = 0

	## Lines in its transcript.
	var transcript_entries: int = 0

	## Whether an answer is under way.
	var speaking: bool = false

	func write_fields(writer: ProtoWriter) -> void:
		if session_id != "":
			writer.put_varint(10)
			writer.put_string(session_id)
		if persona_name != "":
			writer.put_varint(18)
			writer.put_string(persona_name)
		if priority != 0:
			writer.put_varint(24)
			writer.put_int32(priority)
		if transcript_entries != 0:
			writer.put_varint(32)
			writer.put_int32(transcript_entries)
		if speaking:
			writer.put_varint(40)
			writer.put_bool(speaking)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					session_id = reader.read_string()
				18:
					persona_name = reader.read_string()
				24:
					priority = reader.read_int32()
				32:
					transcript_entries = reader.read_int32()
				40:
					speaking = reader.read_bool()
				_:
					reader.skip(tag)


## All sessions, by id.
class ListSessionsResponse:
	extends ProtoMessage

	## The sessions.
	var sessions: Array[SessionSummary] = []

	func write_fields(writer: ProtoWriter) -> void:
		for element in sessions:
			writer.put_varint(10)
			writer.put_message(element)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					var sessions_element := SessionSummary.new()
					reader.read_message(sessions_element)
					sessions.append(sessions_element)
				_:
					reader.skip(tag)


## A turn as the runtime worked on it.
class TurnReport:
	extends ProtoMessage

	## The turn.
	var turn_id: String = ""

	## What has become of it.
	var state: TurnState = TurnState.UNSPECIFIED

	## When it was asked for, in milliseconds since 1970 (UTC).
	var asked_unix_ms: int = 0

	## How long it waited behind other turns of its session, in milliseconds.
	var queued_ms: float = 0.0

	## How long its prompt took to be rendered, fitted into the context and encoded, in
	## milliseconds.
	var prompt_ms: float = 0.0

	## How long it took in all, from the question to the end or until now, in milliseconds.
	var total_ms: float = 0.0

	## What it cost, once it has ended well or was cut off. time_to_first_token_ms counts from when
	## the engine got the prompt: to wait for room, and to compute what was not cached. One divided
	## by tokens_per_second is the mean time of a step.
	var usage: Sampling.Usage = null

	## Why it ended, where it finished.
	var finish_reason: Sampling.FinishReason = Sampling.FinishReason.UNSPECIFIED

	## How often what went round in circles was said anew.
	var retries: int = 0

	func write_fields(writer: ProtoWriter) -> void:
		if turn_id != "":
			writer.put_varint(10)
			writer.put_string(turn_id)
		if state != 0:
			writer.put_varint(16)
			writer.put_int32(state)
		if asked_unix_ms != 0:
			writer.put_varint(24)
			writer.put_varint(asked_unix_ms)
		if ProtoWriter.is_float_set(queued_ms):
			writer.put_varint(37)
			writer.put_float(queued_ms)
		if ProtoWriter.is_float_set(prompt_ms):
			writer.put_varint(45)
			writer.put_float(prompt_ms)
		if ProtoWriter.is_float_set(total_ms):
			writer.put_varint(53)
			writer.put_float(total_ms)
		if usage != null:
			writer.put_varint(58)
			writer.put_message(usage)
		if finish_reason != 0:
			writer.put_varint(64)
			writer.put_int32(finish_reason)
		if retries != 0:
			writer.put_varint(72)
			writer.put_int32(retries)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					turn_id = reader.read_string()
				16:
					state = reader.read_int32() as TurnState
				24:
					asked_unix_ms = reader.read_varint()
				37:
					queued_ms = reader.read_float()
				45:
					prompt_ms = reader.read_float()
				53:
					total_ms = reader.read_float()
				58:
					var usage_element := usage if usage != null else Sampling.Usage.new()
					reader.read_message(usage_element)
					usage = usage_element
				64:
					finish_reason = reader.read_int32() as Sampling.FinishReason
				72:
					retries = reader.read_int32()
				_:
					reader.skip(tag)


## A prompt, exactly as the model saw it, control tokens by their names.
class PromptReport:
	extends ProtoMessage

	## The turn that it was for.
	var turn_id: String = ""

	## Its tokens.
	var token_ids: Array[int] = []

	## How many of them, from the first on, were in the KV cache and were not computed. Not set
	## until the turn has ended.
	var cached_tokens: int = 0:
		set(value):
			cached_tokens = value
			has_cached_tokens = true
	## Whether [member cached_tokens] is set.
	var has_cached_tokens := false

	## The text of these. A character that is half in the cache belongs to what was computed.
	var cached_text: String = ""

	## The text of all others.
	var computed_text: String = ""

	## Makes [member cached_tokens] not set.
	func clear_cached_tokens() -> void:
		cached_tokens = 0
		has_cached_tokens = false

	func write_fields(writer: ProtoWriter) -> void:
		if turn_id != "":
			writer.put_varint(10)
			writer.put_string(turn_id)
		if not token_ids.is_empty():
			var packed_token_ids := ProtoWriter.new()
			for element in token_ids:
				packed_token_ids.put_int32(element)
			writer.put_varint(18)
			writer.put_bytes(packed_token_ids.bytes)
		if has_cached_tokens:
			writer.put_varint(24)
			writer.put_int32(cached_tokens)
		if cached_text != "":
			writer.put_varint(34)
			writer.put_string(cached_text)
		if computed_text != "":
			writer.put_varint(42)
			writer.put_string(computed_text)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					turn_id = reader.read_string()
				16:
					token_ids.append(reader.read_int32())
				18:
					var token_ids_outer := reader.enter()
					while reader.position < reader.limit:
						token_ids.append(reader.read_int32())
					reader.leave(token_ids_outer)
				24:
					cached_tokens = reader.read_int32()
				34:
					cached_text = reader.read_string()
				42:
					computed_text = reader.read_string()
				_:
					reader.skip(tag)


## Something that failed.
class ErrorReport:
	extends ProtoMessage

	## When, in milliseconds since 1970 (UTC).
	var unix_ms: int = 0

	## Its gRPC status, such as "NOT_FOUND".
	var code: String = ""

	## What went wrong and what to do about it.
	var message: String = ""

	## The call, such as "OpenSession"; empty for a turn.
	var method: String = ""

	## The session, where one is concerned.
	var session_id: String = ""

	## The turn, where one is concerned.
	var turn_id: String = ""

	func write_fields(writer: ProtoWriter) -> void:
		if unix_ms != 0:
			writer.put_varint(8)
			writer.put_varint(unix_ms)
		if code != "":
			writer.put_varint(18)
			writer.put_string(code)
		if message != "":
			writer.put_varint(26)
			writer.put_string(message)
		if method != "":
			writer.put_varint(34)
			writer.put_string(method)
		if session_id != "":
			writer.put_varint(42)
			writer.put_string(session_id)
		if turn_id != "":
			writer.put_varint(50)
			writer.put_string(turn_id)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				8:
					unix_ms = reader.read_varint()
				18:
					code = reader.read_string()
				26:
					message = reader.read_string()
				34:
					method = reader.read_string()
				42:
					session_id = reader.read_string()
				50:
					turn_id = reader.read_string()
				_:
					reader.skip(tag)


## Look into a session.
class InspectSessionRequest:
	extends ProtoMessage

	## The session.
	var session_id: String = ""

	## Also its last prompt: up to some bytes for each token of the context.
	var with_prompt: bool = false

	func write_fields(writer: ProtoWriter) -> void:
		if session_id != "":
			writer.put_varint(10)
			writer.put_string(session_id)
		if with_prompt:
			writer.put_varint(16)
			writer.put_bool(with_prompt)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					session_id = reader.read_string()
				16:
					with_prompt = reader.read_bool()
				_:
					reader.skip(tag)


## What the runtime did for a session.
class InspectSessionResponse:
	extends ProtoMessage

	## Its last 16 turns that were begun, oldest first.
	var turns: Array[TurnReport] = []

	## The turns that failed, at most the last 16, oldest first.
	var errors: Array[ErrorReport] = []

	## Its last prompt, where it was asked for and there is one.
	var prompt: PromptReport = null

	## How many turns wait.
	var queued_turns: int = 0

	## Tokens of lore and persona.
	var system_tokens: int = 0

	func write_fields(writer: ProtoWriter) -> void:
		for element in turns:
			writer.put_varint(10)
			writer.put_message(element)
		for element in errors:
			writer.put_varint(18)
			writer.put_message(element)
		if prompt != null:
			writer.put_varint(26)
			writer.put_message(prompt)
		if queued_turns != 0:
			writer.put_varint(32)
			writer.put_int32(queued_turns)
		if system_tokens != 0:
			writer.put_varint(40)
			writer.put_int32(system_tokens)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					var turns_element := TurnReport.new()
					reader.read_message(turns_element)
					turns.append(turns_element)
				18:
					var errors_element := ErrorReport.new()
					reader.read_message(errors_element)
					errors.append(errors_element)
				26:
					var prompt_element := prompt if prompt != null else PromptReport.new()
					reader.read_message(prompt_element)
					prompt = prompt_element
				32:
					queued_turns = reader.read_int32()
				40:
					system_tokens = reader.read_int32()
				_:
					reader.skip(tag)


## Ask for errors.
class ListErrorsRequest:
	extends ProtoMessage


## What failed of late.
class ListErrorsResponse:
	extends ProtoMessage

	## At most the last 64 calls and requests on streams that failed, oldest first.
	var errors: Array[ErrorReport] = []

	func write_fields(writer: ProtoWriter) -> void:
		for element in errors:
			writer.put_varint(10)
			writer.put_message(element)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					var errors_element := ErrorReport.new()
					reader.read_message(errors_element)
					errors.append(errors_element)
				_:
					reader.skip(tag)


## End a session.
class CloseSessionRequest:
	extends ProtoMessage

	## The session.
	var session_id: String = ""

	func write_fields(writer: ProtoWriter) -> void:
		if session_id != "":
			writer.put_varint(10)
			writer.put_string(session_id)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					session_id = reader.read_string()
				_:
					reader.skip(tag)


## The session is gone.
class CloseSessionResponse:
	extends ProtoMessage


## Register lore.
class RegisterLoreRequest:
	extends ProtoMessage

	## The lore.
	var lore: Dialogue.Lore = null

	func write_fields(writer: ProtoWriter) -> void:
		if lore != null:
			writer.put_varint(10)
			writer.put_message(lore)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					var lore_element := lore if lore != null else Dialogue.Lore.new()
					reader.read_message(lore_element)
					lore = lore_element
				_:
					reader.skip(tag)


## The lore is known.
class RegisterLoreResponse:
	extends ProtoMessage

	## Its length in tokens.
	var tokens: int = 0

	func write_fields(writer: ProtoWriter) -> void:
		if tokens != 0:
			writer.put_varint(8)
			writer.put_int32(tokens)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				8:
					tokens = reader.read_int32()
				_:
					reader.skip(tag)


## Forget lore.
class RemoveLoreRequest:
	extends ProtoMessage

	## Its id. NOT_FOUND when there is no such lore.
	var lore_id: String = ""

	func write_fields(writer: ProtoWriter) -> void:
		if lore_id != "":
			writer.put_varint(10)
			writer.put_string(lore_id)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					lore_id = reader.read_string()
				_:
					reader.skip(tag)


## The lore is forgotten.
class RemoveLoreResponse:
	extends ProtoMessage


## A list of token ids.
class TokenIds:
	extends ProtoMessage

	## The ids.
	var ids: Array[int] = []

	func write_fields(writer: ProtoWriter) -> void:
		if not ids.is_empty():
			var packed_ids := ProtoWriter.new()
			for element in ids:
				packed_ids.put_int32(element)
			writer.put_varint(10)
			writer.put_bytes(packed_ids.bytes)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				8:
					ids.append(reader.read_int32())
				10:
					var ids_outer := reader.enter()
					while reader.position < reader.limit:
						ids.append(reader.read_int32())
					reader.leave(ids_outer)
				_:
					reader.skip(tag)


## Complete a prompt.
class GenerateRequest:
	extends ProtoMessage

	## Which member of prompt is set.
	enum PromptCase { NONE = 0, TEXT = 1, TOKEN_IDS = 2 }

	## Which member of prompt is set; changes when one is assigned.
	var prompt_case := PromptCase.NONE

	## As text; the model's begin token is put before it. Control tokens in it are plain text.
	var text: String:
		get:
			return _prompt_value if prompt_case == PromptCase.TEXT else ""
		set(value):
			_prompt_value = value
			prompt_case = PromptCase.TEXT

	## As token ids, taken as they are.
	var token_ids: TokenIds:
		get:
			return _prompt_value if prompt_case == PromptCase.TOKEN_IDS else null
		set(value):
			_prompt_value = value
			prompt_case = PromptCase.TOKEN_IDS if value != null else PromptCase.NONE

	## How to sample.
	var sampling: Sampling.SamplingParams = null

	## Report the prompt's own tokens first, with log-probabilities when SamplingParams.logprobs is
	## set.
	var echo: bool = false

	## Larger goes first. -100 to 100.
	var priority: int = 0

	## What the completion must be. Not set: any text.
	var grammar: Sampling.Grammar = null

	## The adapter that completes it; see SessionConfig.
	var adapter: String = ""
	var _prompt_value: Variant

	## Makes no member of prompt set.
	func clear_prompt() -> void:
		_prompt_value = null
		prompt_case = PromptCase.NONE

	func write_fields(writer: ProtoWriter) -> void:
		if prompt_case == PromptCase.TEXT:
			writer.put_varint(10)
			writer.put_string(text)
		if prompt_case == PromptCase.TOKEN_IDS:
			writer.put_varint(18)
			writer.put_message(token_ids)
		if sampling != null:
			writer.put_varint(26)
			writer.put_message(sampling)
		if echo:
			writer.put_varint(32)
			writer.put_bool(echo)
		if priority != 0:
			writer.put_varint(40)
			writer.put_int32(priority)
		if grammar != null:
			writer.put_varint(50)
			writer.put_message(grammar)
		if adapter != "":
			writer.put_varint(58)
			writer.put_string(adapter)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					text = reader.read_string()
				18:
					var token_ids_element: TokenIds = (
						_prompt_value if prompt_case == PromptCase.TOKEN_IDS else TokenIds.new()
					)
					reader.read_message(token_ids_element)
					_prompt_value = token_ids_element
					prompt_case = PromptCase.TOKEN_IDS
				26:
					var sampling_element := (
						sampling if sampling != null else Sampling.SamplingParams.new()
					)
					reader.read_message(sampling_element)
					sampling = sampling_element
				32:
					echo = reader.read_bool()
				40:
					priority = reader.read_int32()
				50:
					var grammar_element := grammar if grammar != null else Sampling.Grammar.new()
					reader.read_message(grammar_element)
					grammar = grammar_element
				58:
					adapter = reader.read_string()
				_:
					reader.skip(tag)


## A piece of the completion.
class GenerateResponse:
	extends ProtoMessage

	## Which member of event is set.
	enum EventCase { NONE = 0, PROMPT = 1, TEXT = 2, FINISHED = 3 }

	## Which member of event is set; changes when one is assigned.
	var event_case := EventCase.NONE

	## With echo: the prompt. First, once.
	var prompt: EchoedPrompt:
		get:
			return _event_value if event_case == EventCase.PROMPT else null
		set(value):
			_event_value = value
			event_case = EventCase.PROMPT if value != null else EventCase.NONE

	## More text.
	var text: GeneratedText:
		get:
			return _event_value if event_case == EventCase.TEXT else null
		set(value):
			_event_value = value
			event_case = EventCase.TEXT if value != null else EventCase.NONE

	## Last, once.
	var finished: GenerationFinished:
		get:
			return _event_value if event_case == EventCase.FINISHED else null
		set(value):
			_event_value = value
			event_case = EventCase.FINISHED if value != null else EventCase.NONE
	var _event_value: Variant

	## Makes no member of event set.
	func clear_event() -> void:
		_event_value = null
		event_case = EventCase.NONE

	func write_fields(writer: ProtoWriter) -> void:
		if event_case == EventCase.PROMPT:
			writer.put_varint(10)
			writer.put_message(prompt)
		if event_case == EventCase.TEXT:
			writer.put_varint(18)
			writer.put_message(text)
		if event_case == EventCase.FINISHED:
			writer.put_varint(26)
			writer.put_message(finished)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					var prompt_element: EchoedPrompt = (
						_event_value if event_case == EventCase.PROMPT else EchoedPrompt.new()
					)
					reader.read_message(prompt_element)
					_event_value = prompt_element
					event_case = EventCase.PROMPT
				18:
					var text_element: GeneratedText = (
						_event_value if event_case == EventCase.TEXT else GeneratedText.new()
					)
					reader.read_message(text_element)
					_event_value = text_element
					event_case = EventCase.TEXT
				26:
					var finished_element: GenerationFinished = (
						_event_value
						if event_case == EventCase.FINISHED
						else GenerationFinished.new()
					)
					reader.read_message(finished_element)
					_event_value = finished_element
					event_case = EventCase.FINISHED
				_:
					reader.skip(tag)


## The prompt, as the model saw it.
class EchoedPrompt:
	extends ProtoMessage

	## Its tokens; with log-probabilities when they were asked for.
	var tokens: Array[Sampling.Token] = []

	func write_fields(writer: ProtoWriter) -> void:
		for element in tokens:
			writer.put_varint(10)
			writer.put_message(element)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					var tokens_element := Sampling.Token.new()
					reader.read_message(tokens_element)
					tokens.append(tokens_element)
				_:
					reader.skip(tag)


## More text of a completion.
class GeneratedText:
	extends ProtoMessage

	## Whole characters to append to what came before.
	var text: String = ""

	## The tokens behind the text; with log-probabilities when they were asked for.
	var tokens: Array[Sampling.Token] = []

	func write_fields(writer: ProtoWriter) -> void:
		if text != "":
			writer.put_varint(10)
			writer.put_string(text)
		for element in tokens:
			writer.put_varint(18)
			writer.put_message(element)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					text = reader.read_string()
				18:
					var tokens_element := Sampling.Token.new()
					reader.read_message(tokens_element)
					tokens.append(tokens_element)
				_:
					reader.skip(tag)


## The completion is whole.
class GenerationFinished:
	extends ProtoMessage

	## Why it ended.
	var finish_reason: Sampling.FinishReason = Sampling.FinishReason.UNSPECIFIED

	## What it cost.
	var usage: Sampling.Usage = null

	## The stop text of the request that ended it, when finish_reason says so.
	var stop_text: String = ""

	func write_fields(writer: ProtoWriter) -> void:
		if finish_reason != 0:
			writer.put_varint(8)
			writer.put_int32(finish_reason)
		if usage != null:
			writer.put_varint(18)
			writer.put_message(usage)
		if stop_text != "":
			writer.put_varint(26)
			writer.put_string(stop_text)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				8:
					finish_reason = reader.read_int32() as Sampling.FinishReason
				18:
					var usage_element := usage if usage != null else Sampling.Usage.new()
					reader.read_message(usage_element)
					usage = usage_element
				26:
					stop_text = reader.read_string()
				_:
					reader.skip(tag)


## Choose among texts.
class ChooseRequest:
	extends ProtoMessage

	## Which member of subject is set.
	enum SubjectCase { NONE = 0, SESSION_ID = 1, TEXT = 2, TOKEN_IDS = 3 }

	## Which member of subject is set; changes when one is assigned.
	var subject_case := SubjectCase.NONE

	## The character of this session says them. Its conversation stays as it is, unless remember is
	## set.
	var session_id: String:
		get:
			return _subject_value if subject_case == SubjectCase.SESSION_ID else ""
		set(value):
			_subject_value = value
			subject_case = SubjectCase.SESSION_ID

	## They go on with this text, as it stands; the model's begin token is put before it. Put white
	## space between the two into the options.
	var text: String:
		get:
			return _subject_value if subject_case == SubjectCase.TEXT else ""
		set(value):
			_subject_value = value
			subject_case = SubjectCase.TEXT

	## They go on with these tokens.
	var token_ids: TokenIds:
		get:
			return _subject_value if subject_case == SubjectCase.TOKEN_IDS else null
		set(value):
			_subject_value = value
			subject_case = SubjectCase.TOKEN_IDS if value != null else SubjectCase.NONE

	## The texts: each once, none empty. 1 to 256, together at most 65,536 characters.
	var options: Array[String] = []

	## With a session: what is said to the character before it chooses. Only text, speaker and
	## turn_id may be set. Not set: the character chooses what to say now; then the conversation
	## must not end with its own line.
	var utterance: Dialogue.Utterance = null

	## With a session: what was said, and the chosen text as the character's answer, become part of
	## the conversation.
	var remember: bool = false

	## By what the options are compared.
	var score: ChoiceScore = ChoiceScore.UNSPECIFIED

	## Draw one by its probability instead of taking the likeliest.
	var draw: bool = false

	## Divides the scores before they become probabilities. Above 0, at most 5. Default 1.
	var temperature: float = 0.0:
		set(value):
			temperature = value
			has_temperature = true
	## Whether [member temperature] is set.
	var has_temperature := false

	## Of the draw. Not set: drawn at random and reported.
	var seed: int = 0:
		set(value):
			seed = value
			has_seed = true
	## Whether [member seed] is set.
	var has_seed := false

	## Without a session: larger goes first. -100 to 100.
	var priority: int = 0

	## Without a session: the adapter by which the options are likely; see SessionConfig. A
	## character chooses with its own.
	var adapter: String = ""
	var _subject_value: Variant

	## Makes [member temperature] not set.
	func clear_temperature() -> void:
		temperature = 0.0
		has_temperature = false

	## Makes [member seed] not set.
	func clear_seed() -> void:
		seed = 0
		has_seed = false

	## Makes no member of subject set.
	func clear_subject() -> void:
		_subject_value = null
		subject_case = SubjectCase.NONE

	func write_fields(writer: ProtoWriter) -> void:
		if subject_case == SubjectCase.SESSION_ID:
			writer.put_varint(10)
			writer.put_string(session_id)
		if subject_case == SubjectCase.TEXT:
			writer.put_varint(18)
			writer.put_string(text)
		if subject_case == SubjectCase.TOKEN_IDS:
			writer.put_varint(26)
			writer.put_message(token_ids)
		for element in options:
			writer.put_varint(34)
			writer.put_string(element)
		if utterance != null:
			writer.put_varint(42)
			writer.put_message(utterance)
		if remember:
			writer.put_varint(48)
			writer.put_bool(remember)
		if score != 0:
			writer.put_varint(56)
			writer.put_int32(score)
		if draw:
			writer.put_varint(64)
			writer.put_bool(draw)
		if has_temperature:
			writer.put_varint(77)
			writer.put_float(temperature)
		if has_seed:
			writer.put_varint(80)
			writer.put_varint(seed)
		if priority != 0:
			writer.put_varint(88)
			writer.put_int32(priority)
		if adapter != "":
			writer.put_varint(98)
			writer.put_string(adapter)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					session_id = reader.read_string()
				18:
					text = reader.read_string()
				26:
					var token_ids_element: TokenIds = (
						_subject_value if subject_case == SubjectCase.TOKEN_IDS else TokenIds.new()
					)
					reader.read_message(token_ids_element)
					_subject_value = token_ids_element
					subject_case = SubjectCase.TOKEN_IDS
				34:
					options.append(reader.read_string())
				42:
					var utterance_element := (
						utterance if utterance != null else Dialogue.Utterance.new()
					)
					reader.read_message(utterance_element)
					utterance = utterance_element
				48:
					remember = reader.read_bool()
				56:
					score = reader.read_int32() as ChoiceScore
				64:
					draw = reader.read_bool()
				77:
					temperature = reader.read_float()
				80:
					seed = reader.read_varint()
				88:
					priority = reader.read_int32()
				98:
					adapter = reader.read_string()
				_:
					reader.skip(tag)


## How likely one text is.
class ScoredOption:
	extends ProtoMessage

	## The text.
	var text: String = ""

	## The natural logarithm of its probability: of all its tokens, in the model's own distribution.
	var logprob: float = 0.0

	## The mean of its tokens' log-probabilities.
	var logprob_per_token: float = 0.0

	## Its probability among the options, by the score that was asked for. They add up to 1.
	var probability: float = 0.0

	## Its length in tokens.
	var tokens: int = 0

	func write_fields(writer: ProtoWriter) -> void:
		if text != "":
			writer.put_varint(10)
			writer.put_string(text)
		if ProtoWriter.is_float_set(logprob):
			writer.put_varint(21)
			writer.put_float(logprob)
		if ProtoWriter.is_float_set(logprob_per_token):
			writer.put_varint(29)
			writer.put_float(logprob_per_token)
		if ProtoWriter.is_float_set(probability):
			writer.put_varint(37)
			writer.put_float(probability)
		if tokens != 0:
			writer.put_varint(40)
			writer.put_int32(tokens)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					text = reader.read_string()
				21:
					logprob = reader.read_float()
				29:
					logprob_per_token = reader.read_float()
				37:
					probability = reader.read_float()
				40:
					tokens = reader.read_int32()
				_:
					reader.skip(tag)


## What was chosen.
class ChooseResponse:
	extends ProtoMessage

	## The number of the chosen text among the options, from 0.
	var chosen: int = 0

	## All texts, in the order of the request.
	var options: Array[ScoredOption] = []

	## The seed of the draw; 0 without one.
	var seed: int = 0

	## Tokens of the prompt before the options, and how many of these were in the KV cache.
	var prompt_tokens: int = 0

	## See prompt_tokens.
	var cached_tokens: int = 0

	## The turn, when it is remembered.
	var turn_id: String = ""

	func write_fields(writer: ProtoWriter) -> void:
		if chosen != 0:
			writer.put_varint(8)
			writer.put_int32(chosen)
		for element in options:
			writer.put_varint(18)
			writer.put_message(element)
		if seed != 0:
			writer.put_varint(24)
			writer.put_varint(seed)
		if prompt_tokens != 0:
			writer.put_varint(32)
			writer.put_int32(prompt_tokens)
		if cached_tokens != 0:
			writer.put_varint(40)
			writer.put_int32(cached_tokens)
		if turn_id != "":
			writer.put_varint(50)
			writer.put_string(turn_id)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				8:
					chosen = reader.read_int32()
				18:
					var options_element := ScoredOption.new()
					reader.read_message(options_element)
					options.append(options_element)
				24:
					seed = reader.read_varint()
				32:
					prompt_tokens = reader.read_int32()
				40:
					cached_tokens = reader.read_int32()
				50:
					turn_id = reader.read_string()
				_:
					reader.skip(tag)


## A version of the contract.
class ContractVersion:
	extends ProtoMessage

	## See ContractMajor.
	var major: int = 0

	## See ContractMinor.
	var minor: int = 0

	func write_fields(writer: ProtoWriter) -> void:
		if major != 0:
			writer.put_varint(8)
			writer.put_int32(major)
		if minor != 0:
			writer.put_varint(16)
			writer.put_int32(minor)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				8:
					major = reader.read_int32()
				16:
					minor = reader.read_int32()
				_:
					reader.skip(tag)


## Ask what runs here.
class GetRuntimeInfoRequest:
	extends ProtoMessage


## What runs here.
class GetRuntimeInfoResponse:
	extends ProtoMessage

	## The runtime's version.
	var version: String = ""

	## The model's name.
	var model: String = ""

	## The model's number of parameters.
	var parameters: int = 0

	## Where it runs: "cpu" or "cuda:0 (NVIDIA ...)".
	var device: String = ""

	## The type of its weights: "bfloat16", "float16" or "float32".
	var dtype: String = ""

	## The longest conversation in tokens.
	var context_tokens: int = 0

	## Memory for KV, in MiB.
	var kv_memory_mib: int = 0

	## Tokens that fit in it.
	var kv_capacity_tokens: int = 0

	## The most sessions that can be open at once.
	var max_sessions: int = 0

	## The most requests that run in one batch.
	var max_batch: int = 0

	## The largest request, in bytes.
	var max_message_bytes: int = 0

	## Where the model is now.
	var model_state: ModelState = ModelState.UNSPECIFIED

	## Memory that is taken now, in MiB: on a GPU all that the runtime is known to take there; on
	## the CPU all memory that is resident for the process.
	var memory_used_mib: int = 0

	## Limit of what the runtime takes on the GPU, in MiB. 0: none is set.
	var memory_limit_mib: int = 0

	## The contract that it speaks. Not set: 1.0.
	var contract: ContractVersion = null

	func write_fields(writer: ProtoWriter) -> void:
		if version != "":
			writer.put_varint(10)
			writer.put_string(version)
		if model != "":
			writer.put_varint(18)
			writer.put_string(model)
		if parameters != 0:
			writer.put_varint(24)
			writer.put_varint(parameters)
		if device != "":
			writer.put_varint(34)
			writer.put_string(device)
		if dtype != "":
			writer.put_varint(42)
			writer.put_string(dtype)
		if context_tokens != 0:
			writer.put_varint(48)
			writer.put_int32(context_tokens)
		if kv_memory_mib != 0:
			writer.put_varint(56)
			writer.put_int32(kv_memory_mib)
		if kv_capacity_tokens != 0:
			writer.put_varint(64)
			writer.put_int32(kv_capacity_tokens)
		if max_sessions != 0:
			writer.put_varint(72)
			writer.put_int32(max_sessions)
		if max_batch != 0:
			writer.put_varint(80)
			writer.put_int32(max_batch)
		if max_message_bytes != 0:
			writer.put_varint(88)
			writer.put_int32(max_message_bytes)
		if model_state != 0:
			writer.put_varint(96)
			writer.put_int32(model_state)
		if memory_used_mib != 0:
			writer.put_varint(104)
			writer.put_int32(memory_used_mib)
		if memory_limit_mib != 0:
			writer.put_varint(112)
			writer.put_int32(memory_limit_mib)
		if contract != null:
			writer.put_varint(122)
			writer.put_message(contract)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					version = reader.read_string()
				18:
					model = reader.read_string()
				24:
					parameters = reader.read_varint()
				34:
					device = reader.read_string()
				42:
					dtype = reader.read_string()
				48:
					context_tokens = reader.read_int32()
				56:
					kv_memory_mib = reader.read_int32()
				64:
					kv_capacity_tokens = reader.read_int32()
				72:
					max_sessions = reader.read_int32()
				80:
					max_batch = reader.read_int32()
				88:
					max_message_bytes = reader.read_int32()
				96:
					model_state = reader.read_int32() as ModelState
				104:
					memory_used_mib = reader.read_int32()
				112:
					memory_limit_mib = reader.read_int32()
				122:
					var contract_element := contract if contract != null else ContractVersion.new()
					reader.read_message(contract_element)
					contract = contract_element
				_:
					reader.skip(tag)


## Ask for counters.
class WatchStatsRequest:
	extends ProtoMessage

	## How often, in milliseconds. 50 to 60000. Default 1000.
	var interval_ms: int = 0:
		set(value):
			interval_ms = value
			has_interval_ms = true
	## Whether [member interval_ms] is set.
	var has_interval_ms := false

	## Makes [member interval_ms] not set.
	func clear_interval_ms() -> void:
		interval_ms = 0
		has_interval_ms = false

	func write_fields(writer: ProtoWriter) -> void:
		if has_interval_ms:
			writer.put_varint(8)
			writer.put_int32(interval_ms)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				8:
					interval_ms = reader.read_int32()
				_:
					reader.skip(tag)


## The engine's counters.
class WatchStatsResponse:
	extends ProtoMessage

	## Requests in the batch.
	var running: int = 0

	## Requests that wait for room.
	var waiting: int = 0

	## Tokens generated for each second since the last report.
	var tokens_per_second: float = 0.0

	## KV blocks held by requests.
	var kv_blocks_used: int = 0

	## KV blocks nobody holds whose content can be used again.
	var kv_blocks_cached: int = 0

	## KV blocks that are empty.
	var kv_blocks_free: int = 0

	## Median time to first token of the last 256 requests, in milliseconds.
	var ttft_p50_ms: float = 0.0

	## Its 99th percentile.
	var ttft_p99_ms: float = 0.0

	## Open sessions.
	var sessions: int = 0

	## Tokens generated since the start.
	var generated_tokens_total: int = 0

	## Prompt tokens since the start, and how many of them were cached.
	var prompt_tokens_total: int = 0

	## Prompt tokens that were found in the KV cache, since the start.
	var cached_tokens_total: int = 0

	## Requests finished since the start.
	var requests_total: int = 0

	## Requests preempted and computed again, since the start.
	var preemptions_total: int = 0

	## Where the model is now.
	var model_state: ModelState = ModelState.UNSPECIFIED

	## Memory that is taken now, in MiB; see GetRuntimeInfoResponse.
	var memory_used_mib: int = 0

	## How the runtime keeps out of the way of a game's frames. Not set while no game reports any.
	var pace: FramePace = null

	## Times of steps in which all who spoke got a token each, and nothing else was computed.
	var decode_steps: StepTimes = null

	## Times of steps in which parts of prompts were computed too.
	var prompt_steps: StepTimes = null

	## Steps since the start.
	var steps_total: int = 0

	func write_fields(writer: ProtoWriter) -> void:
		if running != 0:
			writer.put_varint(8)
			writer.put_int32(running)
		if waiting != 0:
			writer.put_varint(16)
			writer.put_int32(waiting)
		if ProtoWriter.is_float_set(tokens_per_second):
			writer.put_varint(29)
			writer.put_float(tokens_per_second)
		if kv_blocks_used != 0:
			writer.put_varint(32)
			writer.put_int32(kv_blocks_used)
		if kv_blocks_cached != 0:
			writer.put_varint(40)
			writer.put_int32(kv_blocks_cached)
		if kv_blocks_free != 0:
			writer.put_varint(48)
			writer.put_int32(kv_blocks_free)
		if ProtoWriter.is_float_set(ttft_p50_ms):
			writer.put_varint(61)
			writer.put_float(ttft_p50_ms)
		if ProtoWriter.is_float_set(ttft_p99_ms):
			writer.put_varint(69)
			writer.put_float(ttft_p99_ms)
		if sessions != 0:
			writer.put_varint(72)
			writer.put_int32(sessions)
		if generated_tokens_total != 0:
			writer.put_varint(80)
			writer.put_varint(generated_tokens_total)
		if prompt_tokens_total != 0:
			writer.put_varint(88)
			writer.put_varint(prompt_tokens_total)
		if cached_tokens_total != 0:
			writer.put_varint(96)
			writer.put_varint(cached_tokens_total)
		if requests_total != 0:
			writer.put_varint(104)
			writer.put_varint(requests_total)
		if preemptions_total != 0:
			writer.put_varint(112)
			writer.put_varint(preemptions_total)
		if model_state != 0:
			writer.put_varint(120)
			writer.put_int32(model_state)
		if memory_used_mib != 0:
			writer.put_varint(128)
			writer.put_int32(memory_used_mib)
		if pace != null:
			writer.put_varint(162)
			writer.put_message(pace)
		if decode_steps != null:
			writer.put_varint(170)
			writer.put_message(decode_steps)
		if prompt_steps != null:
			writer.put_varint(178)
			writer.put_message(prompt_steps)
		if steps_total != 0:
			writer.put_varint(184)
			writer.put_varint(steps_total)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				8:
					running = reader.read_int32()
				16:
					waiting = reader.read_int32()
				29:
					tokens_per_second = reader.read_float()
				32:
					kv_blocks_used = reader.read_int32()
				40:
					kv_blocks_cached = reader.read_int32()
				48:
					kv_blocks_free = reader.read_int32()
				61:
					ttft_p50_ms = reader.read_float()
				69:
					ttft_p99_ms = reader.read_float()
				72:
					sessions = reader.read_int32()
				80:
					generated_tokens_total = reader.read_varint()
				88:
					prompt_tokens_total = reader.read_varint()
				96:
					cached_tokens_total = reader.read_varint()
				104:
					requests_total = reader.read_varint()
				112:
					preemptions_total = reader.read_varint()
				120:
					model_state = reader.read_int32() as ModelState
				128:
					memory_used_mib = reader.read_int32()
				162:
					var pace_element := pace if pace != null else FramePace.new()
					reader.read_message(pace_element)
					pace = pace_element
				170:
					var decode_steps_element := (
						decode_steps if decode_steps != null else StepTimes.new()
					)
					reader.read_message(decode_steps_element)
					decode_steps = decode_steps_element
				178:
					var prompt_steps_element := (
						prompt_steps if prompt_steps != null else StepTimes.new()
					)
					reader.read_message(prompt_steps_element)
					prompt_steps = prompt_steps_element
				184:
					steps_total = reader.read_varint()
				_:
					reader.skip(tag)


## What the engine's steps of one kind took of late: the last 256 of those that were measured, which
## are nearly all with prompts, and one in eight or sixteen of the others.
class StepTimes:
	extends ProtoMessage

	## How many these are; 0 before the first.
	var measured: int = 0

	## Their median, in milliseconds.
	var p50_ms: float = 0.0

	## Their 99th percentile.
	var p99_ms: float = 0.0

	## The longest of them.
	var longest_ms: float = 0.0

	func write_fields(writer: ProtoWriter) -> void:
		if measured != 0:
			writer.put_varint(8)
			writer.put_int32(measured)
		if ProtoWriter.is_float_set(p50_ms):
			writer.put_varint(21)
			writer.put_float(p50_ms)
		if ProtoWriter.is_float_set(p99_ms):
			writer.put_varint(29)
			writer.put_float(p99_ms)
		if ProtoWriter.is_float_set(longest_ms):
			writer.put_varint(37)
			writer.put_float(longest_ms)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				8:
					measured = reader.read_int32()
				21:
					p50_ms = reader.read_float()
				29:
					p99_ms = reader.read_float()
				37:
					longest_ms = reader.read_float()
				_:
					reader.skip(tag)


## One frame of a game.
class Frame:
	extends ProtoMessage

	## How long before the report was sent the frame's work began on the processor that the runtime
	## shares: the GPU, where the model runs on it, otherwise the CPU. In microseconds, at most 10
	## s.
	var age_us: int = 0

	## How long that work kept it busy, in microseconds, at most 10 s. 0: the game does not know;
	## half the target is assumed.
	var busy_us: int = 0

	func write_fields(writer: ProtoWriter) -> void:
		if age_us != 0:
			writer.put_varint(8)
			writer.put_uint32(age_us)
		if busy_us != 0:
			writer.put_varint(16)
			writer.put_uint32(busy_us)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				8:
					age_us = reader.read_uint32()
				16:
					busy_us = reader.read_uint32()
				_:
					reader.skip(tag)


## Tell of frames.
class ReportFramesRequest:
	extends ProtoMessage

	## Who reports: any text of at most 64 bytes that no other game uses, such as random letters.
	## Each reporter's frames are kept apart, and where several report, a step must fit between the
	## frames of all, by the most considerate policy of theirs. At most 8 report at once.
	var reporter: String = ""

	## The reporter's own clock when it sent this, in microseconds since any moment. It must be
	## steady; its delay is found from many reports.
	var clock_us: int = 0

	## Time from one frame's beginning to the next that the game aims for, in microseconds: 16667
	## for 60 frames a second. 1000 to 1000000.
	var target_us: int = 0

	## What to give up for frames.
	var policy: PacePolicy = PacePolicy.UNSPECIFIED

	## Frames since the last report, oldest first; at most 256. None: the game is still there, such
	## as while its screen does not change.
	var frames: Array[Frame] = []

	## The game reports no more: pacing ends now. Without this it ends half a second after the last
	## report.
	var done: bool = false

	func write_fields(writer: ProtoWriter) -> void:
		if reporter != "":
			writer.put_varint(10)
			writer.put_string(reporter)
		if clock_us != 0:
			writer.put_varint(16)
			writer.put_varint(clock_us)
		if target_us != 0:
			writer.put_varint(24)
			writer.put_uint32(target_us)
		if policy != 0:
			writer.put_varint(32)
			writer.put_int32(policy)
		for element in frames:
			writer.put_varint(42)
			writer.put_message(element)
		if done:
			writer.put_varint(48)
			writer.put_bool(done)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					reporter = reader.read_string()
				16:
					clock_us = reader.read_varint()
				24:
					target_us = reader.read_uint32()
				32:
					policy = reader.read_int32() as PacePolicy
				42:
					var frames_element := Frame.new()
					reader.read_message(frames_element)
					frames.append(frames_element)
				48:
					done = reader.read_bool()
				_:
					reader.skip(tag)


## The frames are known.
class ReportFramesResponse:
	extends ProtoMessage


## How the runtime keeps out of the way of a game's frames.
class FramePace:
	extends ProtoMessage

	## The policy that holds.
	var policy: PacePolicy = PacePolicy.UNSPECIFIED

	## Time from frame to frame that it reckons with, in milliseconds.
	var frame_ms: float = 0.0

	## What the game's own work leaves of a frame, in milliseconds.
	var budget_ms: float = 0.0

	## Steps that waited for the next frame, since the start.
	var steps_delayed: int = 0

	## Steps that ran though they did not fit, so that answers go on, since the start.
	var steps_forced: int = 0

	## Steps that took longer than was estimated, since the start.
	var estimates_missed: int = 0

	## Frames that came half a target or more later than they should have, since the start.
	var frames_late: int = 0

	## Games that report.
	var reporters: int = 0

	func write_fields(writer: ProtoWriter) -> void:
		if policy != 0:
			writer.put_varint(8)
			writer.put_int32(policy)
		if ProtoWriter.is_float_set(frame_ms):
			writer.put_varint(21)
			writer.put_float(frame_ms)
		if ProtoWriter.is_float_set(budget_ms):
			writer.put_varint(29)
			writer.put_float(budget_ms)
		if steps_delayed != 0:
			writer.put_varint(32)
			writer.put_varint(steps_delayed)
		if steps_forced != 0:
			writer.put_varint(40)
			writer.put_varint(steps_forced)
		if estimates_missed != 0:
			writer.put_varint(48)
			writer.put_varint(estimates_missed)
		if frames_late != 0:
			writer.put_varint(56)
			writer.put_varint(frames_late)
		if reporters != 0:
			writer.put_varint(64)
			writer.put_int32(reporters)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				8:
					policy = reader.read_int32() as PacePolicy
				21:
					frame_ms = reader.read_float()
				29:
					budget_ms = reader.read_float()
				32:
					steps_delayed = reader.read_varint()
				40:
					steps_forced = reader.read_varint()
				48:
					estimates_missed = reader.read_varint()
				56:
					frames_late = reader.read_varint()
				64:
					reporters = reader.read_int32()
				_:
					reader.skip(tag)


## Give the model's memory back.
class ReleaseRequest:
	extends ProtoMessage

	## Keep the model away until Warm is called: requests wait, also those to come. Otherwise the
	## next request that comes loads it.
	var until_warm: bool = false

	func write_fields(writer: ProtoWriter) -> void:
		if until_warm:
			writer.put_varint(8)
			writer.put_bool(until_warm)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				8:
					until_warm = reader.read_bool()
				_:
					reader.skip(tag)


## The memory is given back.
class ReleaseResponse:
	extends ProtoMessage

	## Memory that is taken now, in MiB; see GetRuntimeInfoResponse.
	var memory_used_mib: int = 0

	func write_fields(writer: ProtoWriter) -> void:
		if memory_used_mib != 0:
			writer.put_varint(8)
			writer.put_int32(memory_used_mib)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				8:
					memory_used_mib = reader.read_int32()
				_:
					reader.skip(tag)


## Load the model.
class WarmRequest:
	extends ProtoMessage


## The model is there.
class WarmResponse:
	extends ProtoMessage

	## Memory that is taken now, in MiB; see GetRuntimeInfoResponse.
	var memory_used_mib: int = 0

	func write_fields(writer: ProtoWriter) -> void:
		if memory_used_mib != 0:
			writer.put_varint(8)
			writer.put_int32(memory_used_mib)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				8:
					memory_used_mib = reader.read_int32()
				_:
					reader.skip(tag)


## Load an adapter.
class LoadAdapterRequest:
	extends ProtoMessage

	## Its name: that of its folder within the runtime's folder of adapters.
	var name: String = ""

	func write_fields(writer: ProtoWriter) -> void:
		if name != "":
			writer.put_varint(10)
			writer.put_string(name)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					name = reader.read_string()
				_:
					reader.skip(tag)


## The adapter is loaded.
class LoadAdapterResponse:
	extends ProtoMessage

	## It.
	var adapter: Adapter = null

	func write_fields(writer: ProtoWriter) -> void:
		if adapter != null:
			writer.put_varint(10)
			writer.put_message(adapter)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					var adapter_element := adapter if adapter != null else Adapter.new()
					reader.read_message(adapter_element)
					adapter = adapter_element
				_:
					reader.skip(tag)


## Let go of an adapter.
class UnloadAdapterRequest:
	extends ProtoMessage

	## Its name. NOT_FOUND when none of this name is loaded.
	var name: String = ""

	func write_fields(writer: ProtoWriter) -> void:
		if name != "":
			writer.put_varint(10)
			writer.put_string(name)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					name = reader.read_string()
				_:
					reader.skip(tag)


## Nobody can begin to speak with it any more.
class UnloadAdapterResponse:
	extends ProtoMessage


## Ask for the adapters.
class ListAdaptersRequest:
	extends ProtoMessage


## An adapter.
class Adapter:
	extends ProtoMessage

	## Its name.
	var name: String = ""

	## Whether it is loaded.
	var loaded: bool = false

	## The rank of its matrices, the largest; 0 where it is not loaded.
	var rank: int = 0

	## Memory that it takes, in bytes; 0 where it is not loaded.
	var memory_bytes: int = 0

	func write_fields(writer: ProtoWriter) -> void:
		if name != "":
			writer.put_varint(10)
			writer.put_string(name)
		if loaded:
			writer.put_varint(16)
			writer.put_bool(loaded)
		if rank != 0:
			writer.put_varint(24)
			writer.put_int32(rank)
		if memory_bytes != 0:
			writer.put_varint(32)
			writer.put_varint(memory_bytes)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					name = reader.read_string()
				16:
					loaded = reader.read_bool()
				24:
					rank = reader.read_int32()
				32:
					memory_bytes = reader.read_varint()
				_:
					reader.skip(tag)


## All adapters, by name.
class ListAdaptersResponse:
	extends ProtoMessage

	## The adapters.
	var adapters: Array[Adapter] = []

	func write_fields(writer: ProtoWriter) -> void:
		for element in adapters:
			writer.put_varint(10)
			writer.put_message(element)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					var adapters_element := Adapter.new()
					reader.read_message(adapters_element)
					adapters.append(adapters_element)
				_:
					reader.skip(tag)


## One runtime: a model, its sessions and its lore. Errors are gRPC statuses whose message says what
## to do. With authentication on, every call carries the metadata "authorization: Bearer TOKEN". A
## client of this contract says so with each call: "townsfolk-contract: MAJOR.MINOR"; see
## ContractMinor.
class TownsfolkServiceClient:
	extends RefCounted

	var _channel: GrpcChannel

	func _init(channel: GrpcChannel) -> void:
		_channel = channel

	## One stream for one character's session: the whole conversation, both ways. The first request
	## must be `open`. When the stream ends without `close`, the answer under way is cut and the
	## session waits to be resumed.
	func converse(timeout_seconds := 0.0, metadata: Dictionary[String, String] = {}) -> GrpcCall:
		return _channel.start_call(
			"/townsfolk.v1.TownsfolkService/Converse",
			ConverseResponse,
			timeout_seconds,
			metadata,
			true
		)

	## Opens a session, for clients that can't stream both ways.
	func open_session(
		request: OpenSessionRequest,
		timeout_seconds := 0.0,
		metadata: Dictionary[String, String] = {}
	) -> GrpcCall:
		var call := _channel.start_call(
			"/townsfolk.v1.TownsfolkService/OpenSession",
			OpenSessionResponse,
			timeout_seconds,
			metadata,
			false
		)
		call.send(request)
		call.close_send()
		return call

	## Speaks to a session, or has it speak for another reason, and streams the answer. Cancelling
	## the call interrupts the answer.
	func say(
		request: SayRequest, timeout_seconds := 0.0, metadata: Dictionary[String, String] = {}
	) -> GrpcCall:
		var call := _channel.start_call(
			"/townsfolk.v1.TownsfolkService/Say", SayResponse, timeout_seconds, metadata, true
		)
		call.send(request)
		call.close_send()
		return call

	## Cuts a session's answers off.
	func interrupt_session(
		request: InterruptSessionRequest,
		timeout_seconds := 0.0,
		metadata: Dictionary[String, String] = {}
	) -> GrpcCall:
		var call := _channel.start_call(
			"/townsfolk.v1.TownsfolkService/InterruptSession",
			InterruptSessionResponse,
			timeout_seconds,
			metadata,
			false
		)
		call.send(request)
		call.close_send()
		return call

	## Says what came of an action that a character takes; its answer waits for that.
	func answer_action(
		request: AnswerActionRequest,
		timeout_seconds := 0.0,
		metadata: Dictionary[String, String] = {}
	) -> GrpcCall:
		var call := _channel.start_call(
			"/townsfolk.v1.TownsfolkService/AnswerAction",
			AnswerActionResponse,
			timeout_seconds,
			metadata,
			false
		)
		call.send(request)
		call.close_send()
		return call

	## Tells a session's character of an event in the world, without an answer.
	func notify_session(
		request: NotifySessionRequest,
		timeout_seconds := 0.0,
		metadata: Dictionary[String, String] = {}
	) -> GrpcCall:
		var call := _channel.start_call(
			"/townsfolk.v1.TownsfolkService/NotifySession",
			NotifySessionResponse,
			timeout_seconds,
			metadata,
			false
		)
		call.send(request)
		call.close_send()
		return call

	## Records lines that the game's script has spoken, without an answer.
	func record_lines(
		request: RecordLinesRequest,
		timeout_seconds := 0.0,
		metadata: Dictionary[String, String] = {}
	) -> GrpcCall:
		var call := _channel.start_call(
			"/townsfolk.v1.TownsfolkService/RecordLines",
			RecordLinesResponse,
			timeout_seconds,
			metadata,
			false
		)
		call.send(request)
		call.close_send()
		return call

	## Changes a session's priority.
	func update_session(
		request: UpdateSessionRequest,
		timeout_seconds := 0.0,
		metadata: Dictionary[String, String] = {}
	) -> GrpcCall:
		var call := _channel.start_call(
			"/townsfolk.v1.TownsfolkService/UpdateSession",
			UpdateSessionResponse,
			timeout_seconds,
			metadata,
			false
		)
		call.send(request)
		call.close_send()
		return call

	## A session's configuration and transcript: what a saved game keeps.
	func get_session(
		request: GetSessionRequest,
		timeout_seconds := 0.0,
		metadata: Dictionary[String, String] = {}
	) -> GrpcCall:
		var call := _channel.start_call(
			"/townsfolk.v1.TownsfolkService/GetSession",
			GetSessionResponse,
			timeout_seconds,
			metadata,
			false
		)
		call.send(request)
		call.close_send()
		return call

	## All sessions of the runtime.
	func list_sessions(
		request: ListSessionsRequest,
		timeout_seconds := 0.0,
		metadata: Dictionary[String, String] = {}
	) -> GrpcCall:
		var call := _channel.start_call(
			"/townsfolk.v1.TownsfolkService/ListSessions",
			ListSessionsResponse,
			timeout_seconds,
			metadata,
			false
		)
		call.send(request)
		call.close_send()
		return call

	## What the runtime did for a session of late: its last turns with what they waited for, what
	## failed, and the prompt that the model saw last. For debuggers: nothing is changed.
	func inspect_session(
		request: InspectSessionRequest,
		timeout_seconds := 0.0,
		metadata: Dictionary[String, String] = {}
	) -> GrpcCall:
		var call := _channel.start_call(
			"/townsfolk.v1.TownsfolkService/InspectSession",
			InspectSessionResponse,
			timeout_seconds,
			metadata,
			false
		)
		call.send(request)
		call.close_send()
		return call

	## What calls of late ended with, of all clients. For debuggers.
	func list_errors(
		request: ListErrorsRequest,
		timeout_seconds := 0.0,
		metadata: Dictionary[String, String] = {}
	) -> GrpcCall:
		var call := _channel.start_call(
			"/townsfolk.v1.TownsfolkService/ListErrors",
			ListErrorsResponse,
			timeout_seconds,
			metadata,
			false
		)
		call.send(request)
		call.close_send()
		return call

	## Ends a session and forgets it.
	func close_session(
		request: CloseSessionRequest,
		timeout_seconds := 0.0,
		metadata: Dictionary[String, String] = {}
	) -> GrpcCall:
		var call := _channel.start_call(
			"/townsfolk.v1.TownsfolkService/CloseSession",
			CloseSessionResponse,
			timeout_seconds,
			metadata,
			false
		)
		call.send(request)
		call.close_send()
		return call

	## Registers world knowledge under a name, or replaces it for sessions opened from then on.
	func register_lore(
		request: RegisterLoreRequest,
		timeout_seconds := 0.0,
		metadata: Dictionary[String, String] = {}
	) -> GrpcCall:
		var call := _channel.start_call(
			"/townsfolk.v1.TownsfolkService/RegisterLore",
			RegisterLoreResponse,
			timeout_seconds,
			metadata,
			false
		)
		call.send(request)
		call.close_send()
		return call

	## Forgets world knowledge. Sessions that were opened with it keep it.
	func remove_lore(
		request: RemoveLoreRequest,
		timeout_seconds := 0.0,
		metadata: Dictionary[String, String] = {}
	) -> GrpcCall:
		var call := _channel.start_call(
			"/townsfolk.v1.TownsfolkService/RemoveLore",
			RemoveLoreResponse,
			timeout_seconds,
			metadata,
			false
		)
		call.send(request)
		call.close_send()
		return call

	## Completes a prompt as it stands: no persona, no transcript, no chat template.
	func generate(
		request: GenerateRequest, timeout_seconds := 0.0, metadata: Dictionary[String, String] = {}
	) -> GrpcCall:
		var call := _channel.start_call(
			"/townsfolk.v1.TownsfolkService/Generate",
			GenerateResponse,
			timeout_seconds,
			metadata,
			true
		)
		call.send(request)
		call.close_send()
		return call

	## Says how likely each of some authored texts is as what comes next, and chooses one: an
	## answer, a bark, a mood, a decision. Nothing is generated, and all options go through the
	## model together, behind a prefix that is computed once, or found in the KV cache.
	func choose(
		request: ChooseRequest, timeout_seconds := 0.0, metadata: Dictionary[String, String] = {}
	) -> GrpcCall:
		var call := _channel.start_call(
			"/townsfolk.v1.TownsfolkService/Choose",
			ChooseResponse,
			timeout_seconds,
			metadata,
			false
		)
		call.send(request)
		call.close_send()
		return call

	## What runs here: version, model, device, limits.
	func get_runtime_info(
		request: GetRuntimeInfoRequest,
		timeout_seconds := 0.0,
		metadata: Dictionary[String, String] = {}
	) -> GrpcCall:
		var call := _channel.start_call(
			"/townsfolk.v1.TownsfolkService/GetRuntimeInfo",
			GetRuntimeInfoResponse,
			timeout_seconds,
			metadata,
			false
		)
		call.send(request)
		call.close_send()
		return call

	## Counters of the engine, again and again.
	func watch_stats(
		request: WatchStatsRequest,
		timeout_seconds := 0.0,
		metadata: Dictionary[String, String] = {}
	) -> GrpcCall:
		var call := _channel.start_call(
			"/townsfolk.v1.TownsfolkService/WatchStats",
			WatchStatsResponse,
			timeout_seconds,
			metadata,
			true
		)
		call.send(request)
		call.close_send()
		return call

	## Tells the runtime of the game's frames, so that it computes in what they leave of the
	## processor that both use: between two frames instead of in the way of one. A game that reports
	## keeps reporting, a few times a second; while none does, nothing is paced.
	func report_frames(
		request: ReportFramesRequest,
		timeout_seconds := 0.0,
		metadata: Dictionary[String, String] = {}
	) -> GrpcCall:
		var call := _channel.start_call(
			"/townsfolk.v1.TownsfolkService/ReportFrames",
			ReportFramesResponse,
			timeout_seconds,
			metadata,
			false
		)
		call.send(request)
		call.close_send()
		return call

	## Gives the model's memory back now: for a loading screen, or a scene in which nobody speaks.
	## Returns once it is given back. Sessions stay. Answers under way pause where they are and go
	## on when the model is back; see ReleaseRequest for when that is. FAILED_PRECONDITION when the
	## runtime can't load its model again.
	func release(
		request: ReleaseRequest, timeout_seconds := 0.0, metadata: Dictionary[String, String] = {}
	) -> GrpcCall:
		var call := _channel.start_call(
			"/townsfolk.v1.TownsfolkService/Release",
			ReleaseResponse,
			timeout_seconds,
			metadata,
			false
		)
		call.send(request)
		call.close_send()
		return call

	## Loads a released model. Returns once it is loaded, at once if it is already. UNAVAILABLE when
	## it can't be loaded; the message says why.
	func warm(
		request: WarmRequest, timeout_seconds := 0.0, metadata: Dictionary[String, String] = {}
	) -> GrpcCall:
		var call := _channel.start_call(
			"/townsfolk.v1.TownsfolkService/Warm", WarmResponse, timeout_seconds, metadata, false
		)
		call.send(request)
		call.close_send()
		return call

	## Loads an adapter (LoRA) of the runtime's folder of adapters beside the model, also one that
	## is loaded: answers to come are spoken with its files as they are now. Nobody's answer waits.
	## FAILED_PRECONDITION when it is not of this model or can't be used, or when the runtime has no
	## such folder; RESOURCE_EXHAUSTED when there is no room for it; the message says what to do.
	func load_adapter(
		request: LoadAdapterRequest,
		timeout_seconds := 0.0,
		metadata: Dictionary[String, String] = {}
	) -> GrpcCall:
		var call := _channel.start_call(
			"/townsfolk.v1.TownsfolkService/LoadAdapter",
			LoadAdapterResponse,
			timeout_seconds,
			metadata,
			false
		)
		call.send(request)
		call.close_send()
		return call

	## Lets go of an adapter. Answers under way end with it; then its memory is given back. Sessions
	## that have it stay, and can't be answered until it is loaded again.
	func unload_adapter(
		request: UnloadAdapterRequest,
		timeout_seconds := 0.0,
		metadata: Dictionary[String, String] = {}
	) -> GrpcCall:
		var call := _channel.start_call(
			"/townsfolk.v1.TownsfolkService/UnloadAdapter",
			UnloadAdapterResponse,
			timeout_seconds,
			metadata,
			false
		)
		call.send(request)
		call.close_send()
		return call

	## The adapters of the runtime's folder, loaded or not.
	func list_adapters(
		request: ListAdaptersRequest,
		timeout_seconds := 0.0,
		metadata: Dictionary[String, String] = {}
	) -> GrpcCall:
		var call := _channel.start_call(
			"/townsfolk.v1.TownsfolkService/ListAdapters",
			ListAdaptersResponse,
			timeout_seconds,
			metadata,
			false
		)
		call.send(request)
		call.close_send()
		return call

	## Opens an episode: a session whose character plays. The game tells it what it observes and
	## gets typed actions, rewards them, and ends the episode; the runtime records it. The errors
	## are those of OpenSession; RESOURCE_EXHAUSTED also when too much is recorded that nobody
	## takes.
	func open_episode(
		request: Episode.OpenEpisodeRequest,
		timeout_seconds := 0.0,
		metadata: Dictionary[String, String] = {}
	) -> GrpcCall:
		var call := _channel.start_call(
			"/townsfolk.v1.TownsfolkService/OpenEpisode",
			Episode.OpenEpisodeResponse,
			timeout_seconds,
			metadata,
			false
		)
		call.send(request)
		call.close_send()
		return call

	## Has the character of an episode act, always by one action. FAILED_PRECONDITION while it is
	## acting already.
	func act(
		request: Episode.ActRequest,
		timeout_seconds := 0.0,
		metadata: Dictionary[String, String] = {}
	) -> GrpcCall:
		var call := _channel.start_call(
			"/townsfolk.v1.TownsfolkService/Act",
			Episode.ActResponse,
			timeout_seconds,
			metadata,
			false
		)
		call.send(request)
		call.close_send()
		return call

	## Rewards the last act of an episode.
	func reward_episode(
		request: Episode.RewardEpisodeRequest,
		timeout_seconds := 0.0,
		metadata: Dictionary[String, String] = {}
	) -> GrpcCall:
		var call := _channel.start_call(
			"/townsfolk.v1.TownsfolkService/RewardEpisode",
			Episode.RewardEpisodeResponse,
			timeout_seconds,
			metadata,
			false
		)
		call.send(request)
		call.close_send()
		return call

	## Ends an episode and its session. The runtime keeps what was played until somebody takes it.
	func end_episode(
		request: Episode.EndEpisodeRequest,
		timeout_seconds := 0.0,
		metadata: Dictionary[String, String] = {}
	) -> GrpcCall:
		var call := _channel.start_call(
			"/townsfolk.v1.TownsfolkService/EndEpisode",
			Episode.EndEpisodeResponse,
			timeout_seconds,
			metadata,
			false
		)
		call.send(request)
		call.close_send()
		return call

	## Gives episodes of a task that have ended, and forgets them: for who learns from them.
	func take_episodes(
		request: Episode.TakeEpisodesRequest,
		timeout_seconds := 0.0,
		metadata: Dictionary[String, String] = {}
	) -> GrpcCall:
		var call := _channel.start_call(
			"/townsfolk.v1.TownsfolkService/TakeEpisodes",
			Episode.TakeEpisodesResponse,
			timeout_seconds,
			metadata,
			false
		)
		call.send(request)
		call.close_send()
		return call
