# Runtimes of other versions of the contract: ADDRESS and TOKEN.
extends "res://drivers/npc.gd"

const Contract := preload("res://addons/townsfolk/runtime/contract.gd")


func meet() -> void:
	_connect()
	while _runtime.state != _runtime.State.READY and _runtime.state != _runtime.State.FAILED:
		await _runtime.state_changed
	report("met", {"ready": _runtime.is_ready(), "message": _runtime.message})
	var turn := _make_npc("Mira", 12).say("Hello!", "Anna")
	await turn.wait()
	report("turn", _facts(turn))


func table() -> void:
	for case: String in arguments:
		var versions := case.split("-")
		var client := _version(versions[0])
		var runtime := _version(versions[1])
		report(
			case,
			{
				"works": Contract.works(client, runtime),
				"upgrade": Contract.upgrade(client, runtime),
			}
		)


static func _version(written: String) -> Vector2i:
	return Vector2i(written.get_slice(".", 0).to_int(), written.get_slice(".", 1).to_int())
