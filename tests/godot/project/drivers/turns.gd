## How turns end, and what characters forget.
extends "res://drivers/npc.gd"


func endings() -> void:
	_connect()
	var npc := _make_npc("Mira", 64)
	await _report_ending("whole", npc.say("Go on."))
	npc.sampling.min_new_tokens = 0
	npc.sampling.max_new_tokens = 3
	await _report_ending("long", npc.say("Go on."))
	npc.sampling.max_new_tokens = 64
	var late: NpcTurn = null
	for seconds: float in [0.5, 2.0, 8.0]:  # until one is long enough for a first word
		npc.deadline_seconds = seconds
		late = npc.say("Take your time.")
		await late.wait()
		if late.error.is_empty():
			break
	await _report_ending("late", late)
	npc.deadline_seconds = 0.0
	var cut := npc.say("Take your time.")
	await cut.text_streamed
	cut.interrupt(2)
	await _report_ending("cut", cut)
	var heard := npc.say("Go on.")
	await heard.wait()
	heard.interrupt(3)
	await _report_ending("heard", heard)
	npc.fallback_lines = ["Not now."]
	await _report_ending("fallback", npc.say("Fail."))


func forgetting() -> void:
	_connect()
	var npc := _make_npc("Mira", 16)
	var forgotten: Array[Dictionary] = []
	npc.lines_forgotten.connect(
		func(lines: Array[Dictionary]) -> void: forgotten.append_array(lines)
	)
	var said: Array[String] = []
	while forgotten.is_empty() and said.size() < 60:
		said.append("This is line %d." % said.size())
		await npc.say(said[-1]).wait()
	var kept := npc.transcript()
	report("forgotten", {"lines": forgotten, "kept": kept, "said": said})


func _report_ending(name: String, turn: NpcTurn) -> void:
	await turn.wait()
	var reason: String = NpcTurn.FinishReason.find_key(turn.finish_reason)
	report(name, {"reason": reason, "is_cut": turn.is_cut(), "text": turn.text})
