# Generated from townsfolk/v1/dialogue.proto by proto/protoc_gen_gdscript.py; do not edit.
# gdlint: disable=max-file-lines, max-public-methods
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

## What kind of value a parameter of an action is.
enum ParameterType {
	## A text.
	UNSPECIFIED = 0,
	## A text of at most 256 characters.
	STRING = 1,
	## A whole number.
	INTEGER = 2,
	## A number.
	NUMBER = 3,
	## true or false.
	BOOLEAN = 4,
}

## Where actions stand in an answer.
enum ActionPlacement {
	## The runtime's default: after what is said.
	UNSPECIFIED = 0,
	## Behind what is said. The character speaks on where the game rejects an action, or accepts it
	## with a result.
	AFTER = 1,
	## Anywhere: the character speaks on behind each.
	BETWEEN = 2,
}

## What becomes of the stage directions in a character's replies: "*slams the tankard*".
enum StageDirections {
	## The runtime's default: keep.
	UNSPECIFIED = 0,
	## They stay in the text, where TextDelta.direction tells them apart, and direction_given tells
	## of each. Sentences are without them.
	KEEP = 1,
	## direction_given tells of each, and text and sentences are without them.
	APART = 2,
	## Nobody learns of them; text and sentences are without them.
	DROP = 3,
	## Nothing is taken for one: all of a reply is text, and said aloud.
	SPEAK = 4,
}

## How a stage direction is marked. It has a letter in it, stands in one line, and has at most 200
## characters.
enum DirectionMark {
	## Not set.
	UNSPECIFIED = 0,
	## "*bows*". "**bold**" is none, nor is a single word of a sentence ("I *never* said that") that
	## names no gesture.
	ASTERISKS = 1,
	## "(bows)", not directly behind a letter.
	PARENTHESES = 2,
	## "[lb]bows]", not directly behind a letter.
	BRACKETS = 3,
	## "<bows>", and "<action>bows</action>"; what other elements hold, such as <whisper>, is said.
	## "<b>" and the like are none.
	TAGS = 4,
}

## A part of a persona.
enum PersonaField {
	## None.
	UNSPECIFIED = 0,
	## Persona.description
	DESCRIPTION = 1,
	## Persona.goals
	GOALS = 2,
	## Persona.speaking_style
	SPEAKING_STYLE = 3,
	## Persona.taboos
	TABOOS = 4,
	## Persona.example_lines
	EXAMPLE_LINES = 5,
}

## What a turn begins with.
enum TurnCue {
	## Somebody speaks to the character.
	UNSPECIFIED = 0,
	## Somebody speaks to the character: text is what is said.
	SAID = 1,
	## Something happens in the world, and the character says something to it: text is what happens,
	## 1 to 4096 characters. Nobody speaks, so speaker must be empty. The transcript has it as an
	## event of the turn.
	EVENT = 2,
	## Nothing: the character speaks of its own accord, first or again. Text and speaker must be
	## empty. The transcript has the answer alone. The model is told that the character speaks now,
	## unless the last line is one that nobody has answered, such as an event: then it goes on from
	## that.
	NONE = 3,
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

	## The turn this line belongs to; empty for lines of no turn: what was recorded, and events that
	## nobody asked an answer to.
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


## What an action has to know.
class ActionParameter:
	extends ProtoMessage

	## A letter or underscore, then up to 63 letters, digits or underscores.
	var name: String = ""

	## What it means, for the model. At most 512 characters, one line.
	var description: String = ""

	## What kind of value it is.
	var type: ParameterType = ParameterType.UNSPECIFIED

	## The value is one of these texts, if there are any. At most 256.
	var options: Array[String] = []

	## The least that a number can be.
	var minimum: float = 0.0:
		set(value):
			minimum = value
			has_minimum = true
	## Whether [member minimum] is set.
	var has_minimum := false

	## The most that a number can be.
	var maximum: float = 0.0:
		set(value):
			maximum = value
			has_maximum = true
	## Whether [member maximum] is set.
	var has_maximum := false

	## It may be left out.
	var optional: bool = false

	## Makes [member minimum] not set.
	func clear_minimum() -> void:
		minimum = 0.0
		has_minimum = false

	## Makes [member maximum] not set.
	func clear_maximum() -> void:
		maximum = 0.0
		has_maximum = false

