## The editor's dock: the runtime's state, its log, a chat with the selected persona, and a look
## into a runtime.
@tool
extends VBoxContainer

const ModelPicker := preload("model_picker.gd")
const RuntimeInspector := preload("runtime_inspector.gd")
const TestChat := preload("test_chat.gd")
const TownsfolkRuntime := preload("../runtime/townsfolk_runtime.gd")
const TownsfolkSettings := preload("../runtime/townsfolk_settings.gd")
const State := TownsfolkRuntime.State

const MAX_LOG_LINES := 500
const STATE_COLORS: Dictionary[State, Color] = {
	State.STOPPED: Color.GRAY,
	State.STARTING: Color.GOLD,
	State.CONNECTING: Color.GOLD,
	State.READY: Color.LIME_GREEN,
	State.WAITING: Color.ORANGE,
	State.FAILED: Color.TOMATO,
}

## The editor's own connection; the game's is another one.
var runtime := TownsfolkRuntime.new()
var chat: TestChat
## Shows the game's runtime while one is played from the editor, otherwise the dock's own.
var inspector := RuntimeInspector.new()
## Chooses the model; a runtime that the dock has started ends, as it has another one.
var picker := ModelPicker.new()

var _game_runtime: TownsfolkRuntime
var _light := ColorRect.new()
var _state_label := Label.new()
var _details_label := Label.new()
var _button := Button.new()
var _log := RichTextLabel.new()
var _tabs := TabContainer.new()


func _init() -> void:
	name = "Townsfolk"
	custom_minimum_size = Vector2(260, 320)
	add_child(runtime)
	runtime.state_changed.connect(_on_state_changed)
	runtime.log_received.connect(_on_log_received)
	runtime.stats_updated.connect(_on_stats_updated)
	add_child(_make_status_row())
	_details_label.autowrap_mode = TextServer.AUTOWRAP_WORD_SMART
	_details_label.theme_type_variation = &"HeaderSmall"
	add_child(_details_label)
	picker.chosen.connect(func(_model: String) -> void: make_room())
	add_child(picker)
	chat = TestChat.new(runtime)
	_log.name = "Log"
	_log.scroll_following = true
	_log.selection_enabled = true
	_tabs.size_flags_vertical = Control.SIZE_EXPAND_FILL
	_tabs.add_child(chat)
	_tabs.add_child(_log)
	inspector.runtime = runtime
	_tabs.add_child(inspector)
	add_child(_tabs)
	_on_state_changed(State.STOPPED)


## Starts the runtime as the Project Settings say, or stops it.
func toggle() -> void:
	if runtime.state != State.STOPPED and runtime.state != State.FAILED:
		runtime.stop()
	elif TownsfolkSettings.read(TownsfolkSettings.MODE) == TownsfolkSettings.Mode.CONNECT:
		runtime.connect_to_runtime()
	else:
		_log.clear()
		runtime.launch()


## Ends a runtime that the dock has started, as the game starts its own: two models need not share
## the memory. The chat goes on when it is started again.
func make_room() -> void:
	if runtime.process_id() != 0:
		runtime.stop()


## Looks into the runtime of a game that is played from the editor.
func inspect_game(address: String, token: String) -> void:
	leave_game()
	_game_runtime = TownsfolkRuntime.new()
	add_child(_game_runtime)
	_game_runtime.connect_to_runtime(address, token)
	inspector.runtime = _game_runtime


## The game is over.
func leave_game() -> void:
	inspector.runtime = runtime
	if _game_runtime != null:
		_game_runtime.queue_free()
	_game_runtime = null


func _make_status_row() -> Control:
	var row := HBoxContainer.new()
	_light.custom_minimum_size = Vector2(12, 12)
	_light.size_flags_vertical = Control.SIZE_SHRINK_CENTER
	_state_label.size_flags_horizontal = Control.SIZE_EXPAND_FILL
	_button.pressed.connect(toggle)
	for part: Control in [_light, _state_label, _button]:
		row.add_child(part)
	return row


func _on_state_changed(state: State) -> void:
	var names: Dictionary = {
		State.STOPPED: "Stopped",
		State.STARTING: "Starting…",
		State.CONNECTING: "Connecting…",
		State.READY: "Ready",
		State.WAITING: "Lost; trying again…",
		State.FAILED: "Failed",
	}
	_light.color = STATE_COLORS[state]
	_state_label.text = names[state]
	_details_label.text = runtime.message
	_details_label.visible = runtime.message != ""
	_button.text = "Start" if state == State.STOPPED or state == State.FAILED else "Stop"
	runtime.watches_stats = state == State.READY
	inspector.note_state()


func _on_log_received(line: String) -> void:
	_log.add_text(line + "\n")
	if _log.get_paragraph_count() > MAX_LOG_LINES:
		_log.remove_paragraph(0)
	if runtime.state == State.STARTING:
		_details_label.text = line
		_details_label.show()


func _on_stats_updated(stats: TownsfolkRuntime.Townsfolk.WatchStatsResponse) -> void:
	if runtime.info != null:
		var facts := [
			runtime.info.model, runtime.info.device, stats.sessions, stats.tokens_per_second
		]
		_details_label.text = "%s on %s, %d sessions, %.0f tokens/s" % facts
