# Generated from townsfolk/v1/sampling.proto by proto/protoc_gen_gdscript.py; do not edit.
# gdlint: disable=max-file-lines, max-public-methods
@tool
extends RefCounted

## Why a reply ended.
enum FinishReason {
	## Not set.
	UNSPECIFIED = 0,
	## The model ended its turn: with an end token, or by beginning to write somebody's next line.
	END = 1,
	## A stop text or stop token id of the request.
	STOP = 2,
	## max_new_tokens, or the end of the model's context, was reached; a character's reply ends with
	## a sentence shortly before where it can.
	LENGTH = 3,
	## Interrupted or cancelled by the caller.
	INTERRUPTED = 4,
	## The deadline passed; what was generated so far is kept.
	DEADLINE = 5,
	## The reply went round in circles; see SamplingParams.stop_repetition.
	REPETITION = 6,
}

const ProtoMessage := preload("../protobuf/proto_message.gd")
const ProtoReader := preload("../protobuf/proto_reader.gd")
const ProtoWriter := preload("../protobuf/proto_writer.gd")


## How the next token is drawn. A field that is not set takes the session's default, then the
## model's, then the one named here.
class SamplingParams:
	extends ProtoMessage

	## Divides the logits before the draw; 0 takes the most likely token always. 0 to 5. Default
	## 0.8.
	var temperature: float = 0.0:
		set(value):
			temperature = value
			has_temperature = true
	## Whether [member temperature] is set.
	var has_temperature := false

	## Only the k most likely tokens can be drawn; 0 means no limit. 0 to 1024. Default 40.
	var top_k: int = 0:
		set(value):
			top_k = value
			has_top_k = true
	## Whether [member top_k] is set.
	var has_top_k := false

	## Only the smallest set of tokens whose probability reaches p can be drawn; the token that
	## crosses p stays. Above 0, at most 1. Default 0.95.
	var top_p: float = 0.0:
		set(value):
			top_p = value
			has_top_p = true
	## Whether [member top_p] is set.
	var has_top_p := false

	## Tokens less likely than min_p times the likeliest are left out. 0 to 1. Default 0 (off).
	var min_p: float = 0.0:
		set(value):
			min_p = value
			has_min_p = true
	## Whether [member min_p] is set.
	var has_min_p := false

	## Divides (positive) or multiplies (negative) the logit of each token already in the reply;
	## with Generate also of each in the prompt. What a character was told, persona, lore and
	## conversation, never counts, nor do end tokens. Above 0, at most 10. Default 1 (off).
	var repetition_penalty: float = 0.0:
		set(value):
			repetition_penalty = value
			has_repetition_penalty = true
	## Whether [member repetition_penalty] is set.
	var has_repetition_penalty := false

	## Subtracted from the logit of each token already in the reply. -10 to 10. Default 0.
	var presence_penalty: float = 0.0:
		set(value):
			presence_penalty = value
			has_presence_penalty = true
	## Whether [member presence_penalty] is set.
	var has_presence_penalty := false

	## Subtracted from the logit of a token once for each time it is in the reply. -10 to 10.
	## Default 0.
	var frequency_penalty: float = 0.0:
		set(value):
			frequency_penalty = value
			has_frequency_penalty = true
	## Whether [member frequency_penalty] is set.
	var has_frequency_penalty := false

	## Added to the logits of these token ids. Each value -100 to 100; at most 1024 entries.
	var logit_bias: Dictionary[int, float] = {}

	## The reply ends before the first of these texts; they are never shown. At most 16, each of 1
	## to 256 characters. A character's reply also ends before the label of whoever speaks in its
	## session ("Tom:", "**Tom:**", "tom:"), however many texts stand here; see TurnFinished.
	var stop: Array[String] = []

	## The reply ends at these token ids, besides the model's own end tokens. At most 64.
	var stop_token_ids: Array[int] = []

	## The longest reply, in tokens. 1 to the model's context length. Default 256. A character's
	## reply ends with its sentence once no more than 40 tokens are left, or half of all if that is
	## less.
	var max_new_tokens: int = 0:
		set(value):
			max_new_tokens = value
			has_max_new_tokens = true
	## Whether [member max_new_tokens] is set.
	var has_max_new_tokens := false

	## No end token and no stop token id is drawn before this many tokens; a stop text or a
	## speaker's label ends the reply all the same. 0 to max_new_tokens. Default 0.
	var min_new_tokens: int = 0:
		set(value):
			min_new_tokens = value
			has_min_new_tokens = true
	## Whether [member min_new_tokens] is set.
	var has_min_new_tokens := false

	## The same seed, prompt and settings draw the same random numbers, whatever else runs. Not set:
	## drawn at random and reported. The text is then the same as far as the logits are. In float32
	## it is, but for a draw that falls between two tokens closer than rounding. In bfloat16, the
	## usual type of the weights, logits are rounded otherwise when other requests share the batch,
	## or when part of the prompt was already computed: a reply can differ from some token on. See
	## docs/performance.md.
	var seed: int = 0:
		set(value):
			seed = value
			has_seed = true
	## Whether [member seed] is set.
	var has_seed := false

	## Report each token's log-probability and this many of the likeliest alternatives. 0 to 20; not
	## set: nothing is reported.
	var logprobs: int = 0:
		set(value):
			logprobs = value
			has_logprobs = true
	## Whether [member logprobs] is set.
	var has_logprobs := false

	## End the reply where it goes round in circles ("Pettigrewrewrewrew", a sentence again and
	## again), but not before min_new_tokens, and never under a grammar: a unit of up to 256
	## characters comes three times in a row, a short one until it fills 80 bytes. What repeats is
	## held back meanwhile; the reply ends with the sentence or word that was begun. Default: true
	## for characters, false for Generate.
	var stop_repetition: bool = false:
		set(value):
			stop_repetition = value
			has_stop_repetition = true
	## Whether [member stop_repetition] is set.
	var has_stop_repetition := false

	## A character's reply that goes round in circles goes on once with other draws, behind the
	## sentences of it that were whole: text comes a sentence at a time until then, and what was
	## begun is never shown. TurnFinished.retries says so. Means nothing at temperature 0, under a
	## grammar, and for Generate. Default false.
	var retry_repetition: bool = false:
		set(value):
			retry_repetition = value
			has_retry_repetition = true
	## Whether [member retry_repetition] is set.
	var has_retry_repetition := false

	## DRY: dry_multiplier * dry_base ^ (n - dry_allowed_length) is subtracted from the logit of a
	## token that would go on as earlier text went on behind the same n tokens, n being at least
	## dry_allowed_length. Earlier text is the reply, and what the character itself has said before
	## (see repeat_window): never persona, lore, what others said, or end tokens. Not under a
	## grammar. 0 to 10. Default 0 (off).
	var dry_multiplier: float = 0.0:
		set(value):
			dry_multiplier = value
			has_dry_multiplier = true
	## Whether [member dry_multiplier] is set.
	var has_dry_multiplier := false

	## See dry_multiplier. 1 to 4. Default 1.75.
	var dry_base: float = 0.0:
		set(value):
			dry_base = value
			has_dry_base = true
	## Whether [member dry_base] is set.
	var has_dry_base := false

	## See dry_multiplier. 1 to 64. Default 2.
	var dry_allowed_length: int = 0:
		set(value):
			dry_allowed_length = value
			has_dry_allowed_length = true
	## Whether [member dry_allowed_length] is set.
	var has_dry_allowed_length := false

	## DRY looks no further back than tokens with one of these texts. At most 32, each of 1 to 32
	## characters. Default: a line break, a colon, a double quote, an asterisk.
	var dry_breakers: Array[String] = []

	## So many tokens in a row never come again as they were in earlier text (see dry_multiplier),
	## unless nothing else can. Not under a grammar. 0 (off), or 2 to 64. Default 0.
	var no_repeat_tokens: int = 0:
		set(value):
			no_repeat_tokens = value
			has_no_repeat_tokens = true
	## Whether [member no_repeat_tokens] is set.
	var has_no_repeat_tokens := false

	## How many of its own latest lines a character is not to repeat, besides the reply itself. 0 to
	## 64. Default 8.
	var repeat_window: int = 0:
		set(value):
			repeat_window = value
			has_repeat_window = true
	## Whether [member repeat_window] is set.
	var has_repeat_window := false

	## Makes [member temperature] not set.
	func clear_temperature() -> void:
		temperature = 0.0
		has_temperature = false

	## Makes [member top_k] not set.
	func clear_top_k() -> void:
		top_k = 0
		has_top_k = false

	## Makes [member top_p] not set.
	func clear_top_p() -> void:
		top_p = 0.0
		has_top_p = false

	## Makes [member min_p] not set.
	func clear_min_p() -> void:
		min_p = 0.0
		has_min_p = false

	## Makes [member repetition_penalty] not set.
	func clear_repetition_penalty() -> void:
		repetition_penalty = 0.0
		has_repetition_penalty = false

	## Makes [member presence_penalty] not set.
	func clear_presence_penalty() -> void:
		presence_penalty = 0.0
		has_presence_penalty = false

	## Makes [member frequency_penalty] not set.
	func clear_frequency_penalty() -> void:
		frequency_penalty = 0.0
		has_frequency_penalty = false

	## Makes [member max_new_tokens] not set.
	func clear_max_new_tokens() -> void:
		max_new_tokens = 0
		has_max_new_tokens = false

	## Makes [member min_new_tokens] not set.
	func clear_min_new_tokens() -> void:
		min_new_tokens = 0
		has_min_new_tokens = false

	## Makes [member seed] not set.
	func clear_seed() -> void:
		seed = 0
		has_seed = false

	## Makes [member logprobs] not set.
	func clear_logprobs() -> void:
		logprobs = 0
		has_logprobs = false

	## Makes [member stop_repetition] not set.
	func clear_stop_repetition() -> void:
		stop_repetition = false
		has_stop_repetition = false

	## Makes [member retry_repetition] not set.
	func clear_retry_repetition() -> void:
		retry_repetition = false
		has_retry_repetition = false

	## Makes [member dry_multiplier] not set.
	func clear_dry_multiplier() -> void:
		dry_multiplier = 0.0
		has_dry_multiplier = false

	## Makes [member dry_base] not set.
	func clear_dry_base() -> void:
		dry_base = 0.0
		has_dry_base = false

	## Makes [member dry_allowed_length] not set.
	func clear_dry_allowed_length() -> void:
		dry_allowed_length = 0
		has_dry_allowed_length = false

	## Makes [member no_repeat_tokens] not set.
	func clear_no_repeat_tokens() -> void:
		no_repeat_tokens = 0
		has_no_repeat_tokens = false

	## Makes [member repeat_window] not set.
	func clear_repeat_window() -> void:
		repeat_window = 0
		has_repeat_window = false

	func write_fields(writer: ProtoWriter) -> void:
		if has_temperature:
			writer.put_varint(13)
			writer.put_float(temperature)
		if has_top_k:
			writer.put_varint(16)
			writer.put_int32(top_k)
		if has_top_p:
			writer.put_varint(29)
			writer.put_float(top_p)
		if has_min_p:
			writer.put_varint(37)
			writer.put_float(min_p)
		if has_repetition_penalty:
			writer.put_varint(45)
			writer.put_float(repetition_penalty)
		if has_presence_penalty:
			writer.put_varint(53)
			writer.put_float(presence_penalty)
		if has_frequency_penalty:
			writer.put_varint(61)
			writer.put_float(frequency_penalty)
		for key in logit_bias:
			var entry := ProtoWriter.new()
			entry.put_varint(8)
			entry.put_int32(key)
			entry.put_varint(21)
			entry.put_float(logit_bias[key])
			writer.put_varint(66)
			writer.put_bytes(entry.bytes)
		for element in stop:
			writer.put_varint(74)
			writer.put_string(element)
		if not stop_token_ids.is_empty():
			var packed_stop_token_ids := ProtoWriter.new()
			for element in stop_token_ids:
				packed_stop_token_ids.put_int32(element)
			writer.put_varint(82)
			writer.put_bytes(packed_stop_token_ids.bytes)
		if has_max_new_tokens:
			writer.put_varint(88)
			writer.put_int32(max_new_tokens)
		if has_min_new_tokens:
			writer.put_varint(96)
			writer.put_int32(min_new_tokens)
		if has_seed:
			writer.put_varint(104)
			writer.put_varint(seed)
		if has_logprobs:
			writer.put_varint(112)
			writer.put_int32(logprobs)
		if has_stop_repetition:
			writer.put_varint(120)
			writer.put_bool(stop_repetition)
		if has_retry_repetition:
			writer.put_varint(128)
			writer.put_bool(retry_repetition)
		if has_dry_multiplier:
			writer.put_varint(141)
			writer.put_float(dry_multiplier)
		if has_dry_base:
			writer.put_varint(149)
			writer.put_float(dry_base)
		if has_dry_allowed_length:
			writer.put_varint(152)
			writer.put_int32(dry_allowed_length)
		for element in dry_breakers:
			writer.put_varint(162)
			writer.put_string(element)
		if has_no_repeat_tokens:
			writer.put_varint(168)
			writer.put_int32(no_repeat_tokens)
		if has_repeat_window:
			writer.put_varint(176)
			writer.put_int32(repeat_window)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				13:
					temperature = reader.read_float()
				16:
					top_k = reader.read_int32()
				29:
					top_p = reader.read_float()
				37:
					min_p = reader.read_float()
				45:
					repetition_penalty = reader.read_float()
				53:
					presence_penalty = reader.read_float()
				61:
					frequency_penalty = reader.read_float()
				66:
					_read_logit_bias_entry(reader)
				74:
					stop.append(reader.read_string())
				80:
					stop_token_ids.append(reader.read_int32())
				82:
					var stop_token_ids_outer := reader.enter()
					while reader.position < reader.limit:
						stop_token_ids.append(reader.read_int32())
					reader.leave(stop_token_ids_outer)
				88:
					max_new_tokens = reader.read_int32()
				96:
					min_new_tokens = reader.read_int32()
				104:
					seed = reader.read_varint()
				112:
					logprobs = reader.read_int32()
				120:
					stop_repetition = reader.read_bool()
				128:
					retry_repetition = reader.read_bool()
				141:
					dry_multiplier = reader.read_float()
				149:
					dry_base = reader.read_float()
				152:
					dry_allowed_length = reader.read_int32()
				162:
					dry_breakers.append(reader.read_string())
				168:
					no_repeat_tokens = reader.read_int32()
				176:
					repeat_window = reader.read_int32()
				_:
					reader.skip(tag)

	func _read_logit_bias_entry(reader: ProtoReader) -> void:
		var key: int = 0
		var value: float = 0.0
		var outer := reader.enter()
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				8:
					key = reader.read_int32()
				21:
					value = reader.read_float()
				_:
					reader.skip(tag)
		reader.leave(outer)
		logit_bias[key] = value


