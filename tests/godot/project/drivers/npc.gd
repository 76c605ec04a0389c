# NPCs against a real runtime: ADDRESS and TOKEN are the arguments, or a MODEL to launch.
extends "res://drivers/driver.gd"

const NpcSession := preload("res://addons/townsfolk/runtime/npc_session.gd")
const Townsfolk := preload("res://addons/townsfolk/generated/townsfolk.gd")
const TownsfolkRuntime := preload("res://addons/townsfolk/runtime/townsfolk_runtime.gd")

var _runtime: TownsfolkRuntime
var _frames := 0


func _ready() -> void:
	_runtime = get_node("/root/TownsfolkRuntime")
	_runtime.ready_changed.connect(
		func(is_ready: bool) -> void: report("ready_changed", {"ready": is_ready})
	)
	_runtime.connection_lost.connect(
		func(reason: String) -> void: report("connection_lost", {"reason": reason})
	)


func _process(_delta: float) -> void:
	_frames += 1


func one_npc() -> void:
	_connect()
	var npc := _make_npc("Mira", 12)
	_report_signals(npc)
	var turn := npc.say("Good evening!", "Anna")
	report("said", {"done": turn.is_done()})
	await turn.finished
	report("model", {"name": _runtime.info.model, "context": _runtime.info.context_tokens})
	report("turn", _facts(turn).merged({"again": await turn.wait() == turn.text}))
	report("transcript", {"entries": npc.transcript()})


func grammars_and_choices() -> void:
	_connect()
	var npc := _make_npc("Mira", 60)
	var schema := {
		"type": "object",
		"properties": {"mood": {"enum": ["calm", "angry"]}, "gold": {"type": "integer"}},
		"required": ["mood", "gold"],
	}
	var data := npc.say("How much?", "Anna", NpcGrammar.json_schema(schema))
	await data.wait()
	report("data", {"value": data.json(), "sentences": data.sentences, "error": data.error})
	var options := PackedStringArray(["Aye.", "Never!"])
	var chosen := npc.say("Agreed?", "Anna", NpcGrammar.choices(options))
	report("chosen", {"text": await chosen.wait()})
	var refused := npc.say("Hm?", "Anna", NpcGrammar.regex("("))
	await refused.wait()
	report("refused", {"error": refused.error})
	var before := npc.transcript().size()
	var mood := await npc.choose(options, "(How do you feel?)")
	report(
		"mood",
		{
			"text": mood.text,
			"index": mood.index,
			"probabilities": Array(mood.probabilities),
			"error": mood.error,
			"added": npc.transcript().size() - before,
		}
	)
	var kept := await npc.choose(options, "Will you?", "Anna", true, true, true)
	report("kept", {"text": kept.text, "last": npc.transcript().slice(-2)})
	var twice := await npc.choose(["a", "a"], "Hm?")
	report("twice", {"error": twice.error, "index": twice.index})
	await _report_session(npc)


func give_item(item: String, count := 1) -> Variant:
	report("given", {"item": item, "count": count})
	if item == "shield":
		return NpcAction.refuse("it is not for sale")
	return "it is on the table"


func actions() -> void:
	_connect()
	var npc := _make_npc("Mira", 12)
	npc.hesitation_entropy = 0.01
	npc.hesitated.connect(func(sentence: String) -> void: report("hesitated", {"text": sentence}))
	npc.add_action(give_item, "Gives something.", "", {"item": ["sword", "shield"]})
	npc.add_action_schema("open_door", "Opens the door.")
	for number in 3:
		var turn := npc.say("Please! %d" % number, "Anna", null, ["give_item"], true)
		await turn.wait()
		report("turn", {"error": turn.error, "text": turn.text})
	npc.action_requested.connect(
		func(action: NpcAction) -> void:
			report("asked", {"name": action.name, "arguments": action.arguments})
			if action.name == "open_door":
				action.reject("it is locked")
	)
	var last := npc.say("Open up!", "Anna", null, ["open_door"], true)
	await last.wait()
	report("last", {"error": last.error, "entry": npc.transcript()[-1]})
	await _report_session(npc)