	func write_fields(writer: ProtoWriter) -> void:
		if name != "":
			writer.put_varint(10)
			writer.put_string(name)
		if description != "":
			writer.put_varint(18)
			writer.put_string(description)
		if type != 0:
			writer.put_varint(24)
			writer.put_int32(type)
		for element in options:
			writer.put_varint(34)
			writer.put_string(element)
		if has_minimum:
			writer.put_varint(41)
			writer.put_double(minimum)
		if has_maximum:
			writer.put_varint(49)
			writer.put_double(maximum)
		if optional:
			writer.put_varint(56)
			writer.put_bool(optional)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					name = reader.read_string()
				18:
					description = reader.read_string()
				24:
					type = reader.read_int32() as ParameterType
				34:
					options.append(reader.read_string())
				41:
					minimum = reader.read_double()
				49:
					maximum = reader.read_double()
				56:
					optional = reader.read_bool()
				_:
					reader.skip(tag)


## Something that a character can do in the game.
class ActionSpec:
	extends ProtoMessage

	## A letter or underscore, then up to 63 letters, digits or underscores; not "none".
	var name: String = ""

	## What it does, for the model. At most 1024 characters, one line.
	var description: String = ""

	## What it has to know, each once. At most 16.
	var parameters: Array[ActionParameter] = []

	## Instead of parameters: a JSON Schema of an object, the arguments.
	var json_schema: String = ""

	## When the character may do it, for the model. At most 512 characters, one line.
	var condition: String = ""

	func write_fields(writer: ProtoWriter) -> void:
		if name != "":
			writer.put_varint(10)
			writer.put_string(name)
		if description != "":
			writer.put_varint(18)
			writer.put_string(description)
		for element in parameters:
			writer.put_varint(26)
			writer.put_message(element)
		if json_schema != "":
			writer.put_varint(34)
			writer.put_string(json_schema)
		if condition != "":
			writer.put_varint(42)
			writer.put_string(condition)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					name = reader.read_string()
				18:
					description = reader.read_string()
				26:
					var parameters_element := ActionParameter.new()
					reader.read_message(parameters_element)
					parameters.append(parameters_element)
				34:
					json_schema = reader.read_string()
				42:
					condition = reader.read_string()
				_:
					reader.skip(tag)


## Which of a session's actions a turn may take.
class ActionsNow:
	extends ProtoMessage

	## Their names; those that are not here can't be taken, and the character is told what is
	## possible. Empty: none.
	var names: Array[String] = []

	## Where they stand.
	var placement: ActionPlacement = ActionPlacement.UNSPECIFIED

	## The character takes an action behind what it says, also where the model would not begin one.
	var required: bool = false

	## How many at most. 0: one after what is said, four between it. At most 16.
	var most: int = 0

	## How long the game may take to answer one, in milliseconds; then it counts as rejected. 0:
	## 10000. At most 600000.
	var timeout_ms: int = 0

	## The character says nothing, and acts at once; goes with `required`.
	var silent: bool = false

	func write_fields(writer: ProtoWriter) -> void:
		for element in names:
			writer.put_varint(10)
			writer.put_string(element)
		if placement != 0:
			writer.put_varint(16)
			writer.put_int32(placement)
		if required:
			writer.put_varint(24)
			writer.put_bool(required)
		if most != 0:
			writer.put_varint(32)
			writer.put_int32(most)
		if timeout_ms != 0:
			writer.put_varint(40)
			writer.put_int32(timeout_ms)
		if silent:
			writer.put_varint(48)
			writer.put_bool(silent)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					names.append(reader.read_string())
				16:
					placement = reader.read_int32() as ActionPlacement
				24:
					required = reader.read_bool()
				32:
					most = reader.read_int32()
				40:
					timeout_ms = reader.read_int32()
				48:
					silent = reader.read_bool()
				_:
					reader.skip(tag)


## The character acts. The answer waits until the game says what came of it: see AnswerAction. It
## comes the moment the action is complete, and never before: of one that is cut off, by an
## interrupt, a deadline or a limit, nothing is heard.
class ActionRequested:
	extends ProtoMessage

	## The turn.
	var turn_id: String = ""

	## The action's name in AnswerAction.
	var action_id: String = ""

	## What the character does: the name of an action.
	var name: String = ""

	## The arguments: a JSON object that keeps to the action's parameters.
	var arguments_json: String = ""

	## How much of the answer was said before, in Unicode code points.
	var offset: int = 0

