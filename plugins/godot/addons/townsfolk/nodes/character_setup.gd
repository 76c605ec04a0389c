## What a character's session is opened with, taken from its agent: who it is, what it knows, how it
## chooses its words, what it can do.
@tool
extends RefCounted

const Dialogue := preload("../generated/dialogue.gd")
const NpcActions := preload("../runtime/npc_actions.gd")

var actions := NpcActions.new()

var _agent: NpcAgent
# What the session was opened with.
var _opened_as := PackedByteArray()
var _opened_persona: NpcPersona


func _init(agent: NpcAgent) -> void:
	_agent = agent


## What is wrong with persona and lore; empty when all is well.
func problem() -> String:
	var problems := _problems()
	return "" if problems.is_empty() else problems[0]


## What the editor warns of.
func warnings() -> PackedStringArray:
	var found := _problems()
	var anchor := _agent.attention_anchor
	if anchor != null and not (anchor is Node2D or anchor is Node3D):
		found.append("The attention anchor must be a Node2D or a Node3D.")
	return found


## Whether the agent has another persona than the one that the session was opened with.
func is_another() -> bool:
	return _opened_persona != null and _opened_persona != _agent.persona


## Whether the agent was changed since the session was opened.
func has_changed() -> bool:
	return not _opened_as.is_empty() and _opened_as != _to_bytes()


## Returns what to open a session with, and takes it as what was opened.
func open() -> Dialogue.SessionConfig:
	_opened_as = _to_bytes()
	_opened_persona = _agent.persona
	return _make_config()


## The session is closed.
func close() -> void:
	_opened_as.clear()


## Whoever speaks next is nobody else than before.
func forget_persona() -> void:
	_opened_persona = null


## The lore that is registered before the session is opened.
func collect_lore() -> Array[Dialogue.Lore]:
	var messages: Array[Dialogue.Lore] = []
	for pack in _agent.lore:
		if _agent.runtime != null:
			_agent.runtime.check_pack(pack)
		messages.append(pack.to_message())
	return messages


func _problems() -> PackedStringArray:
	var found := PackedStringArray()
	if _agent.persona == null:
		found.append("%s has no persona: give it an NpcPersona" % _agent.name)
	elif _agent.persona.problem() != "":
		found.append(_agent.persona.problem())
	for pack in _agent.lore:
		var wrong := "%s has an empty lore pack" % _agent.name if pack == null else pack.problem()
		if wrong != "":
			found.append(wrong)
	return found


func _to_bytes() -> PackedByteArray:
	var setup := _make_config().to_bytes()
	for message in collect_lore():
		setup.append_array(message.to_bytes())
	return setup


func _make_config() -> Dialogue.SessionConfig:
	var config := Dialogue.SessionConfig.new()
	config.persona = _agent.persona.to_message()
	config.adapter = _agent.persona.adapter
	config.contrast = _agent.persona.contrast_message()
	if _agent.sampling != null:
		config.sampling = _agent.sampling.to_message()
	if _agent.hesitation_entropy > 0.0:
		config.hesitation_entropy = _agent.hesitation_entropy
	config.off_the_record = _agent.off_the_record
	config.actions = actions.messages
	config.speech = _make_speech()
	return config


func _make_speech() -> Dialogue.SpeechSettings:
	var speech := Dialogue.SpeechSettings.new()
	speech.directions = (_agent.stage_directions + 1) as Dialogue.StageDirections
	for index in 4:
		if _agent.direction_marks & 1 << index:
			speech.marks.append((index + 1) as Dialogue.DirectionMark)
	return speech
