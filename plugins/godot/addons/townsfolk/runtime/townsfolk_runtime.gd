## The connection to the Townsfolk runtime; the add-on makes it the autoload "TownsfolkRuntime".
##
## It starts a runtime with the game or connects to a running one (Project Settings > Townsfolk),
## keeps the connection, and starts again what was lost. All NpcAgent nodes share it.
@tool
extends Node

## The runtime can be spoken to, or no longer.
signal ready_changed(is_ready: bool)
## The state has changed; [member message] says more.
signal state_changed(state: State)
## The connection broke although nobody wanted it to; it is tried again.
signal connection_lost(reason: String)
## While a runtime starts: what it does, from its log.
signal startup_progressed(message: String)
## A line of the started runtime's log.
signal log_received(line: String)
## New counters of the engine; see [member watches_stats].
signal stats_updated(stats: Townsfolk.WatchStatsResponse)

## STOPPED: nothing is wanted. STARTING: a child process loads its model. CONNECTING: to a runtime
## that runs. READY: it can be spoken to. WAITING: for the next attempt. FAILED: given up.
enum State { STOPPED, STARTING, CONNECTING, READY, WAITING, FAILED }

const Backoff := preload("backoff.gd")
const ConverseStream := preload("converse_stream.gd")
const EndingProcesses := preload("ending_processes.gd")
const FrameReporter := preload("frame_reporter.gd")
const GrpcCall := preload("../transport/grpc_call.gd")
const NpcCast := preload("npc_cast.gd")
const LorePack := preload("../resources/lore_pack.gd")
const LoreRegister := preload("lore_register.gd")
const PollBudget := preload("poll_budget.gd")
const RuntimeLink := preload("runtime_link.gd")
const RuntimeProcess := preload("runtime_process.gd")
const SessionStream := preload("session_stream.gd")
const Townsfolk := preload("../generated/townsfolk.gd")
const TownsfolkSettings := preload("townsfolk_settings.gd")
const UnaryStream := preload("unary_stream.gd")

## The name of the autoload.
const AUTOLOAD := "TownsfolkRuntime"
## How a game that is played from the editor tells it where its runtime is: address and token.
const DEBUGGER_CAPTURE := "townsfolk"
const ENDPOINT_MESSAGE := "townsfolk:runtime"
## A runtime that was started and ended so many times in a row is not started again.
const MAX_RESTARTS := 5
const RELEASE_TIMEOUT_SECONDS := 10.0

## What the runtime is doing.
var state := State.STOPPED
## What the state means just now: an error, or what is being waited for.
var message := ""
## What runs there: model, device, limits. Null until the runtime is ready.
var info: Townsfolk.GetRuntimeInfoResponse
## The counters that came last.
var stats := Townsfolk.WatchStatsResponse.new()
## Whether the engine's counters are asked for, once a second.
var watches_stats := false:
	set(value):
		watches_stats = value
		_watch_stats()
## Time that one frame may spend on the network, in milliseconds.
var frame_budget_ms: float = TownsfolkSettings.read(TownsfolkSettings.FRAME_BUDGET)
## Whether the runtime is told of the game's frames, so that it computes between them.
var reports_frames: bool = TownsfolkSettings.read(TownsfolkSettings.REPORT_FRAMES):
	set(value):
		reports_frames = value
		_report_frames()
## What the runtime is to give up for frames: smooth, balanced or fast.
var pace_policy: Townsfolk.PacePolicy = TownsfolkSettings.read(TownsfolkSettings.PACE_POLICY):
	set(value):
		pace_policy = value
		_frames.policy = value
## For agents: all characters of the game; see [method save_npcs].
var cast := NpcCast.new()
## How often the connection was made; each time the runtime may be another one.
var connection_count := 0

var _child: RuntimeProcess
var _ending := EndingProcesses.new()
var _link: RuntimeLink
var _launch := Callable()  # starts the child again, when this side started it
var _address := ""
var _token := ""
var _backoff := Backoff.new()
var _was_ready := false
var _stats_call: GrpcCall
var _lore := LoreRegister.new()
var _frames := FrameReporter.new()
var _poll_budget := PollBudget.new()


func _init() -> void:
	process_mode = Node.PROCESS_MODE_ALWAYS
	# Before the game's own nodes, so that what has come is there in the same frame.
	process_priority = -1000
	_frames.policy = pace_policy
	add_child(_frames, false, Node.INTERNAL_MODE_FRONT)


func _ready() -> void:
	if Engine.is_editor_hint():
		return
	match TownsfolkSettings.read(TownsfolkSettings.MODE):
		TownsfolkSettings.Mode.LAUNCH:
			launch()
		TownsfolkSettings.Mode.CONNECT:
			connect_to_runtime()


