## For developers, on F3: what the runtime and each character's session are doing.
extends CanvasLayer

const TownsfolkRuntime := preload("res://addons/townsfolk/runtime/townsfolk_runtime.gd")
const SECONDS_BETWEEN := 0.25

## Whose sessions to show.
var villagers: Array[Villager] = []

var _wait := 0.0
var _text := RichTextLabel.new()

@onready var _runtime: TownsfolkRuntime = get_node("/root/TownsfolkRuntime")


func _ready() -> void:
	process_mode = Node.PROCESS_MODE_ALWAYS
	var panel := PanelContainer.new()
	panel.mouse_filter = Control.MOUSE_FILTER_IGNORE
	panel.position = Vector2(14, 62)
	panel.theme_type_variation = &"Overlay"
	_text.bbcode_enabled = true
	_text.fit_content = true
	_text.autowrap_mode = TextServer.AUTOWRAP_OFF
	_text.mouse_filter = Control.MOUSE_FILTER_IGNORE
	_text.add_theme_font_size_override(&"normal_font_size", 13)
	_text.add_theme_font_size_override(&"bold_font_size", 13)
	panel.add_child(_text)
	add_child(panel)
	show_it(false)


func show_it(is_shown: bool) -> void:
	visible = is_shown
	set_process(is_shown)
	_runtime.watches_stats = is_shown
	_wait = 0.0


func _unhandled_key_input(event: InputEvent) -> void:
	var key := event as InputEventKey
	if key.physical_keycode == KEY_F3 and key.pressed and not key.echo:
		show_it(not visible)


func _process(delta: float) -> void:
	_wait -= delta
	if _wait <= 0.0:
		_wait = SECONDS_BETWEEN
		_text.text = "\n".join([_runtime_lines(), _pace_line(), _frame_line(), "", _sessions()])


func _runtime_lines() -> String:
	if not _runtime.is_ready():
		return "[b]Runtime[/b]  %s" % _runtime.message.replace("[", "[lb]")
	var info := _runtime.info
	var stats := _runtime.stats
	var cached := 100.0 * stats.cached_tokens_total / maxf(1.0, stats.prompt_tokens_total)
	return (
		"[b]Runtime[/b]  %s on %s, %d MiB\n" % [info.model, info.device, stats.memory_used_mib]
		+ (
			"%d speaking, %d waiting, %d sessions   %.0f tokens/s\n"
			% [stats.running, stats.waiting, stats.sessions, stats.tokens_per_second]
		)
		+ (
			"first token %.0f ms, p99 %.0f ms   %.0f %% of prompts from the cache"
			% [stats.ttft_p50_ms, stats.ttft_p99_ms, cached]
		)
	)


func _pace_line() -> String:
	var pace := _runtime.stats.pace
	if pace == null:
		return "[b]Pace[/b]  no frames are reported"
	return (
		"[b]Pace[/b]  %s, frame %.1f ms, %.1f ms for the runtime; %d steps waited, %d forced"
		% [
			str(TownsfolkRuntime.Townsfolk.PacePolicy.find_key(pace.policy)).to_lower(),
			pace.frame_ms,
			pace.budget_ms,
			pace.steps_delayed,
			pace.steps_forced,
		]
	)


func _frame_line() -> String:
	return (
		"[b]Game[/b]  %d frames/s, %.1f ms of processing a frame"
		% [Engine.get_frames_per_second(), Performance.get_monitor(Performance.TIME_PROCESS) * 1e3]
	)


func _sessions() -> String:
	var cells := PackedStringArray()
	for heading: String in ["Character", "", "Remembers", "Last answer"]:
		cells.append("[cell padding=0,0,14,0][b]%s[/b][/cell]" % heading)
	for villager in villagers:
		for value: String in _session_of(villager):
			cells.append("[cell padding=0,0,14,0]%s[/cell]" % value)
	return "[table=4]%s[/table]" % "".join(cells)


func _session_of(villager: Villager) -> Array[String]:
	var agent := villager.agent
	var turn := villager.last_turn
	var doing := "listens"
	if agent.current_turn != null:
		var is_speaking := agent.current_turn.state == NpcTurn.State.SPEAKING
		doing = "speaks" if is_speaking else "thinks"
	var last := ""
	if turn != null:
		last = (
			"%d tokens, first %.0f ms, %.0f/s, %s"
			% [
				turn.generated_tokens,
				turn.time_to_first_token_ms,
				turn.tokens_per_second,
				str(NpcTurn.FinishReason.find_key(turn.finish_reason)).to_lower(),
			]
		)
	var color := villager.persona.color.lightened(0.2).to_html(false)
	return [
		"[color=#%s]%s[/color]" % [color, villager.persona.name],
		doing,
		"%d lines" % agent.transcript().size(),
		last,
	]
