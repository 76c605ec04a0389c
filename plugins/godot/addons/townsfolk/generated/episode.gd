# Generated from townsfolk/v1/episode.proto by proto/protoc_gen_gdscript.py; do not edit.
# gdlint: disable=max-file-lines, max-public-methods
@tool
extends RefCounted

const ProtoMessage := preload("../protobuf/proto_message.gd")
const ProtoReader := preload("../protobuf/proto_reader.gd")
const ProtoWriter := preload("../protobuf/proto_writer.gd")
const Dialogue := preload("dialogue.gd")
const Sampling := preload("sampling.gd")


## What an episode is opened with.
class EpisodeConfig:
	extends ProtoMessage

	## The caller's name for the episode, unique in the runtime; empty lets the runtime choose. At
	## most 128 characters. It is a session of this id.
	var episode_id: String = ""

	## What is played: those who learn ask for the episodes of a task. 1 to 128 characters.
	var task: String = ""

	## Episodes of one group began alike, such as with the same opponent: they are compared with
	## each other. At most 128 characters.
	var group: String = ""

	## Who acts: persona, lore, adapter, history, and at least one action. Each token is drawn from
	## all that are possible, so that it is known how likely it was: of its sampling, only
	## temperature (default 1) and seed may be set, and no contrast.
	var session: Dialogue.SessionConfig = null

	## The most tokens that the character says before it acts. 0: it says nothing. At most 256.
	var speech_tokens: int = 0

	func write_fields(writer: ProtoWriter) -> void:
		if episode_id != "":
			writer.put_varint(10)
			writer.put_string(episode_id)
		if task != "":
			writer.put_varint(18)
			writer.put_string(task)
		if group != "":
			writer.put_varint(26)
			writer.put_string(group)
		if session != null:
			writer.put_varint(34)
			writer.put_message(session)
		if speech_tokens != 0:
			writer.put_varint(40)
			writer.put_int32(speech_tokens)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					episode_id = reader.read_string()
				18:
					task = reader.read_string()
				26:
					group = reader.read_string()
				34:
					var session_element := (
						session if session != null else Dialogue.SessionConfig.new()
					)
					reader.read_message(session_element)
					session = session_element
				40:
					speech_tokens = reader.read_int32()
				_:
					reader.skip(tag)


## What the character learns before it acts.
class Observation:
	extends ProtoMessage

	## What is said to it, or happens. 1 to 4096 characters.
	var text: String = ""

	## Who says it; empty: it happens. At most 64 characters, one line.
	var speaker: String = ""

	## The names of the actions that it may take now; empty: all.
	var actions: Array[String] = []

	func write_fields(writer: ProtoWriter) -> void:
		if text != "":
			writer.put_varint(10)
			writer.put_string(text)
		if speaker != "":
			writer.put_varint(18)
			writer.put_string(speaker)
		for element in actions:
			writer.put_varint(26)
			writer.put_string(element)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					text = reader.read_string()
				18:
					speaker = reader.read_string()
				26:
					actions.append(reader.read_string())
				_:
					reader.skip(tag)


## A token of what was drawn.
class DrawnToken:
	extends ProtoMessage

	## The token's id in the model's vocabulary.
	var token_id: int = 0

	## Natural logarithm of its probability in the distribution that it was drawn from: among the
	## tokens that the grammar allowed, behind temperature. Not set where there was no draw: where
	## the grammar left no choice, where the text was brought to its end, and at temperature 0.
	var logprob: float = 0.0:
		set(value):
			logprob = value
			has_logprob = true
	## Whether [member logprob] is set.
	var has_logprob := false

	## Makes [member logprob] not set.
	func clear_logprob() -> void:
		logprob = 0.0
		has_logprob = false

	func write_fields(writer: ProtoWriter) -> void:
		if token_id != 0:
			writer.put_varint(8)
			writer.put_int32(token_id)
		if has_logprob:
			writer.put_varint(21)
			writer.put_float(logprob)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				8:
					token_id = reader.read_int32()
				21:
					logprob = reader.read_float()
				_:
					reader.skip(tag)


