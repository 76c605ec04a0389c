## What goes on in a runtime: sessions, the exact prompt with what came from the cache, waits and
## times, transcript, errors. The same as `townsfolk inspect` shows.
@tool
extends VBoxContainer

const Dialogue := preload("../generated/dialogue.gd")
const RuntimeLook := preload("runtime_look.gd")
const RuntimeRecorder := preload("runtime_recorder.gd")
const Sampling := preload("../generated/sampling.gd")
const Townsfolk := preload("../generated/townsfolk.gd")
const TownsfolkRuntime := preload("../runtime/townsfolk_runtime.gd")
const TownsfolkSettings := preload("../runtime/townsfolk_settings.gd")

const INTERVAL_SECONDS := 1.0
const SESSION_COLUMNS := ["Character", "Session", "Lines", "Waits"]
const TURN_COLUMNS := [
	"Turn",
	"State",
	"Queued ms",
	"Prompt ms",
	"First token ms",
	"Total ms",
	"Tokens",
	"ms/token",
	"Prompt",
	"Cached"
]
const ERROR_COLUMNS := ["Time", "Code", "Call", "Turn", "Message"]
const CACHED_COLOR := Color(0.55, 0.55, 0.55)
const COMPUTED_COLOR := Color.PALE_GREEN
const HEAD_COLOR := Color.WHITE_SMOKE

## The runtime that is looked into: the game's while one is played, otherwise the dock's own.
var runtime: TownsfolkRuntime:
	set(value):
		runtime = value
		_chosen = ""
		_show(null)

var _chosen := ""
var _is_looking := false
var _looked_at_usec := 0
var _recorder := RuntimeRecorder.new()
var _whose := Label.new()
var _pause := CheckButton.new()
var _without_texts := CheckBox.new()
var _record := Button.new()
var _sessions := Tree.new()
var _tabs := TabContainer.new()
var _prompt := RichTextLabel.new()
var _turns := Tree.new()
var _transcript := RichTextLabel.new()
var _errors := Tree.new()
var _status := Label.new()
var _shown: Dictionary[RichTextLabel, String] = {}  # what a text was made of


func _init() -> void:
	name = "Inspect"
	_pause.text = "Pause"
	_pause.tooltip_text = "Keep what is shown."
	_without_texts.text = "No texts"
	_without_texts.tooltip_text = "Record nothing that players or writers wrote."
	_record.text = "Record…"
	_record.tooltip_text = "Write all that is seen to a file for a bug report, without tokens."
	_record.pressed.connect(_on_record_pressed)
	_whose.size_flags_horizontal = Control.SIZE_EXPAND_FILL
	var row := HBoxContainer.new()
	for part: Control in [_whose, _pause, _without_texts, _record]:
		row.add_child(part)
	add_child(row)
	_make_table(_sessions, SESSION_COLUMNS)
	_sessions.custom_minimum_size.y = 72
	_sessions.item_selected.connect(_on_session_selected)
	add_child(_sessions)
	_make_table(_turns, TURN_COLUMNS)
	_make_table(_errors, ERROR_COLUMNS)
	var pages: Dictionary[String, Control] = {
		"Prompt": _prompt, "Turns": _turns, "Transcript": _transcript, "Errors": _errors
	}
	for title in pages:
		pages[title].name = title
		_tabs.add_child(pages[title])
	for text: RichTextLabel in [_prompt, _transcript]:
		text.selection_enabled = true
	_tabs.size_flags_vertical = Control.SIZE_EXPAND_FILL
	_tabs.custom_minimum_size.y = 200
	add_child(_tabs)
	_status.autowrap_mode = TextServer.AUTOWRAP_WORD_SMART
	add_child(_status)


func _process(_delta: float) -> void:
	_recorder.poll()
	_record.text = "Record…" if _recorder.path == "" else "Stop recording"
	if _recorder.problem != "":
		_status.text = _recorder.problem
	var is_wanted := runtime != null and is_visible_in_tree() and not _pause.button_pressed
	if not is_wanted or _is_looking or not runtime.is_ready():
		return
	if Time.get_ticks_usec() - _looked_at_usec >= INTERVAL_SECONDS * 1e6:
		look()