	func write_fields(writer: ProtoWriter) -> void:
		if turn_id != "":
			writer.put_varint(10)
			writer.put_string(turn_id)
		if action_id != "":
			writer.put_varint(18)
			writer.put_string(action_id)
		if name != "":
			writer.put_varint(26)
			writer.put_string(name)
		if arguments_json != "":
			writer.put_varint(34)
			writer.put_string(arguments_json)
		if offset != 0:
			writer.put_varint(40)
			writer.put_int32(offset)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					turn_id = reader.read_string()
				18:
					action_id = reader.read_string()
				26:
					name = reader.read_string()
				34:
					arguments_json = reader.read_string()
				40:
					offset = reader.read_int32()
				_:
					reader.skip(tag)


## The game has answered an action, or took too long; the character knows what came of it.
class ActionSettled:
	extends ProtoMessage

	## The turn.
	var turn_id: String = ""

	## The action.
	var action_id: String = ""

	## Whether the game accepted it.
	var accepted: bool = false

	## The line that the transcript has of it, an event.
	var text: String = ""

	func write_fields(writer: ProtoWriter) -> void:
		if turn_id != "":
			writer.put_varint(10)
			writer.put_string(turn_id)
		if action_id != "":
			writer.put_varint(18)
			writer.put_string(action_id)
		if accepted:
			writer.put_varint(24)
			writer.put_bool(accepted)
		if text != "":
			writer.put_varint(34)
			writer.put_string(text)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					turn_id = reader.read_string()
				18:
					action_id = reader.read_string()
				24:
					accepted = reader.read_bool()
				34:
					text = reader.read_string()
				_:
					reader.skip(tag)


## What of a character's replies is said aloud. What may be a stage direction is held back until it
## is certain: half a mark is never shown. One that is cut off with the reply is one all the same.
## Means nothing for answers under a grammar.
class SpeechSettings:
	extends ProtoMessage

	## What becomes of stage directions.
	var directions: StageDirections = StageDirections.UNSPECIFIED

	## How they are marked, each once. Empty: in all these ways.
	var marks: Array[DirectionMark] = []

	func write_fields(writer: ProtoWriter) -> void:
		if directions != 0:
			writer.put_varint(8)
			writer.put_int32(directions)
		if not marks.is_empty():
			var packed_marks := ProtoWriter.new()
			for element in marks:
				packed_marks.put_int32(element)
			writer.put_varint(18)
			writer.put_bytes(packed_marks.bytes)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				8:
					directions = reader.read_int32() as StageDirections
				16:
					marks.append(reader.read_int32() as DirectionMark)
				18:
					var marks_outer := reader.enter()
					while reader.position < reader.limit:
						marks.append(reader.read_int32() as DirectionMark)
					reader.leave(marks_outer)
				_:
					reader.skip(tag)


## Draws each reply in contrast to what the character would say without some of its persona, so that
## a villain stays one where the model would rather be kind. A turn takes two places in the batch
## and computes about twice as much; log-probabilities are those of the contrast.
class PersonaContrast:
	extends ProtoMessage

	## What of the persona weighs more, of which it must have something; none means all but the
	## name.
	var fields: Array[PersonaField] = []

	## How much: above 0, at most 10. From 0.5 to 1.5 is noticed, more makes replies odd.
	var strength: float = 0.0

	func write_fields(writer: ProtoWriter) -> void:
		if not fields.is_empty():
			var packed_fields := ProtoWriter.new()
			for element in fields:
				packed_fields.put_int32(element)
			writer.put_varint(10)
			writer.put_bytes(packed_fields.bytes)
		if ProtoWriter.is_float_set(strength):
			writer.put_varint(21)
			writer.put_float(strength)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				8:
					fields.append(reader.read_int32() as PersonaField)
				10:
					var fields_outer := reader.enter()
					while reader.position < reader.limit:
						fields.append(reader.read_int32() as PersonaField)
					reader.leave(fields_outer)
				21:
					strength = reader.read_float()
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

	## See Utterance; for every turn that does not say otherwise.
	var hesitation_entropy: float = 0.0:
		set(value):
			hesitation_entropy = value
			has_hesitation_entropy = true
	## Whether [member hesitation_entropy] is set.
	var has_hesitation_entropy := false

	## What the character can do, each name once. At most 64.
	var actions: Array[ActionSpec] = []

	## What of its replies is said aloud.
	var speech: SpeechSettings = null