func _process(_delta: float) -> void:
	_frames.begin_frame()
	if _child != null:
		_child.poll()
	_ending.poll()
	if _link != null and _poll_budget.allows_poll():
		_link.poll(int(frame_budget_ms * 1000.0))
		_poll_budget.note_poll()
	if state == State.WAITING and _backoff.is_over():
		_try_again()


func _exit_tree() -> void:
	stop()


## Starts a runtime of this game's own. What is left empty comes from the Project Settings.
func launch(executable := "", model := "", arguments := PackedStringArray()) -> void:
	_let_go()
	if OS.has_feature("web"):
		_give_up(
			(
				"a web page can't start a runtime: set Project Settings > Townsfolk > Runtime > Mode "
				+ "to connect to one"
			)
		)
		return
	var settings := TownsfolkSettings.launch_settings()
	_launch = _start_process.bind(
		settings["executable"] if executable == "" else executable,
		settings["model"] if model == "" else model,
		settings["arguments"] if arguments.is_empty() else arguments
	)
	_launch.call()


## Connects to a runtime that runs already. What is left empty comes from the Project Settings.
func connect_to_runtime(address := "", token := "") -> void:
	_let_go()
	var is_web := TownsfolkSettings.uses_grpc_web()
	var setting := TownsfolkSettings.WEB_ADDRESS if is_web else TownsfolkSettings.ADDRESS
	_address = TownsfolkSettings.read(setting) if address == "" else address
	_token = TownsfolkSettings.read(TownsfolkSettings.TOKEN) if token == "" else token
	_open_link()


## Ends the connection, and the runtime if this game started it.
func stop() -> void:
	_let_go()
	_set_state(State.STOPPED, "")


## Whether the runtime can be spoken to now.
func is_ready() -> bool:
	return state == State.READY and _link != null


## Whether a turn that is asked for now can hope for an answer soon.
func is_hopeful() -> bool:
	var is_under_way := state == State.STARTING or state == State.CONNECTING
	return is_under_way or state == State.READY or (state == State.WAITING and _was_ready)


## The process id of the runtime that this game started; 0 when there is none.
func process_id() -> int:
	return 0 if _child == null else _child.pid


## Where the runtime is, for other tools: "address" is "host:port"; "token" is what it wants.
func endpoint() -> Dictionary[String, String]:
	return {"address": _address, "token": _token}


## The calls of the service; null until the runtime is ready.
func client() -> Townsfolk.TownsfolkServiceClient:
	return _link.client if is_ready() else null


## For sessions: a new way to the runtime; null until it is ready.
func make_session_stream() -> SessionStream:
	if client() == null:
		return null
	if _link.can_stream_requests:
		return ConverseStream.new(client())
	return UnaryStream.new(client())


## For agents: warns of two lore packs that share an id and differ; a runtime has one text for it.
func check_pack(pack: LorePack) -> void:
	_lore.check_pack(pack)


## Registers lore, once for each connection. Returns an error message, or an empty string.
func register_lore(lore_id: String, text: String) -> String:
	return message if client() == null else await _lore.register(client(), lore_id, text)


## Forgets lore; who was opened with it keeps it. Returns an error message, or an empty string.
func remove_lore(lore_id: String) -> String:
	return message if client() == null else await _lore.remove(client(), lore_id)


## Has the runtime give its model's memory back, as for a loading screen. Answers under way pause,
## and go on when the model is back: with the next line that is said, or with [method warm], and
## with until_warm only then. Returns an error message, or an empty string.
func release(until_warm := false) -> String:
	if client() == null:
		return message
	var request := Townsfolk.ReleaseRequest.new()
	request.until_warm = until_warm
	var status := await client().release(request, RELEASE_TIMEOUT_SECONDS).wait()
	return "" if status.is_ok() else status.message


## Has the runtime load its model, and waits for that. Returns an error message, or an empty string.
func warm() -> String:
	if client() == null:
		return message
	var timeout: float = TownsfolkSettings.read(TownsfolkSettings.START_TIMEOUT)
	var status := await client().warm(Townsfolk.WarmRequest.new(), timeout).wait()
	return "" if status.is_ok() else status.message


## What all characters in the scene tree remember, and those with a [member NpcAgent.save_key] that
## have left it, as plain data for a saved game: pass it to [method restore_npcs].
func save_npcs() -> Dictionary:
	return cast.save()