func twenty_at_once() -> void:
	_connect()
	_runtime.watches_stats = true
	await _until(_runtime.is_ready)
	# They all wait for the model, so that no machine is done with the first before the last begins.
	await _runtime.release(true)
	_warm_for(20)
	await _speak_all_at_once(200)


func _warm_for(waiting: int) -> void:
	await _until(func() -> bool: return _runtime.stats.waiting >= waiting)
	await _runtime.warm()


func _until(is_so: Callable) -> void:
	while not is_so.call():
		await get_tree().process_frame


func _speak_all_at_once(tokens: int) -> void:
	var npcs: Array[NpcAgent] = []
	var streamed := {}
	var most_at_once := [0]
	for number in 20:
		var npc := _make_npc("Npc %d" % number, tokens)
		npc.text_streamed.connect(
			func(_text: String) -> void:
				streamed[number] = npc.current_turn.text
				var speaking := npcs.filter(func(other: NpcAgent) -> bool: return _speaks(other))
				most_at_once[0] = maxi(most_at_once[0], speaking.size())
		)
		npcs.append(npc)
	var turns: Array[NpcTurn] = []
	for npc in npcs:
		turns.append(npc.say("Tell me a story."))
	var all_whole := true
	for number in 20:
		var text := await turns[number].wait()
		var is_whole: bool = turns[number].error == "" and not text.is_empty()
		all_whole = all_whole and is_whole and turns[number].generated_tokens == tokens
		all_whole = all_whole and streamed[number] == text
	report("done", {"all_whole": all_whole, "most_at_once": most_at_once[0]})


func interrupt() -> void:
	_connect()
	var npc := _make_npc("Mira", 900)
	_report_signals(npc)
	var turn := npc.say("Tell me everything.")
	var waiting := npc.say("And then?")
	while turn.text.length() < 30:
		await npc.text_streamed
	npc.interrupt(17)
	await turn.wait()
	await waiting.wait()
	report("turn", _facts(turn))
	report("waiting", _facts(waiting))
	await _report_session(npc)
	npc.sampling = null
	# What was answered, but is still being read out, can be cut as well.
	npc.close()
	npc.sampling = _sampling(24)
	var whole := npc.say("Go on.")
	await whole.wait()
	whole.interrupt(2)
	await _report_session(npc)
	# And without naming it: that is the newest, not an older one.
	var newest := npc.say("And?")
	await newest.wait()
	npc.interrupt(3)
	await _report_session(npc)
	report("newest", _facts(newest))


func closed_while_it_speaks() -> void:
	_connect()
	var npc := _make_npc("Mira", 900)
	var turn := npc.say("Tell me everything.")
	while turn.text.length() < 30:
		await npc.text_streamed
	npc.close()
	await turn.wait()
	report("turn", _facts(turn))
	report("transcript", {"entries": npc.transcript()})


func queue_and_events() -> void:
	_connect()
	var npc := _make_npc("Mira", 6)
	npc.notify("A dog barks.")
	var turns: Array[NpcTurn] = [npc.say("One."), npc.say("Two.", "Anna"), npc.say("Three.")]
	npc.thinking_started.connect(
		func(turn: NpcTurn) -> void: report("thinking", {"prompt": turn.prompt})
	)
	for turn in turns:
		await turn.wait()
	npc.priority = 40
	await _report_session(npc)
	# A saved game goes on in another session.
	var saved: Variant = JSON.parse_string(JSON.stringify(npc.transcript()))
	var restored := _make_npc("Mira", 6)
	restored.restore(saved)
	await restored.say("Four.").wait()
	await _report_session(restored)


func attention() -> void:
	_connect()
	var listener := Node2D.new()
	listener.add_to_group("townsfolk_listener")
	add_child(listener)
	var place := Node2D.new()
	add_child(place)
	var npc := _make_npc("Mira", 4)
	npc.priority = 10
	npc.attention_range = 100.0
	npc.attention_anchor = place
	for distance: float in [0.0, 50.0, 500.0]:
		place.position.x = distance
		var session: NpcSession = npc.get("_session")
		while session != null and session.priority != npc.get("_attention").priority():
			await get_tree().process_frame
		await npc.say("Hm?").wait()
		await _report_session(npc)