## A few texts.
class Choices:
	extends ProtoMessage

	## Each once, none empty. 1 to 1024.
	var options: Array[String] = []

	func write_fields(writer: ProtoWriter) -> void:
		for element in options:
			writer.put_varint(10)
			writer.put_string(element)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					options.append(reader.read_string())
				_:
					reader.skip(tag)


## What a reply must be. Only tokens that keep to it can be drawn, before all filters of
## SamplingParams; a reply ends when nothing can follow, or where it is complete and the model ends
## it. One that reaches max_new_tokens is brought to its shortest end shortly before, where there is
## one; its finish reason is FINISH_REASON_LENGTH all the same. Nothing is taken from the reply or
## added to it: no label is left out, no white space, and stop texts end it where they stand. An
## invalid grammar is answered by INVALID_ARGUMENT with what is wrong. At most 65,536 characters.
class Grammar:
	extends ProtoMessage

	## Which member of kind is set.
	enum KindCase { NONE = 0, JSON_SCHEMA = 1, REGEX = 2, LARK = 3, CHOICES = 4 }

	## Which member of kind is set; changes when one is assigned.
	var kind_case := KindCase.NONE

	## JSON that this JSON Schema describes, in one line, with ", " and ": " between its parts and
	## no other white space. Objects that list their properties get no others, in the order in which
	## they are listed. Keywords that can't be kept to are refused: "not", "uniqueItems", "oneOf"
	## with alternatives that overlap, references to other documents.
	var json_schema: String:
		get:
			return _kind_value if kind_case == KindCase.JSON_SCHEMA else ""
		set(value):
			_kind_value = value
			kind_case = KindCase.JSON_SCHEMA

	## A text that this regular expression matches from end to end; it has no look-around and no
	## back-references.
	var regex: String:
		get:
			return _kind_value if kind_case == KindCase.REGEX else ""
		set(value):
			_kind_value = value
			kind_case = KindCase.REGEX

	## A text of this grammar in Lark's notation, whose rule "start" is the whole reply.
	var lark: String:
		get:
			return _kind_value if kind_case == KindCase.LARK else ""
		set(value):
			_kind_value = value
			kind_case = KindCase.LARK

	## One of these texts.
	var choices: Choices:
		get:
			return _kind_value if kind_case == KindCase.CHOICES else null
		set(value):
			_kind_value = value
			kind_case = KindCase.CHOICES if value != null else KindCase.NONE
	var _kind_value: Variant

	## Makes no member of kind set.
	func clear_kind() -> void:
		_kind_value = null
		kind_case = KindCase.NONE

	func write_fields(writer: ProtoWriter) -> void:
		if kind_case == KindCase.JSON_SCHEMA:
			writer.put_varint(10)
			writer.put_string(json_schema)
		if kind_case == KindCase.REGEX:
			writer.put_varint(18)
			writer.put_string(regex)
		if kind_case == KindCase.LARK:
			writer.put_varint(26)
			writer.put_string(lark)
		if kind_case == KindCase.CHOICES:
			writer.put_varint(34)
			writer.put_message(choices)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					json_schema = reader.read_string()
				18:
					regex = reader.read_string()
				26:
					lark = reader.read_string()
				34:
					var choices_element: Choices = (
						_kind_value if kind_case == KindCase.CHOICES else Choices.new()
					)
					reader.read_message(choices_element)
					_kind_value = choices_element
					kind_case = KindCase.CHOICES
				_:
					reader.skip(tag)