## Has all characters go on from a saved game; those that it does not know begin anew, and those
## that are not in the scene tree take up theirs when they enter it. Returns what is wrong with the
## saved game, and then changes nothing; or an empty string.
func restore_npcs(saved: Dictionary) -> String:
	return cast.restore_all(saved)


# Another runtime, or none, comes next. What waits for an answer goes on waiting.
func _let_go() -> void:
	_launch = Callable()
	_address = ""
	_backoff.reset()
	_was_ready = false
	_drop_link()
	if _child != null:
		_ending.add(_child)
		_child = null


func _start_process(executable: String, model: String, arguments: PackedStringArray) -> void:
	_child = RuntimeProcess.new()
	_child.serves_grpc_web = TownsfolkSettings.uses_grpc_web()
	_child.ready.connect(_on_process_ready)
	_child.ended.connect(_on_process_ended)
	_child.line_logged.connect(_on_line_logged)
	var timeout: float = TownsfolkSettings.read(TownsfolkSettings.START_TIMEOUT)
	var error := _child.start(executable, model, arguments, timeout)
	if error == "":
		_set_state(State.STARTING, "the runtime is starting")
	else:
		_child = null
		_give_up(error)


func _on_process_ready(address: String, token: String) -> void:
	_address = address
	_token = token
	_open_link()


func _on_process_ended(reason: String) -> void:
	_child = null
	_drop_link(reason)
	if _was_ready and _backoff.failures < MAX_RESTARTS:
		_lose_connection(reason)
	else:
		_give_up(reason)


func _on_line_logged(line: String) -> void:
	log_received.emit(line)
	if state == State.STARTING:
		startup_progressed.emit(line)


func _open_link() -> void:
	_drop_link()
	_link = RuntimeLink.new(_address, _token, _launch.is_valid())
	_link.opened.connect(_on_link_opened)
	_link.refused.connect(_on_link_refused)
	_link.lost.connect(_on_link_lost)
	_set_state(State.CONNECTING, "connecting to %s" % _address)
	_link.open()


func _on_link_opened(runtime_info: Townsfolk.GetRuntimeInfoResponse) -> void:
	info = runtime_info
	_backoff.reset()
	_was_ready = true
	connection_count += 1
	_lore.start_over()
	_set_state(State.READY, "%s on %s" % [info.model, info.device])
	_watch_stats()
	_report_frames()
	_tell_editor()


func _on_link_refused(reason: String) -> void:
	_let_go()
	_give_up(reason)


func _on_link_lost(reason: String) -> void:
	_drop_link()
	_lose_connection(reason)


func _lose_connection(reason: String) -> void:
	var was_ready := state == State.READY
	_backoff.fail()
	_set_state(State.WAITING, reason)
	if was_ready:
		connection_lost.emit(reason)
	elif _backoff.failures == 1:
		push_warning("Townsfolk: %s" % reason)


func _try_again() -> void:
	if _launch.is_valid() and _child == null:
		_launch.call()
	else:
		_open_link()


func _give_up(reason: String) -> void:
	push_warning("Townsfolk: %s" % reason)
	var was_ready := state == State.READY
	_set_state(State.FAILED, reason)
	if was_ready:
		connection_lost.emit(reason)


func _drop_link(reason := "") -> void:
	var dropped := _link
	_link = null
	_stats_call = null
	_frames.drop()
	if dropped != null:
		# Last: who waits for a call goes on at once, and must find that the connection is let go of.
		dropped.close(reason)


# In the editor nothing is drawn that a game would miss.
func _report_frames() -> void:
	if not reports_frames or Engine.is_editor_hint():
		_frames.stop()
	elif is_ready():
		_frames.start(client(), not info.device.begins_with("cpu"))


func _tell_editor() -> void:
	if EngineDebugger.is_active() and not Engine.is_editor_hint():
		EngineDebugger.send_message(ENDPOINT_MESSAGE, [_address, _token])


func _watch_stats() -> void:
	if watches_stats and is_ready() and _stats_call == null:
		_stats_call = client().watch_stats(Townsfolk.WatchStatsRequest.new())
		_stats_call.message_received.connect(_on_stats_received)
	elif not watches_stats and _stats_call != null:
		_stats_call.cancel()
		_stats_call = null


func _on_stats_received(received: Townsfolk.WatchStatsResponse) -> void:
	stats = received
	stats_updated.emit(stats)


func _set_state(new_state: State, new_message: String) -> void:
	message = new_message
	if state == new_state:
		return
	var was_ready := state == State.READY
	state = new_state
	if was_ready:
		info = null
	state_changed.emit(state)
	if was_ready != is_ready():
		ready_changed.emit(is_ready())