func shared_lore() -> void:
	_connect()
	var pack := LorePack.new()
	pack.lore_id = "harbor"
	pack.text = "The harbor is closed. " + "The sea is wide. ".repeat(20)
	for number in 2:
		var npc := _make_npc("Npc %d" % number, 4)
		npc.lore = [pack]
		await npc.say("What about the harbor?").wait()
		await _report_session(npc)


func bad_values() -> void:
	_connect()
	var npc := _make_npc("Mira", 4)
	npc.sampling.temperature = 99.0
	_report_signals(npc)
	await npc.say("Hello").wait()
	npc.sampling.temperature = 1.0
	await npc.say("Hello again").wait()
	await npc.say("x".repeat(200_000)).wait()
	await npc.say("Still there?").wait()
	npc.persona.adapter = "guard"
	await npc.say("Who are you now?").wait()
	npc.persona.adapter = ""
	await npc.say("And now?").wait()
	var nobody := NpcAgent.new()
	add_child(nobody)
	_report_signals(nobody)
	await nobody.say("Who are you?").wait()


func deadline() -> void:
	_connect()
	var npc := _make_npc("Mira", 900)
	var turn: NpcTurn = null
	npc.deadline_seconds = 0.05
	# Twice as long each time, so that one in which a token comes ends long before the answer does.
	while turn == null or turn.generated_tokens == 0 and npc.deadline_seconds < 60.0:
		npc.deadline_seconds *= 2.0
		turn = npc.say("Tell me everything.")
		await turn.wait()
	report("turn", _facts(turn))


func wrong_token() -> void:
	_runtime.connect_to_runtime(arguments[0], "not-the-token")
	var npc := _make_npc("Mira", 4)
	_report_signals(npc)
	await npc.say("Hello").wait()
	report("state", {"state": _runtime.state, "message": _runtime.message})


func no_runtime() -> void:
	_runtime.launch("no-such-program")
	await _ask_in_vain()
	_runtime.connect_to_runtime(arguments[0])
	await _ask_in_vain()
	_runtime.stop()
	await _ask_in_vain()


func launched() -> void:
	_runtime.launch("", arguments[0])
	_runtime.startup_progressed.connect(
		func(message: String) -> void: report("progress", {"message": message})
	)
	var npc := _make_npc("Mira", 8)
	var turn := npc.say("Good evening!")
	await turn.wait()
	report("turn", _facts(turn).merged({"pid": _runtime.process_id()}))


func launched_for_ever() -> void:
	await launched()
	await get_tree().create_timer(60.0).timeout


func launch_of_a_missing_model() -> void:
	_runtime.launch("", "/no/such/model")
	await _ask_in_vain()


func killed_mid_reply() -> void:
	_runtime.launch("", arguments[0])
	var npc := _make_npc("Mira", 8)
	await npc.say("First.").wait()
	npc.close()
	npc.sampling = _sampling(800)
	_report_signals(npc)
	var turn := npc.say("Second, a long one.")
	var waiting := npc.say("Third.")
	while turn.text.length() < 20:
		await npc.text_streamed
	var killed := _runtime.process_id()
	var frames := _frames
	# Not OS.kill: the engine would know of it.
	OS.execute("kill", ["-9", str(killed)])
	await turn.wait()
	report("turn", _facts(turn))
	npc.sampling = _sampling(8)
	await waiting.wait()
	report("waiting", _facts(waiting))
	report("processes", {"differ": killed != _runtime.process_id() and _runtime.process_id() > 0})
	await npc.say("Fourth.").wait()
	await _report_session(npc)
	report("frames", {"drawn": _frames - frames})


func stats() -> void:
	_connect()
	_runtime.watches_stats = true
	var npc := _make_npc("Mira", 8)
	await npc.say("Hello").wait()
	await _runtime.stats_updated
	report("stats", {"tokens": _runtime.stats.generated_tokens_total})