func _exit_tree() -> void:
	_recorder.stop()


## Looks at the runtime now, and shows it.
func look() -> void:
	_is_looking = true
	runtime.watches_stats = true
	var looked_at := runtime
	var seen: RuntimeLook = await RuntimeLook.take(runtime.client(), _chosen)
	_is_looking = false
	_looked_at_usec = Time.get_ticks_usec()
	if seen != null and looked_at == runtime:
		_chosen = seen.chosen
		_show(seen)


## The runtime's state has changed: of one that is gone nothing is shown.
func note_state() -> void:
	if runtime != null and not runtime.is_ready():
		_show(null)


## Begins to write all that is seen to a file, or says why it can't.
func record(file: String) -> void:
	if runtime == null or not runtime.is_ready():
		_status.text = "no runtime is there to record"
	elif TownsfolkSettings.uses_grpc_web():
		_status.text = "a runtime that is spoken to by gRPC-Web can't be recorded from here"
	else:
		var endpoint := runtime.endpoint()
		var is_bare := _without_texts.button_pressed
		_recorder.start(endpoint["address"], endpoint["token"], file, is_bare)


func _on_record_pressed() -> void:
	if _recorder.path != "":
		_recorder.stop()
		return
	var dialog := EditorFileDialog.new()
	dialog.access = EditorFileDialog.ACCESS_FILESYSTEM
	dialog.file_mode = EditorFileDialog.FILE_MODE_SAVE_FILE
	dialog.add_filter("*.jsonl", "Recordings")
	dialog.file_selected.connect(record)
	dialog.visibility_changed.connect(
		func() -> void:
			if not dialog.visible:
				dialog.queue_free()
	)
	add_child(dialog)
	dialog.popup_file_dialog()


func _on_session_selected() -> void:
	var chosen: String = _sessions.get_selected().get_metadata(0)
	if chosen != _chosen:
		_chosen = chosen
		_looked_at_usec = 0


func _show(seen: RuntimeLook) -> void:
	_whose.text = "no runtime" if runtime == null else runtime.message
	_sessions.clear()
	_turns.clear()
	_errors.clear()
	if seen == null:
		_show_text(_prompt, "", [])
		_show_text(_transcript, "", [])
		return
	var root := _sessions.create_item()
	for summary in seen.sessions:
		var character := summary.persona_name + (" *" if summary.speaking else "")
		var waits := seen.seen[summary.session_id].queued_turns
		var row := _add_row(
			_sessions, root, [character, summary.session_id, summary.transcript_entries, waits]
		)
		row.set_metadata(0, summary.session_id)
		if summary.session_id == seen.chosen:
			row.select(0)
	_show_prompt(seen)
	_show_turns(seen)
	_show_transcript(seen)
	var errors_root := _errors.create_item()
	for error in seen.all_errors():
		var when := Time.get_time_string_from_unix_time(error.unix_ms / 1000)
		_add_row(
			_errors, errors_root, [when, error.code, error.method, error.turn_id, error.message]
		)
	_show_status()


func _show_prompt(seen: RuntimeLook) -> void:
	var prompt := null if seen.chosen_seen() == null else seen.chosen_seen().prompt
	if prompt == null or prompt.token_ids.is_empty():
		_show_text(_prompt, "", [["nothing was said to a character yet", HEAD_COLOR]])
		return
	var head := "%d tokens for %s, " % [prompt.token_ids.size(), prompt.turn_id]
	if prompt.has_cached_tokens:
		head += "%d of them from the cache (dim)" % prompt.cached_tokens
	else:
		head += "what came from the cache is known at the end of the turn"
	var parts := [
		[head + "\n\n", HEAD_COLOR],
		[prompt.cached_text, CACHED_COLOR],
		[prompt.computed_text, COMPUTED_COLOR]
	]
	_show_text(_prompt, "%s %s %s" % [seen.chosen, prompt.turn_id, prompt.has_cached_tokens], parts)


