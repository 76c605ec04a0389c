## Characters who speak first, react, remember a script, are occupied and saved.
extends "res://drivers/npc.gd"


func conversation() -> void:
	_connect()
	var npc := _make_npc("Mira", 64)
	npc.sampling = null
	var completed: Array[String] = []
	npc.sentence_completed.connect(
		func(turn: NpcTurn, index: int) -> void:
			var place := turn.sentence_places[index]
			completed.append("%s %s" % [turn.text.substr(place.x, place.y), turn.sentences[index]])
	)
	await _report("greeted", npc.greet())
	await _report("reacted", npc.react("A bell rings."))
	npc.record([{"kind": 3, "text": "She yawns."}, {"kind": 1, "text": "A bed?"}, "Two pennies."])
	await _report("again", npc.greet())
	await _report("said", npc.say("Hello!", "Anna"))
	var barged := npc.say("Go on.")
	await barged.wait()
	barged.interrupt_after(1)
	report("barged", {"text": barged.text, "places": str(barged.sentence_places)})
	report("completed", {"texts": completed})
	await _report_session(npc)


func options() -> void:
	_connect()
	var npc := _make_npc("Mira", 64)
	npc.sampling = null
	var options := NpcTurnOptions.new()
	options.sampling = NpcSampling.new()
	options.sampling.max_new_tokens = 1
	await _report("short", npc.greet(options))
	options.sampling = null
	var late: NpcTurn
	for seconds: float in [0.3, 2.0, 8.0]:  # until it is long enough for the first words
		options.deadline_seconds = seconds
		late = npc.react("Somebody asks for a story.", options)
		await late.wait()
		if late.error.is_empty():
			break
	await _report("late", late)
	options.deadline_seconds = -1.0
	options.grammar = NpcGrammar.choices(PackedStringArray(["Aye."]))
	await _report("chosen", npc.say_with("Aye or nay?", options, "Anna"))
	await _report_session(npc)


func refusals() -> void:
	_connect()
	var npc := _make_npc("Mira", 64)
	npc.sampling = null
	var messages: Array[String] = []
	npc.failed.connect(messages.append)
	for lines: Array in [
		[],
		[""],
		["x".repeat(4097)],
		[7],
		["Fine.", {"text": "x", "speaker": "Anna"}],
		[{"kind": 4, "text": "x"}],
		[{"kind": 1, "text": "x", "speaker": "a\nb"}],
		[{"kind": 3, "text": "x", "speaker": "Anna"}],
	]:
		npc.record(lines)
	await _report("blank", npc.react(" "))
	await _report("fine", npc.greet())
	report("messages", {"texts": messages})
	await _report_session(npc)


func occupied() -> void:
	_connect()
	var npc := _make_npc("Mira", 64)
	npc.sampling = null
	npc.deadline_seconds = 0.5
	npc.fallback_lines = ["Not now."]
	npc.is_occupied = true
	var late := npc.say("Zero")
	npc.deadline_seconds = 0.0
	var first := npc.say("One")
	var second := npc.react("A bell rings.")
	npc.record(["This is the script."])
	await get_tree().create_timer(0.7).timeout  # longer than the deadline
	report("waiting", {"done": late.is_done(), "kept": npc.transcript()})
	late.interrupt()
	await late.wait()
	npc.is_occupied = false
	await _report("first", first)
	await _report("second", second)
	var slow := npc.say("Take your time.")
	await slow.text_streamed
	npc.is_occupied = true
	var before := slow.text
	npc.record(["Silence!"])
	var session: NpcSession = npc.get("_session")
	while (session.get("_held") as Array).is_empty():
		await get_tree().process_frame
	report("silent", {"same": slow.text == before})
	npc.is_occupied = false
	await _report("slow", slow)
	await _report_session(npc)


func saved() -> void:
	_connect()
	var mira := _make_npc("Mira", 64)
	var brann := _make_npc("Brann", 64)
	mira.sampling = null
	brann.sampling = null
	mira.save_key = "innkeeper"
	await mira.greet().wait()
	await brann.say("Hello!").wait()
	var saved: Dictionary = JSON.parse_string(JSON.stringify(_runtime.save_npcs()))
	report("saved", {"keys": saved.keys(), "lines": saved.values()})
	await mira.say("More.").wait()
	brann.record(["And more."])
	report("restored", {"problem": _runtime.restore_npcs(saved)})
	report("kept", {"mira": mira.transcript(), "brann": brann.transcript()})
	await _report("again", mira.say("Again."))
	mira.queue_free()
	while is_instance_valid(mira):
		await get_tree().process_frame
	var heir := _make_npc("Mira", 64, "innkeeper")
	report("heir", {"lines": heir.transcript().size()})
	report("refused", {"problem": _runtime.restore_npcs({"innkeeper": [{"kind": 9}]})})
	_runtime.restore_npcs(saved.merged({"later": saved["innkeeper"]}))
	var later := _make_npc("Later", 64, "later")
	report("later", {"lines": later.transcript(), "keys": _runtime.save_npcs().keys()})
	await later.say("Hello!").wait()
	await _report_session(later)


func _make_npc(character: String, tokens: int, save_key := "") -> NpcAgent:
	var npc := NpcAgent.new()
	npc.name = character
	npc.save_key = save_key
	npc.persona = NpcPersona.new()
	npc.persona.name = character
	npc.sampling = _sampling(tokens)
	add_child(npc)
	return npc


func _report(event: String, turn: NpcTurn) -> void:
	await turn.wait()
	report(event, {"text": turn.text, "error": turn.error, "cut": turn.is_cut()})