# The box is given its time by hand: how fast the machine is does not count.
func dialogue_box() -> void:
	_connect()
	var npc := _make_npc("Mira", 900)
	var box := NpcDialogueBox.new()
	box.characters_per_second = 60.0
	box.agent = npc
	add_child(box)
	box.set_process(false)
	var turn := npc.say("Tell me everything.")
	while turn.text.length() < 30:
		await npc.text_streamed
	box._process(0.2)
	report("typing", {"shown": box.shown_characters(), "name": box.speaker_name()})
	_press("ui_cancel")
	await turn.wait()
	report("turn", {"length": turn.text.length(), "cut": turn.was_interrupted})
	npc.close()
	npc.sampling = _sampling(20)
	var second := npc.say("Again.")
	await second.wait()
	box._process(0.0)  # To the second turn.
	box._process(0.1)
	report("slow", {"shown": box.shown_characters()})
	_press("ui_accept")
	box._process(0.0)
	report("skipped", {"all": box.shown_characters() == second.text.length(), "open": box.visible})
	_press("ui_accept")
	report("dismissed", {"open": box.visible})


func _press(action: StringName) -> void:
	var event := InputEventAction.new()
	event.action = action
	event.pressed = true
	Input.parse_input_event(event)
	Input.flush_buffered_events()


func _ask_in_vain() -> void:
	var npc := _make_npc("Mira", 4)
	_report_signals(npc)
	await npc.say("Anybody there?").wait()
	npc.fallback_lines = ["Not now, friend."]
	var frames := _frames
	var turn := npc.say("Hello?")
	await turn.wait()
	report(
		"fallback",
		{
			"text": turn.text,
			"error": turn.error,
			"is_fallback": turn.is_fallback,
			"frames": _frames - frames,
		}
	)
	npc.queue_free()


func _connect() -> void:
	_runtime.connect_to_runtime(arguments[0], arguments[1])


func _make_npc(character: String, tokens: int) -> NpcAgent:
	var npc := NpcAgent.new()
	npc.persona = NpcPersona.new()
	npc.persona.name = character
	npc.persona.description = "You keep the inn."
	npc.sampling = _sampling(tokens)
	add_child(npc)
	return npc


# Replies of an exact length, whatever the model would say.
func _sampling(tokens: int) -> NpcSampling:
	var sampling := NpcSampling.new()
	sampling.max_new_tokens = tokens
	sampling.min_new_tokens = tokens
	sampling.uses_seed = true
	sampling.random_seed = tokens
	return sampling


func _speaks(npc: NpcAgent) -> bool:
	return npc.current_turn != null and npc.current_turn.state == NpcTurn.State.SPEAKING


func _facts(turn: NpcTurn) -> Dictionary:
	return {
		"text": turn.text,
		"sentences": turn.sentences,
		"interrupted": turn.was_interrupted,
		"error": turn.error,
		"tokens": turn.generated_tokens,
		"ttft": turn.time_to_first_token_ms,
	}


func _report_signals(npc: NpcAgent) -> void:
	npc.thinking_started.connect(func(_turn: NpcTurn) -> void: report("thinking_started"))
	npc.reply_finished.connect(func(_turn: NpcTurn) -> void: report("reply_finished"))
	npc.interrupted.connect(func(_turn: NpcTurn) -> void: report("interrupted"))
	npc.failed.connect(func(message: String) -> void: report("failed", {"message": message}))
	npc.session_opened.connect(
		func(is_resumed: bool) -> void: report("session_opened", {"resumed": is_resumed})
	)
	npc.text_streamed.connect(func(text: String) -> void: report("text", {"text": text}))
	npc.sentence_ready.connect(func(text: String) -> void: report("sentence", {"text": text}))


# What the runtime itself has of the session.
func _report_session(npc: NpcAgent) -> void:
	var session: NpcSession = npc.get("_session")
	await get_tree().process_frame
	while session.state != NpcSession.State.OPEN or session.get("_stream").is_busy():
		await get_tree().process_frame
	var request := Townsfolk.GetSessionRequest.new()
	request.session_id = session.session_id
	var answer: Townsfolk.GetSessionResponse = await (
		_runtime.client().get_session(request).response()
	)
	var entries: Array = []
	for entry in answer.config.history:
		entries.append([entry.kind, entry.speaker, entry.text, entry.cut])
	var own: Array = []
	for entry in npc.transcript():
		own.append([entry["kind"], entry["speaker"], entry["text"], entry["cut"]])
	report(
		"session",
		{
			"entries": entries,
			"same": entries == own,
			"priority": answer.config.priority,
			"lore": answer.config.lore_ids,
		}
	)