	## The adapter that the character speaks with, by its name in the runtime's folder of adapters;
	## it is loaded if it is not. Empty: the model alone. NOT_FOUND when there is none of this name.
	## At most 128 characters.
	var adapter: String = ""

	## Parts of the persona that weigh more in its replies. Not set: none.
	var contrast: PersonaContrast = null

	## Keep the conversation out of what a runtime records of play (townsfolk serve --record-play);
	## without that, nothing is recorded anyway.
	var off_the_record: bool = false

	## Makes [member hesitation_entropy] not set.
	func clear_hesitation_entropy() -> void:
		hesitation_entropy = 0.0
		has_hesitation_entropy = false

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
		if has_hesitation_entropy:
			writer.put_varint(69)
			writer.put_float(hesitation_entropy)
		for element in actions:
			writer.put_varint(74)
			writer.put_message(element)
		if speech != null:
			writer.put_varint(82)
			writer.put_message(speech)
		if adapter != "":
			writer.put_varint(90)
			writer.put_string(adapter)
		if contrast != null:
			writer.put_varint(98)
			writer.put_message(contrast)
		if off_the_record:
			writer.put_varint(104)
			writer.put_bool(off_the_record)

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
				69:
					hesitation_entropy = reader.read_float()
				74:
					var actions_element := ActionSpec.new()
					reader.read_message(actions_element)
					actions.append(actions_element)
				82:
					var speech_element := speech if speech != null else SpeechSettings.new()
					reader.read_message(speech_element)
					speech = speech_element
				90:
					adapter = reader.read_string()
				98:
					var contrast_element := contrast if contrast != null else PersonaContrast.new()
					reader.read_message(contrast_element)
					contrast = contrast_element
				104:
					off_the_record = reader.read_bool()
				_:
					reader.skip(tag)


## All characters of a game, as a saved game keeps them. Clients write and read it; no call takes
## it.
class SavedGame:
	extends ProtoMessage

	## Each character by a name that the game gives it, with the whole transcript as history.
	var characters: Dictionary[String, SessionConfig] = {}

	func write_fields(writer: ProtoWriter) -> void:
		for key in characters:
			var entry := ProtoWriter.new()
			entry.put_varint(10)
			entry.put_string(key)
			entry.put_varint(18)
			entry.put_message(characters[key])
			writer.put_varint(10)
			writer.put_bytes(entry.bytes)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					_read_characters_entry(reader)
				_:
					reader.skip(tag)

	func _read_characters_entry(reader: ProtoReader) -> void:
		var key: String = ""
		var value: SessionConfig = SessionConfig.new()
		var outer := reader.enter()
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					key = reader.read_string()
				18:
					reader.read_message(value)
				_:
					reader.skip(tag)
		reader.leave(outer)
		characters[key] = value


## A turn: somebody speaks or something happens, and the character answers; or it speaks of its own
## accord.
class Utterance:
	extends ProtoMessage

	## What is said, or happens. Control tokens of the model in it are plain text.
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

	## Say with each sentence how sure the character was of it; it hesitates where the entropy
	## reaches so many nats. 0 to 20. 4 is much for most models. Not set: the session's, or nothing
	## is said.
	var hesitation_entropy: float = 0.0:
		set(value):
			hesitation_entropy = value
			has_hesitation_entropy = true
	## Whether [member hesitation_entropy] is set.
	var has_hesitation_entropy := false

	## Which actions the answer may take. Not set: all of the session's, after what is said. Means
	## nothing beside a grammar.
	var actions: ActionsNow = null

	## What begins the turn. Not set: somebody speaks.
	var cue: TurnCue = TurnCue.UNSPECIFIED

	## Makes [member hesitation_entropy] not set.
	func clear_hesitation_entropy() -> void:
		hesitation_entropy = 0.0
		has_hesitation_entropy = false

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
		if has_hesitation_entropy:
			writer.put_varint(61)
			writer.put_float(hesitation_entropy)
		if actions != null:
			writer.put_varint(66)
			writer.put_message(actions)
		if cue != 0:
			writer.put_varint(96)
			writer.put_int32(cue)

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
				61:
					hesitation_entropy = reader.read_float()
				66:
					var actions_element := actions if actions != null else ActionsNow.new()
					reader.read_message(actions_element)
					actions = actions_element
				96:
					cue = reader.read_int32() as TurnCue
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

