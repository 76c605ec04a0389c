## What is said to a session once it is open. Events and recorded lines are kept until then.
@tool
extends RefCounted

const Dialogue := preload("../generated/dialogue.gd")
const NpcTranscript := preload("npc_transcript.gd")
const SessionStream := preload("session_stream.gd")
const Townsfolk := preload("../generated/townsfolk.gd")

var _stream: SessionStream  # null while the session is not open
var _unsent: Array[Townsfolk.ConverseRequest] = []


## The session is open: sends what waits.
func open(stream: SessionStream) -> void:
	_stream = stream
	var waiting := _unsent
	_unsent = []
	for request in waiting:
		_stream.send(request)


## The session is not open any more.
func close() -> void:
	_stream = null


## Tells of an event in the world.
func notify_event(text: String) -> void:
	var request := Townsfolk.ConverseRequest.new()
	request.notify = text
	_send_or_keep(request)


## Has lines remembered that a script has spoken.
func record(lines: Array[Dialogue.TranscriptEntry]) -> void:
	var request := Townsfolk.ConverseRequest.new()
	request.record = Townsfolk.RecordedLines.new()
	request.record.lines.assign(lines)
	_send_or_keep(request)


## What could not be sent is part of the conversation all the same.
func move_unsent(transcript: NpcTranscript) -> void:
	for request in _unsent:
		if request.request_case == Townsfolk.ConverseRequest.RequestCase.RECORD:
			transcript.add_lines(request.record.lines)
		else:
			transcript.add_event(request.notify)
	_unsent.clear()


## Asks for a turn; the session must be open.
func say(utterance: Dialogue.Utterance) -> void:
	var request := Townsfolk.ConverseRequest.new()
	request.say = utterance
	_stream.send(request)


## Cuts off a turn, or all of them when the id is empty; the session must be open.
func interrupt(turn_id: String, heard_characters: int) -> void:
	var request := Townsfolk.ConverseRequest.new()
	request.interrupt = Townsfolk.Interrupt.new()
	request.interrupt.turn_id = turn_id
	if heard_characters >= 0:
		request.interrupt.heard_characters = heard_characters
	_stream.send(request)


## Changes the priority; the session must be open.
func update_priority(value: int) -> void:
	var request := Townsfolk.ConverseRequest.new()
	request.update_priority = value
	_stream.send(request)


func _send_or_keep(request: Townsfolk.ConverseRequest) -> void:
	if _stream == null:
		_unsent.append(request)
	else:
		_stream.send(request)
