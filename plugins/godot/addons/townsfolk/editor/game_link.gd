## Learns from a game that is played from the editor where its runtime is.
@tool
extends EditorDebuggerPlugin

## A game's runtime can be spoken to: "host:port" and the token that it wants.
signal game_connected(address: String, token: String)
## The game is over.
signal game_ended

const TownsfolkRuntime := preload("../runtime/townsfolk_runtime.gd")


func _has_capture(capture: String) -> bool:
	return capture == TownsfolkRuntime.DEBUGGER_CAPTURE


func _capture(message: String, data: Array, _session_id: int) -> bool:
	if message != TownsfolkRuntime.ENDPOINT_MESSAGE or data.size() != 2:
		return false
	game_connected.emit(str(data[0]), str(data[1]))
	return true


func _setup_session(session_id: int) -> void:
	get_session(session_id).stopped.connect(game_ended.emit)
