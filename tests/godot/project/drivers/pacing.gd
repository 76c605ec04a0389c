# A runtime that is told of frames, and that releases its model: ADDRESS and TOKEN.
extends "res://drivers/npc.gd"


func frames() -> void:
	_connect()
	_runtime.watches_stats = true
	_runtime.pace_policy = Townsfolk.PacePolicy.SMOOTH
	await _until(func() -> bool: return _runtime.stats.pace != null)
	var npc := _make_npc("Mira", 12)
	var turn := npc.say("Good evening!", "Anna")
	await turn.wait()
	# A machine that was too busy to draw has told of no frames for a while.
	await _until(func() -> bool: return _runtime.stats.pace != null)
	var pace := _runtime.stats.pace
	report("paced", {"policy": pace.policy, "frame": pace.frame_ms, "error": turn.error})
	_runtime.reports_frames = false
	await _until(func() -> bool: return _runtime.stats.pace == null)
	report("unpaced")
	_runtime.reports_frames = true
	await _until(func() -> bool: return _runtime.stats.pace != null)
	report("paced again")


func release_and_warm() -> void:
	_connect()
	report("early", {"error": await _runtime.release()})
	await _until(_runtime.is_ready)
	var npc := _make_npc("Mira", 12)
	await npc.say("Good evening!", "Anna").wait()
	report("released", {"error": await _runtime.release(true)})
	var turn := npc.say("And how are you?", "Anna")
	var request := Townsfolk.GetRuntimeInfoRequest.new()
	var info: Townsfolk.GetRuntimeInfoResponse = await (
		_runtime.client().get_runtime_info(request).response()
	)
	report("model", {"state": info.model_state, "done": turn.is_done()})
	report("warm", {"error": await _runtime.warm()})
	await turn.wait()
	report("turn", _facts(turn))
