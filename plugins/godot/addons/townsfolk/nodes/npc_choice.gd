## What a character makes of authored texts; see [method NpcAgent.choose].
@tool
class_name NpcChoice
extends RefCounted

const Townsfolk := preload("../generated/townsfolk.gd")

## The number of the chosen text; -1 when the choice failed.
var index := -1
## The chosen text; empty when the choice failed.
var text := ""
## All texts, in the order in which they were given.
var options: PackedStringArray = []
## The probability of each among the options; they add up to 1.
var probabilities: PackedFloat32Array = []
## The natural logarithm of the probability of each whole text.
var logprobs: PackedFloat32Array = []
## Why nothing was chosen; empty when all is well.
var error := ""


## For agents: takes what the runtime has answered.
static func from_message(message: Townsfolk.ChooseResponse) -> NpcChoice:
	var choice := NpcChoice.new()
	choice.index = message.chosen
	for option in message.options:
		choice.options.append(option.text)
		choice.probabilities.append(option.probability)
		choice.logprobs.append(option.logprob)
	choice.text = choice.options[choice.index]
	return choice


## For agents: there is no choice, and this is why.
static func failed(reason: String) -> NpcChoice:
	var choice := NpcChoice.new()
	choice.error = reason
	return choice