func _show_turns(seen: RuntimeLook) -> void:
	var root := _turns.create_item()
	if seen.chosen_seen() == null:
		return
	var turns := seen.chosen_seen().turns.duplicate()
	turns.reverse()
	for turn: Townsfolk.TurnReport in turns:
		var state: String = Townsfolk.TurnState.find_key(turn.state).to_lower()
		if turn.finish_reason != Sampling.FinishReason.UNSPECIFIED:
			var reason: String = Sampling.FinishReason.find_key(turn.finish_reason).to_lower()
			state += " (%s)" % reason
		var times := ["%.0f" % turn.queued_ms, "%.1f" % turn.prompt_ms]
		var total := "%.0f" % turn.total_ms
		var usage := turn.usage
		if usage == null:
			_add_row(_turns, root, [turn.turn_id, state] + times + ["", total, "", "", "", ""])
			continue
		var rate := usage.tokens_per_second
		var counts := [
			usage.generated_tokens,
			"%.1f" % (1000.0 / rate) if rate > 0.0 else "",
			usage.prompt_tokens,
			usage.cached_tokens
		]
		var first := "%.0f" % usage.time_to_first_token_ms
		_add_row(_turns, root, [turn.turn_id, state] + times + [first, total] + counts)


func _show_transcript(seen: RuntimeLook) -> void:
	var lines := PackedStringArray()
	if seen.saved != null:
		for entry in seen.saved.config.history:
			if entry.kind == Dialogue.EntryKind.EVENT:
				lines.append("[%s]" % entry.text)
			else:
				lines.append("%s: %s%s" % [entry.speaker, entry.text, " —" if entry.cut else ""])
	var text := "\n".join(lines) if not lines.is_empty() else "nothing was said yet"
	_show_text(_transcript, text, [[text, HEAD_COLOR]])


func _show_status() -> void:
	var stats := runtime.stats
	var facts := [
		stats.running,
		stats.waiting,
		stats.ttft_p50_ms,
		stats.ttft_p99_ms,
		_step_times(stats.decode_steps),
		_step_times(stats.prompt_steps),
		stats.tokens_per_second,
		stats.kv_blocks_used,
		stats.kv_blocks_cached,
		stats.kv_blocks_free,
		stats.memory_used_mib
	]
	_status.text = (
		(
			"%d run, %d wait; first token %.0f ms (p99 %.0f); step %s, with prompts %s; "
			+ "%.0f tokens/s; KV %d used, %d cached, %d free; %d MiB"
		)
		% facts
	)


static func _step_times(times: Townsfolk.StepTimes) -> String:
	if times == null or times.measured == 0:
		return "-"
	return "%.1f ms (p99 %.1f)" % [times.p50_ms, times.p99_ms]


# Leaves a text alone that is the same, so that it can be read and selected.
func _show_text(label: RichTextLabel, made_of: String, parts: Array) -> void:
	if made_of != "" and _shown.get(label) == made_of:
		return
	_shown[label] = made_of
	label.clear()
	for part: Array in parts:
		label.push_color(part[1])
		label.add_text(part[0])  # not BBCode: players write it
		label.pop()


static func _make_table(table: Tree, columns: Array) -> void:
	table.columns = columns.size()
	table.column_titles_visible = true
	table.hide_root = true
	table.select_mode = Tree.SELECT_ROW
	for column in columns.size():
		table.set_column_title(column, columns[column])
		table.set_column_title_alignment(column, HORIZONTAL_ALIGNMENT_LEFT)
		table.set_column_clip_content(column, true)


static func _add_row(table: Tree, root: TreeItem, cells: Array) -> TreeItem:
	var row := table.create_item(root)
	for column in cells.size():
		row.set_text(column, str(cells[column]))
		row.set_tooltip_text(column, str(cells[column]))
	return row