## What the model has drawn in one piece.
class DrawnText:
	extends ProtoMessage

	## The tokens that it stands behind.
	var prompt_ids: Array[int] = []

	## The tokens, with the one that ends the text.
	var tokens: Array[DrawnToken] = []

	## What they had to be. Not set: any text.
	var grammar: Sampling.Grammar = null

	## What the model's logits were divided by.
	var temperature: float = 0.0

	func write_fields(writer: ProtoWriter) -> void:
		if not prompt_ids.is_empty():
			var packed_prompt_ids := ProtoWriter.new()
			for element in prompt_ids:
				packed_prompt_ids.put_int32(element)
			writer.put_varint(10)
			writer.put_bytes(packed_prompt_ids.bytes)
		for element in tokens:
			writer.put_varint(18)
			writer.put_message(element)
		if grammar != null:
			writer.put_varint(26)
			writer.put_message(grammar)
		if ProtoWriter.is_float_set(temperature):
			writer.put_varint(37)
			writer.put_float(temperature)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				8:
					prompt_ids.append(reader.read_int32())
				10:
					var prompt_ids_outer := reader.enter()
					while reader.position < reader.limit:
						prompt_ids.append(reader.read_int32())
					reader.leave(prompt_ids_outer)
				18:
					var tokens_element := DrawnToken.new()
					reader.read_message(tokens_element)
					tokens.append(tokens_element)
				26:
					var grammar_element := grammar if grammar != null else Sampling.Grammar.new()
					reader.read_message(grammar_element)
					grammar = grammar_element
				37:
					temperature = reader.read_float()
				_:
					reader.skip(tag)


## What the character did.
class EpisodeAct:
	extends ProtoMessage

	## Counts from 0 within the episode.
	var number: int = 0

	## The name of the action.
	var action: String = ""

	## Its arguments: a JSON object that keeps to the action's parameters.
	var arguments_json: String = ""

	## What the character said before it acted.
	var speech: String = ""

	## How that was drawn: speech, where there is any, and the action.
	var drawn: Array[DrawnText] = []

	## What it was told before.
	var observation: Observation = null

	## All that it was rewarded with until the next act.
	var reward: float = 0.0

	func write_fields(writer: ProtoWriter) -> void:
		if number != 0:
			writer.put_varint(8)
			writer.put_int32(number)
		if action != "":
			writer.put_varint(18)
			writer.put_string(action)
		if arguments_json != "":
			writer.put_varint(26)
			writer.put_string(arguments_json)
		if speech != "":
			writer.put_varint(34)
			writer.put_string(speech)
		for element in drawn:
			writer.put_varint(42)
			writer.put_message(element)
		if observation != null:
			writer.put_varint(50)
			writer.put_message(observation)
		if ProtoWriter.is_float_set(reward):
			writer.put_varint(57)
			writer.put_double(reward)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				8:
					number = reader.read_int32()
				18:
					action = reader.read_string()
				26:
					arguments_json = reader.read_string()
				34:
					speech = reader.read_string()
				42:
					var drawn_element := DrawnText.new()
					reader.read_message(drawn_element)
					drawn.append(drawn_element)
				50:
					var observation_element := (
						observation if observation != null else Observation.new()
					)
					reader.read_message(observation_element)
					observation = observation_element
				57:
					reward = reader.read_double()
				_:
					reader.skip(tag)


## An episode as it was played.
class Trajectory:
	extends ProtoMessage

	## The episode.
	var episode_id: String = ""

	## See EpisodeConfig.
	var task: String = ""

	## See EpisodeConfig.
	var group: String = ""

	## The adapter that the character had.
	var adapter: String = ""

	## What it did, oldest first.
	var acts: Array[EpisodeAct] = []

	## All rewards together.
	var reward: float = 0.0

	## The game broke it off before it was over.
	var truncated: bool = false

	func write_fields(writer: ProtoWriter) -> void:
		if episode_id != "":
			writer.put_varint(10)
			writer.put_string(episode_id)
		if task != "":
			writer.put_varint(18)
			writer.put_string(task)
		if group != "":
			writer.put_varint(26)
			writer.put_string(group)
		if adapter != "":
			writer.put_varint(34)
			writer.put_string(adapter)
		for element in acts:
			writer.put_varint(42)
			writer.put_message(element)
		if ProtoWriter.is_float_set(reward):
			writer.put_varint(49)
			writer.put_double(reward)
		if truncated:
			writer.put_varint(56)
			writer.put_bool(truncated)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					episode_id = reader.read_string()
				18:
					task = reader.read_string()
				26:
					group = reader.read_string()
				34:
					adapter = reader.read_string()
				42:
					var acts_element := EpisodeAct.new()
					reader.read_message(acts_element)
					acts.append(acts_element)
				49:
					reward = reader.read_double()
				56:
					truncated = reader.read_bool()
				_:
					reader.skip(tag)


## Open an episode.
class OpenEpisodeRequest:
	extends ProtoMessage

	## The episode.
	var config: EpisodeConfig = null

	func write_fields(writer: ProtoWriter) -> void:
		if config != null:
			writer.put_varint(10)
			writer.put_message(config)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					var config_element := config if config != null else EpisodeConfig.new()
					reader.read_message(config_element)
					config = config_element
				_:
					reader.skip(tag)