## One token and how likely it was.
class TokenLogprob:
	extends ProtoMessage

	## The token's id in the model's vocabulary.
	var token_id: int = 0

	## Natural logarithm of its probability in the model's own distribution: before temperature,
	## penalties, bias and filters.
	var logprob: float = 0.0

	## The token's bytes; they need not be whole UTF-8 characters.
	var token_bytes: PackedByteArray = PackedByteArray()

	func write_fields(writer: ProtoWriter) -> void:
		if token_id != 0:
			writer.put_varint(8)
			writer.put_int32(token_id)
		if ProtoWriter.is_float_set(logprob):
			writer.put_varint(21)
			writer.put_float(logprob)
		if not token_bytes.is_empty():
			writer.put_varint(26)
			writer.put_bytes(token_bytes)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				8:
					token_id = reader.read_int32()
				21:
					logprob = reader.read_float()
				26:
					token_bytes = reader.read_bytes()
				_:
					reader.skip(tag)


## One token of a reply or prompt, with its alternatives.
class Token:
	extends ProtoMessage

	## The token that was drawn (or given, in a prompt). A prompt's first token has logprob 0 as
	## nothing precedes it.
	var token: TokenLogprob = null

	## The likeliest tokens at this place, most likely first; as many as SamplingParams.logprobs
	## asked for.
	var top: Array[TokenLogprob] = []

	func write_fields(writer: ProtoWriter) -> void:
		if token != null:
			writer.put_varint(10)
			writer.put_message(token)
		for element in top:
			writer.put_varint(18)
			writer.put_message(element)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				10:
					var token_element := token if token != null else TokenLogprob.new()
					reader.read_message(token_element)
					token = token_element
				18:
					var top_element := TokenLogprob.new()
					reader.read_message(top_element)
					top.append(top_element)
				_:
					reader.skip(tag)