	## The tokens behind the text, when SamplingParams.logprobs is set; those of text that is still
	## held back come before it.
	var tokens: Array[Sampling.Token] = []

	## The text is a stage direction, marks and all: it is not said aloud. See SpeechSettings.
	var direction: bool = false

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
		if direction:
			writer.put_varint(32)
			writer.put_bool(direction)

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
				32:
					direction = reader.read_bool()
				_:
					reader.skip(tag)


## The character does something, or says how it speaks; see SpeechSettings.
class DirectionGiven:
	extends ProtoMessage

	## The turn.
	var turn_id: String = ""

	## Who does it: the persona's name.
	var speaker: String = ""

	## What: without the marks.
	var text: String = ""

	## How it is marked.
	var mark: DirectionMark = DirectionMark.UNSPECIFIED

	## Where it stands in the answer, in Unicode code points.
	var offset: int = 0

	## How many characters of the answer it takes; 0 where the answer is without it.
	var length: int = 0

	func write_fields(writer: ProtoWriter) -> void:
		if turn_id != "":
			writer.put_varint(10)
			writer.put_string(turn_id)
		if speaker != "":
			writer.put_varint(18)
			writer.put_string(speaker)
		if text != "":
			writer.put_varint(26)
			writer.put_string(text)
		if mark != 0:
			writer.put_varint(32)
			writer.put_int32(mark)
		if offset != 0:
			writer.put_varint(40)
			writer.put_int32(offset)
		if length != 0:
			writer.put_varint(48)
			writer.put_int32(length)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					turn_id = reader.read_string()
				18:
					speaker = reader.read_string()
				26:
					text = reader.read_string()
				32:
					mark = reader.read_int32() as DirectionMark
				40:
					offset = reader.read_int32()
				48:
					length = reader.read_int32()
				_:
					reader.skip(tag)


## A sentence of the answer is whole: it can be spoken aloud.
class SentenceCompleted:
	extends ProtoMessage

	## The turn.
	var turn_id: String = ""

	## Counts from 0 within the turn.
	var index: int = 0

	## What is said aloud: without surrounding white space, stage directions, and asterisks that
	## only give emphasis.
	var text: String = ""

	## How sure the character was of it, where hesitation_entropy asked for that.
	var confidence: Confidence = null

	## Who says it: the persona's name.
	var speaker: String = ""

	## Where it begins in the answer (all text deltas joined), in Unicode code points.
	var offset: int = 0

	## How many characters of the answer it takes, with what in it is not said. Once it was heard,
	## offset + length is what Interrupt.heard_characters takes.
	var length: int = 0

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
		if confidence != null:
			writer.put_varint(34)
			writer.put_message(confidence)
		if speaker != "":
			writer.put_varint(42)
			writer.put_string(speaker)
		if offset != 0:
			writer.put_varint(48)
			writer.put_int32(offset)
		if length != 0:
			writer.put_varint(56)
			writer.put_int32(length)

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
				34:
					var confidence_element := confidence if confidence != null else Confidence.new()
					reader.read_message(confidence_element)
					confidence = confidence_element
				42:
					speaker = reader.read_string()
				48:
					offset = reader.read_int32()
				56:
					length = reader.read_int32()
				_:
					reader.skip(tag)


## A place of a sentence where the model could have said much else.
class EntropyPeak:
	extends ProtoMessage

	## The first of its characters within the sentence, in Unicode code points.
	var start: int = 0

	## How many characters it has.
	var length: int = 0

	## The entropy of the model's own distribution there, in nats: 0 where only one token could
	## come.
	var entropy: float = 0.0

	func write_fields(writer: ProtoWriter) -> void:
		if start != 0:
			writer.put_varint(8)
			writer.put_int32(start)
		if length != 0:
			writer.put_varint(16)
			writer.put_int32(length)
		if ProtoWriter.is_float_set(entropy):
			writer.put_varint(29)
			writer.put_float(entropy)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				8:
					start = reader.read_int32()
				16:
					length = reader.read_int32()
				29:
					entropy = reader.read_float()
				_:
					reader.skip(tag)


## How sure the character was of a sentence.
class Confidence:
	extends ProtoMessage

	## The mean log-probability of its tokens, in nats, in the model's own distribution.
	var mean_logprob: float = 0.0

	## The up to three places with the highest entropy, highest first.
	var peaks: Array[EntropyPeak] = []

	## The entropy reached hesitation_entropy somewhere.
	var hesitated: bool = false