## The episode is open.
class OpenEpisodeResponse:
	extends ProtoMessage

	## Its id.
	var episode_id: String = ""

	func write_fields(writer: ProtoWriter) -> void:
		if episode_id != "":
			writer.put_varint(10)
			writer.put_string(episode_id)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					episode_id = reader.read_string()
				_:
					reader.skip(tag)


## Have the character act.
class ActRequest:
	extends ProtoMessage

	## The episode.
	var episode_id: String = ""

	## What it learns before.
	var observation: Observation = null

	func write_fields(writer: ProtoWriter) -> void:
		if episode_id != "":
			writer.put_varint(10)
			writer.put_string(episode_id)
		if observation != null:
			writer.put_varint(18)
			writer.put_message(observation)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					episode_id = reader.read_string()
				18:
					var observation_element := (
						observation if observation != null else Observation.new()
					)
					reader.read_message(observation_element)
					observation = observation_element
				_:
					reader.skip(tag)


## The character has acted.
class ActResponse:
	extends ProtoMessage

	## What it did. The game carries it out; what came of it stands in the next observation.
	var act: EpisodeAct = null

	func write_fields(writer: ProtoWriter) -> void:
		if act != null:
			writer.put_varint(10)
			writer.put_message(act)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					var act_element := act if act != null else EpisodeAct.new()
					reader.read_message(act_element)
					act = act_element
				_:
					reader.skip(tag)


## Reward what a character did.
class RewardEpisodeRequest:
	extends ProtoMessage

	## The episode.
	var episode_id: String = ""

	## How good its last act was, or bad: a finite number. Several rewards of one act are added up.
	## FAILED_PRECONDITION before the first act.
	var value: float = 0.0

	func write_fields(writer: ProtoWriter) -> void:
		if episode_id != "":
			writer.put_varint(10)
			writer.put_string(episode_id)
		if ProtoWriter.is_float_set(value):
			writer.put_varint(17)
			writer.put_double(value)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					episode_id = reader.read_string()
				17:
					value = reader.read_double()
				_:
					reader.skip(tag)


## The reward is noted.
class RewardEpisodeResponse:
	extends ProtoMessage


## End an episode.
class EndEpisodeRequest:
	extends ProtoMessage

	## The episode.
	var episode_id: String = ""

	## It is broken off: its rewards don't tell how it would have ended.
	var truncated: bool = false

	## Forget it: nobody is to learn from it.
	var drop: bool = false

	func write_fields(writer: ProtoWriter) -> void:
		if episode_id != "":
			writer.put_varint(10)
			writer.put_string(episode_id)
		if truncated:
			writer.put_varint(16)
			writer.put_bool(truncated)
		if drop:
			writer.put_varint(24)
			writer.put_bool(drop)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					episode_id = reader.read_string()
				16:
					truncated = reader.read_bool()
				24:
					drop = reader.read_bool()
				_:
					reader.skip(tag)


## The episode is over.
class EndEpisodeResponse:
	extends ProtoMessage

	## All rewards together.
	var reward: float = 0.0

	func write_fields(writer: ProtoWriter) -> void:
		if ProtoWriter.is_float_set(reward):
			writer.put_varint(9)
			writer.put_double(reward)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				9:
					reward = reader.read_double()
				_:
					reader.skip(tag)


## Take what was played.
class TakeEpisodesRequest:
	extends ProtoMessage

	## The task.
	var task: String = ""

	## How many episodes at most. 1 to 1024; 0: 64. Fewer come where their sum would be longer than
	## a message of 16 MiB.
	var most: int = 0

	## How long to wait for the first, in milliseconds. At most 60000.
	var wait_ms: int = 0

	func write_fields(writer: ProtoWriter) -> void:
		if task != "":
			writer.put_varint(10)
			writer.put_string(task)
		if most != 0:
			writer.put_varint(16)
			writer.put_int32(most)
		if wait_ms != 0:
			writer.put_varint(24)
			writer.put_int32(wait_ms)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					task = reader.read_string()
				16:
					most = reader.read_int32()
				24:
					wait_ms = reader.read_int32()
				_:
					reader.skip(tag)


## What was played.
class TakeEpisodesResponse:
	extends ProtoMessage

	## Episodes that have ended, oldest first. The runtime forgets them.
	var episodes: Array[Trajectory] = []

	## How many more of the task wait.
	var left: int = 0

	func write_fields(writer: ProtoWriter) -> void:
		for element in episodes:
			writer.put_varint(10)
			writer.put_message(element)
		if left != 0:
			writer.put_varint(16)
			writer.put_int32(left)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					var episodes_element := Trajectory.new()
					reader.read_message(episodes_element)
					episodes.append(episodes_element)
				16:
					left = reader.read_int32()
				_:
					reader.skip(tag)
