## Parts of a persona that weigh more in the answers.
extends "res://drivers/npc.gd"


func parts_of_a_persona() -> void:
	_connect()
	var npc := _make_npc("Mira", 4)
	npc.persona.contrast_strength = 0.5
	npc.persona.contrast_fields = 2
	report("problem", {"text": npc.persona.problem()})
	npc.persona.goals = ["Sell ale"]
	npc.persona.contrast_fields = 31
	var turn := npc.say("Hello")
	await turn.wait()
	var request := Townsfolk.GetSessionRequest.new()
	request.session_id = (npc.get("_session") as NpcSession).session_id
	var saved: Townsfolk.GetSessionResponse = await (
		_runtime.client().get_session(request).response()
	)
	var kept := saved.config.contrast
	report("turn", {"error": turn.error, "strength": kept.strength, "fields": kept.fields})
