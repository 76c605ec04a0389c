## How a character chooses its words. What is not overridden keeps the model's own default.
@tool
@icon("../icons/npc_sampling.svg")
class_name NpcSampling
extends Resource

const Sampling := preload("../generated/sampling.gd")

## 0 always takes the likeliest word; 0.8 is lively, above 1.2 gets odd.
@export_range(0.0, 2.0, 0.05, "or_greater") var temperature := 0.8
## Only the smallest set of words whose probability reaches this can be drawn; 1 takes all.
@export_range(0.01, 1.0, 0.01) var top_p := 0.95
## Only so many of the likeliest words can be drawn; 0 means all.
@export_range(0, 1024) var top_k := 40
## Words less likely than this times the likeliest are left out; 0 means none.
@export_range(0.0, 1.0, 0.01) var min_p := 0.0
@export_group("Length")
## The longest reply, in tokens (about three quarters of a word each).
@export_range(1, 1024, 1, "or_greater") var max_new_tokens := 128
## No end before so many tokens.
@export_range(0, 1024, 1, "or_greater") var min_new_tokens := 0
## The reply ends before the first of these texts. At most 16.
@export var stop: PackedStringArray
@export_group("Repetition")
## End a reply that goes round in circles, as small models sometimes do, with the sentence or word
## that was begun.
@export var stop_repetition := true
## Say a reply anew that goes round in circles, behind its whole sentences; text comes a sentence
## at a time until then. See [member NpcTurn.retries].
@export var retry_repetition := false
## DRY: how much less likely words become that would go on as the character's last lines, or this
## reply, went on before; the more, the longer the part that repeats. 0.4 to 0.8 is usual; 0 is off.
@export_range(0.0, 10.0, 0.05) var dry_multiplier := 0.0
## So many tokens in a row never come again as the character said them before. 0 is off, 1 means 2.
@export_range(0, 64) var no_repeat_tokens := 0
## How many of its latest lines the character is not to repeat, besides the reply itself.
@export_range(0, 64) var repeat_window := 8
## Above 1: words that are already in the reply become less likely. 1 is off.
@export_range(0.1, 2.0, 0.05, "or_greater") var repetition_penalty := 1.0
## Subtracted from words that are already in the reply.
@export_range(-2.0, 2.0, 0.05, "or_greater", "or_less") var presence_penalty := 0.0
## Subtracted from words once for each time they are in the reply.
@export_range(-2.0, 2.0, 0.05, "or_greater", "or_less") var frequency_penalty := 0.0
@export_group("Reproducible")
## Give the same reply to the same conversation.
@export var uses_seed := false
## The seed, when uses_seed is on. The same seed and conversation draw the same random numbers. In
## bfloat16, the usual type of the weights, rounding can still change an answer from some word on.
@export var random_seed := 0


## The parameters as the runtime takes them.
func to_message() -> Sampling.SamplingParams:
	var message := Sampling.SamplingParams.new()
	message.temperature = temperature
	message.top_p = top_p
	message.top_k = top_k
	message.min_p = min_p
	message.max_new_tokens = max_new_tokens
	message.min_new_tokens = min_new_tokens
	message.stop.assign(stop)
	message.stop_repetition = stop_repetition
	message.retry_repetition = retry_repetition
	message.dry_multiplier = dry_multiplier
	message.no_repeat_tokens = 0 if no_repeat_tokens == 0 else maxi(no_repeat_tokens, 2)
	message.repeat_window = repeat_window
	message.repetition_penalty = repetition_penalty
	message.presence_penalty = presence_penalty
	message.frequency_penalty = frequency_penalty
	if uses_seed:
		message.seed = random_seed
	return message
