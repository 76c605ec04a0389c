## The player's talk with a villager: the dialogue box shows what it says, and offers what to
## answer.
extends Node

const Hud := preload("hud.gd")
const PLAYER_NAME := "Traveler"
const OWN_WORDS := "(Say something of your own …)"
const GOODBYE := "(Take your leave)"

@export var box: NpcDialogueBox
@export var hud: Hud

## Whom the player talks to; null: nobody.
var partner: Villager


func _ready() -> void:
	box.character_typed.connect(
		func(_turn: NpcTurn, character: String, _place: int) -> void: _speak(character)
	)


## Begins a talk: what the villager is saying to others is cut off, and it remembers how far it
## came.
func begin(villager: Villager) -> void:
	partner = villager
	villager.bubble.interrupt()
	villager.is_with_player = true
	villager.is_highlighted = true
	hud.show_portrait(villager)
	box.show_line("[i]%s looks at you.[/i]" % villager.persona.name, "", villager.persona.color)
	while partner == villager:
		await _take_turn(villager)
	hud.show_portrait(null)


## Says something to whom the player is talking; the answer is shown in the box.
func say(text: String) -> NpcTurn:
	var turn := partner.agent.say(text, PLAYER_NAME)
	box.show_turn(turn, partner.persona.name, partner.persona.color.lightened(0.2))
	return turn


## Ends the talk.
func end() -> void:
	partner.is_with_player = false
	partner = null


func _take_turn(villager: Villager) -> void:
	var options := villager.topics.duplicate()
	options.append_array([OWN_WORDS, GOODBYE])
	var index := await box.choose(options)
	if index < 0 or options[index] == GOODBYE:
		end()
		return
	var text := options[index]
	if text == OWN_WORDS:
		hud.show_portrait(null)
		text = await hud.ask_for_words(villager.persona.name)
		hud.show_portrait(villager)
	if text != "":
		say(text)


func _speak(character: String) -> void:
	if partner != null:
		partner.speak(character)
		hud.portrait.speak(character)
