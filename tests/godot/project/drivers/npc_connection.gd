# What differs with the way to the runtime: transports, TLS, lost connections, exports.
extends "res://drivers/npc.gd"

const Dialogue := preload("res://addons/townsfolk/generated/dialogue.gd")
const RuntimeLink := preload("res://addons/townsfolk/runtime/runtime_link.gd")
const TownsfolkSettings := preload("res://addons/townsfolk/runtime/townsfolk_settings.gd")


# In a browser the rest waits, and everybody gets an answer.
func twenty_over_six_connections() -> void:
	_connect()
	_runtime.get("_link").get("_channel").set("max_connections", 6)
	await _speak_all_at_once(24)


# All by the Project Settings, as a game has them: address, token, TLS and the certificate.
func settings_with_tls() -> void:
	var web := "web_" if OS.get_environment("TOWNSFOLK_TEST_TRANSPORT") == "2" else ""
	ProjectSettings.set_setting("townsfolk/connection/%saddress" % web, arguments[0])
	ProjectSettings.set_setting("townsfolk/connection/token", arguments[1])
	ProjectSettings.set_setting("townsfolk/connection/use_tls", true)
	ProjectSettings.set_setting("townsfolk/connection/ca_certificate", arguments[2])
	_runtime.connect_to_runtime()
	var npc := _make_npc("Mira", 8)
	npc.fallback_lines = ["Not now, friend."]
	var turn := npc.say("Good evening!")
	await turn.wait()
	report("turn", _facts(turn))
	report("state", {"message": _runtime.message})


# An exported game: nothing but what the export wrote down says what to start.
func exported() -> void:
	var npc := _make_npc("Mira", 8)
	var turn := npc.say("Good evening!")
	await turn.wait()
	report(
		"turn",
		_facts(turn).merged(
			{"pid": _runtime.process_id(), "model": _runtime.message.get_slice(" ", 0)}
		)
	)


# The runtime forgets a session that was idle for long, when no stream holds it.
func idle_for_long() -> void:
	_connect()
	var npc := _make_npc("Mira", 8)
	npc.session_opened.connect(
		func(is_resumed: bool) -> void: report("session_opened", {"resumed": is_resumed})
	)
	await npc.say("First.").wait()
	await _expiry_of_another()
	npc.notify("A dog barks.")
	var turn := npc.say("Second.")
	await turn.wait()
	report("turn", _facts(turn))
	await _report_session(npc)


# A session that nobody holds is idle from now on: when it is gone, those that were idle before are.
func _expiry_of_another() -> void:
	var opening := Townsfolk.OpenSessionRequest.new()
	opening.open = Townsfolk.OpenSession.new()
	opening.open.config = Dialogue.SessionConfig.new()
	opening.open.config.persona = Dialogue.Persona.new()
	opening.open.config.persona.name = "Witness"
	var opened: Townsfolk.OpenSessionResponse = await (
		_runtime.client().open_session(opening).response()
	)
	var is_open := true
	while is_open:
		var listed: Townsfolk.ListSessionsResponse = await (
			_runtime.client().list_sessions(Townsfolk.ListSessionsRequest.new()).response()
		)
		is_open = listed.sessions.any(
			func(each: Townsfolk.SessionSummary) -> bool:
				return each.session_id == opened.opened.session_id
		)


func connection_cut() -> void:
	_connect()
	var npc := _make_npc("Mira", 8)
	npc.session_opened.connect(
		func(is_resumed: bool) -> void: report("session_opened", {"resumed": is_resumed})
	)
	await npc.say("First.").wait()
	# As if the network had failed: the connection goes, the runtime stays.
	var socket: Variant = _runtime.get("_link").get("_channel").get("_socket")
	if socket != null:
		socket.close("cut by the test")
	else:
		_runtime.get("_link").get("_channel").call("_fail", "cut by the test")
	await npc.say("Second.").wait()
	await _report_session(npc)


# Nobody says anything while the runtime goes: gRPC-Web has to ask for it.
func killed_while_idle() -> void:
	_connect()
	await _make_npc("Mira", 4).say("Hello.").wait()
	OS.execute("kill", ["-9", arguments[2]])
	await _runtime.connection_lost
	report("state", {"state": _runtime.state})


# What is asked of the runtime when the game lets go of it ends, and nobody has lost anything.
func stopped_while_asked() -> void:
	_runtime.state_changed.connect(
		func(state: TownsfolkRuntime.State) -> void: report("state", {"state": state})
	)
	_connect()
	while _calls_under_way() == 0:  # since it is asked what it is
		await get_tree().process_frame
	report("asked", {"calls": _calls_under_way()})
	_runtime.stop()
	report("stopped", {"attempts": _runtime.get("_backoff").get("failures")})
	_connect()
	while not _runtime.is_ready():
		await get_tree().process_frame
	var link: RuntimeLink = _runtime.get("_link")
	_runtime.reports_frames = false
	while _calls_under_way() > 0:
		await get_tree().process_frame
	link.set("_checked_at_usec", -1_000_000_000)
	link.call("_check_web_connection")
	report("asked", {"calls": _calls_under_way()})
	_runtime.stop()
	report("stopped", {"attempts": _runtime.get("_backoff").get("failures")})


func _calls_under_way() -> int:
	return _runtime.get("_link").get("_channel").call("call_count")


func exported_for_ever() -> void:
	await exported()
	await get_tree().create_timer(300.0).timeout


# As the Project Settings say, with one that shares.
func launched_with_others() -> void:
	ProjectSettings.set_setting(TownsfolkSettings.SHARE, true)
	var lines: Array[String] = []
	_runtime.log_received.connect(lines.append)
	await launched()
	# It comes before the answer or, on a busy machine, behind it.
	while not lines.any(func(line: String) -> bool: return "starting a shared runtime" in line):
		await _runtime.log_received
