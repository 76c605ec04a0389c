## What of an answer is said aloud.
extends "res://drivers/npc.gd"


func directions() -> void:
	_connect()
	for way: String in NpcAgent.StageDirections:
		var npc := _make_npc("Mira", 64)
		npc.stage_directions = NpcAgent.StageDirections[way]
		var given: Array[String] = []
		npc.direction_given.connect(given.append)
		var turn := npc.say("Good evening.")
		await turn.wait()
		var ends := Array(turn.sentence_ends)
		var done := turn.direction_places.map(
			func(place: Vector2i) -> String: return turn.text.substr(place.x, place.y)
		)
		report(
			way,
			{
				"text": turn.text,
				"given": given,
				"directions": turn.directions,
				"done": done,
				"sentences": turn.sentences,
				"until": ends.map(func(end: int) -> String: return turn.text.left(end)),
			}
		)
	report("done", {})
