## What a character keeps: over bad saved games, moves, pauses, other runtimes.
extends "res://drivers/npc.gd"


func malformed() -> void:
	var npc := NpcAgent.new()
	npc.name = "Mira"
	var messages: Array[String] = []
	npc.failed.connect(messages.append)
	var good := {"kind": 1.0, "speaker": "Anna", "text": "Hello."}
	report("good", {"restored": npc.restore([good]), "kept": npc.transcript()})
	var bad: Array = [7, null, {}, good.merged({"kind": 4}, true), good.merged({"kind": "1"}, true)]
	bad.append_array([{"kind": 1}, good.merged({"text": null}, true)])
	bad.append_array([good.merged({"speaker": 3}, true), good.merged({"cut": "no"}, true)])
	bad.append({"kind": 1.5, "text": "Hello."})
	var restored := bad.filter(func(entry: Variant) -> bool: return npc.restore([good, entry]))
	report("bad", {"restored": restored, "messages": messages, "kept": npc.transcript()})
	npc.free()


func moved() -> void:
	_connect()
	var npc := _make_npc("Mira", 64)
	var turn := npc.say("Take your time.")
	await turn.text_streamed
	var place := Node.new()
	add_child(place)
	npc.reparent(place)
	await turn.wait()
	var text := turn.text
	report("moved", {"text": text, "kept": npc.transcript(), "interrupted": turn.was_interrupted})
	await npc.say("Go on.").wait()
	await _report_session(npc)


func paused() -> void:
	_connect()
	process_mode = Node.PROCESS_MODE_ALWAYS
	var npc := _make_npc("Mira", 64)
	npc.process_mode = Node.PROCESS_MODE_PAUSABLE
	npc.pauses_with_tree = true
	var sentences: Array[String] = []
	npc.sentence_ready.connect(sentences.append)
	var turn := npc.say("Take your time.")
	await turn.text_streamed
	get_tree().paused = true
	var before := turn.text
	var waiting := npc.say("Go on.")
	await _catch_up(npc, 4)
	report("paused", {"stood": turn.text == before, "sentences": sentences.duplicate()})
	report("waiting", {"done": waiting.is_done(), "text": waiting.text})
	get_tree().paused = false
	report("resumed", {"first": turn.text, "second": await waiting.wait(), "sentences": sentences})
	await _report_session(npc)


# Closed while the game is paused: what the runtime has said is kept.
func closed_while_paused() -> void:
	_connect()
	process_mode = Node.PROCESS_MODE_ALWAYS
	var npc := _make_npc("Mira", 64)
	npc.process_mode = Node.PROCESS_MODE_PAUSABLE
	npc.pauses_with_tree = true
	get_tree().paused = true
	npc.notify("A dog barks.")
	await get_tree().process_frame
	get_tree().paused = false
	await npc.say("Go on.").wait()
	get_tree().paused = true
	var turn := npc.say("Go on.")
	await _catch_up(npc, 5)
	npc.close()
	report("closed", {"text": await turn.wait(), "kept": npc.transcript()})
	get_tree().paused = false


func another_runtime() -> void:
	_runtime.launch("", arguments[0])
	var npc := _make_npc("Mira", 64)
	var before := await npc.say("Hello?").wait()
	_runtime.launch("", arguments[0])
	var turn := npc.say("Who is there?")
	_runtime.launch("", arguments[1])
	await turn.wait()
	report("turn", {"before": before, "text": turn.text, "error": turn.error})
	await _report_session(npc)


# Until the runtime has so many lines of the session, and what it told of them has come.
func _catch_up(npc: NpcAgent, lines: int) -> void:
	while await _lines_of(npc) < lines:
		await get_tree().process_frame
	npc.notify("The fire cracks.")
	while npc.get("_session").get("_stream").is_busy():
		await get_tree().process_frame


func _lines_of(npc: NpcAgent) -> int:
	var request := Townsfolk.GetSessionRequest.new()
	request.session_id = npc.get("_session").session_id
	var call := _runtime.client().get_session(request)
	var answer: Townsfolk.GetSessionResponse = await call.response()
	return answer.config.history.size()