## What a reply cost.
class Usage:
	extends ProtoMessage

	## Tokens of the whole prompt.
	var prompt_tokens: int = 0

	## Of these, tokens whose KV was already there and was not computed again.
	var cached_tokens: int = 0

	## Tokens generated.
	var generated_tokens: int = 0

	## From the arrival of the request to its first token, in milliseconds.
	var time_to_first_token_ms: float = 0.0

	## Generated tokens after the first, for each second after the first.
	var tokens_per_second: float = 0.0

	## The seed that was used.
	var seed: int = 0

	func write_fields(writer: ProtoWriter) -> void:
		if prompt_tokens != 0:
			writer.put_varint(8)
			writer.put_int32(prompt_tokens)
		if cached_tokens != 0:
			writer.put_varint(16)
			writer.put_int32(cached_tokens)
		if generated_tokens != 0:
			writer.put_varint(24)
			writer.put_int32(generated_tokens)
		if ProtoWriter.is_float_set(time_to_first_token_ms):
			writer.put_varint(37)
			writer.put_float(time_to_first_token_ms)
		if ProtoWriter.is_float_set(tokens_per_second):
			writer.put_varint(45)
			writer.put_float(tokens_per_second)
		if seed != 0:
			writer.put_varint(48)
			writer.put_varint(seed)

	func read_fields(reader: ProtoReader) -> void:
		while reader.position < reader.limit:
			var tag := reader.read_tag()
			match tag:
				8:
					prompt_tokens = reader.read_int32()
				16:
					cached_tokens = reader.read_int32()
				24:
					generated_tokens = reader.read_int32()
				37:
					time_to_first_token_ms = reader.read_float()
				45:
					tokens_per_second = reader.read_float()
				48:
					seed = reader.read_varint()
				_:
					reader.skip(tag)