	func write_fields(writer: ProtoWriter) -> void:
		if ProtoWriter.is_float_set(mean_logprob):
			writer.put_varint(13)
			writer.put_float(mean_logprob)
		for element in peaks:
			writer.put_varint(18)
			writer.put_message(element)
		if hesitated:
			writer.put_varint(24)
			writer.put_bool(hesitated)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				13:
					mean_logprob = reader.read_float()
				18:
					var peaks_element := EntropyPeak.new()
					reader.read_message(peaks_element)
					peaks.append(peaks_element)
				24:
					hesitated = reader.read_bool()
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

	## How often what went round in circles was said anew; see SamplingParams.retry_repetition. The
	## usage counts all, its seed is the last.
	var retries: int = 0

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
		if retries != 0:
			writer.put_varint(40)
			writer.put_int32(retries)

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
				40:
					retries = reader.read_int32()
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


## Lines that nobody generated entered the character's transcript.
class Recorded:
	extends ProtoMessage

	## The lines, as the transcript has them.
	var lines: Array[TranscriptEntry] = []

	func write_fields(writer: ProtoWriter) -> void:
		for element in lines:
			writer.put_varint(10)
			writer.put_message(element)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					var lines_element := TranscriptEntry.new()
					reader.read_message(lines_element)
					lines.append(lines_element)
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
## interrupt, update_priority and record on a stream is answered, in their order, by exactly one of
## notified, interrupted, priority_updated, recorded, or an error that names no turn.
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
		INTERRUPTED = 11,
		ACTION_REQUESTED = 12,
		ACTION_SETTLED = 13,
		DIRECTION_GIVEN = 14,
		RECORDED = 20
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

	## The character acts.
	var action_requested: ActionRequested:
		get:
			return _event_value if event_case == EventCase.ACTION_REQUESTED else null
		set(value):
			_event_value = value
			event_case = EventCase.ACTION_REQUESTED if value != null else EventCase.NONE

	## The character knows what came of an action.
	var action_settled: ActionSettled:
		get:
			return _event_value if event_case == EventCase.ACTION_SETTLED else null
		set(value):
			_event_value = value
			event_case = EventCase.ACTION_SETTLED if value != null else EventCase.NONE

	## The character does something that is not said.
	var direction_given: DirectionGiven:
		get:
			return _event_value if event_case == EventCase.DIRECTION_GIVEN else null
		set(value):
			_event_value = value
			event_case = EventCase.DIRECTION_GIVEN if value != null else EventCase.NONE

	## Lines that nobody generated reached the transcript.
	var recorded: Recorded:
		get:
			return _event_value if event_case == EventCase.RECORDED else null
		set(value):
			_event_value = value
			event_case = EventCase.RECORDED if value != null else EventCase.NONE
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
		if event_case == EventCase.ACTION_REQUESTED:
			writer.put_varint(98)
			writer.put_message(action_requested)
		if event_case == EventCase.ACTION_SETTLED:
			writer.put_varint(106)
			writer.put_message(action_settled)
		if event_case == EventCase.DIRECTION_GIVEN:
			writer.put_varint(114)
			writer.put_message(direction_given)
		if event_case == EventCase.RECORDED:
			writer.put_varint(162)
			writer.put_message(recorded)

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
				98:
					var action_requested_element: ActionRequested = (
						_event_value
						if event_case == EventCase.ACTION_REQUESTED
						else ActionRequested.new()
					)
					reader.read_message(action_requested_element)
					_event_value = action_requested_element
					event_case = EventCase.ACTION_REQUESTED
				106:
					var action_settled_element: ActionSettled = (
						_event_value
						if event_case == EventCase.ACTION_SETTLED
						else ActionSettled.new()
					)
					reader.read_message(action_settled_element)
					_event_value = action_settled_element
					event_case = EventCase.ACTION_SETTLED
				114:
					var direction_given_element: DirectionGiven = (
						_event_value
						if event_case == EventCase.DIRECTION_GIVEN
						else DirectionGiven.new()
					)
					reader.read_message(direction_given_element)
					_event_value = direction_given_element
					event_case = EventCase.DIRECTION_GIVEN
				162:
					var recorded_element: Recorded = (
						_event_value if event_case == EventCase.RECORDED else Recorded.new()
					)
					reader.read_message(recorded_element)
					_event_value = recorded_element
					event_case = EventCase.RECORDED
				_:
					reader.skip(tag)
