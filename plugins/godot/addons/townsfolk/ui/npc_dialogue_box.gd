## A box that types out what a character says, while it is being said.
##
## Give it an [member agent], or show turns with [method show_turn]. [code]ui_accept[/code] (Enter,
## Space, a gamepad's A, a click) shows all at once, and then closes the box; [code]ui_cancel[/code]
## (Escape, a gamepad's B) interrupts: the character remembers exactly what was shown.
## [br][br]To change its looks, give your Theme the types NpcDialogueBox (a PanelContainer),
## NpcDialogueName and NpcDialogueText (Labels).
@icon("../icons/npc_dialogue_box.svg")
class_name NpcDialogueBox
extends PanelContainer

## A turn's text is shown in full, or was cut off.
signal line_shown(turn: NpcTurn)
## The box was closed by the player, with nothing left to show.
signal dismissed
## The player interrupted the character after so many characters.
signal interrupted(turn: NpcTurn, shown_characters: int)

const THINKING_DOTS_PER_SECOND := 3.0
const LEAST_TEXT_HEIGHT := 72.0

## Whose turns to show.
@export var agent: NpcAgent:
	set(value):
		if agent != null and agent.thinking_started.is_connected(_on_thinking_started):
			agent.thinking_started.disconnect(_on_thinking_started)
		agent = value
		if agent != null:
			agent.thinking_started.connect(_on_thinking_started)
## How fast text is typed, in characters a second; 0 shows it as it comes.
@export_range(0.0, 300.0, 1.0, "or_greater", "suffix:/s") var characters_per_second := 45.0
## Whether the player may cut the character off.
@export var can_interrupt := true
## Close the box by itself so long after the last character; 0 waits for the player.
@export_range(0.0, 30.0, 0.1, "or_greater", "suffix:s") var closes_after_seconds := 0.0
## The box grows with the text up to this height of it, in pixels; a longer text scrolls along.
@export_range(72.0, 1000.0, 1.0, "or_greater", "suffix:px") var most_text_height := 200.0
## Shown when there is no answer and the agent has no fallback line. What went wrong is not for
## players: [signal NpcAgent.failed] and [member NpcTurn.error] say it.
@export var no_answer_text := "…"
@export_group("Hints")
## Shown while the player can interrupt.
@export var interrupt_hint := "Esc: interrupt"
## Shown when all is said.
@export var continue_hint := "Enter: go on"

var _queue: Array[NpcTurn] = []  # the first is shown
var _speakers: Array[String] = []  # who answers in each of them
var _colors: Array[Color] = []
var _shown := 0.0
var _is_skipping := false
var _is_reported := false
var _seconds_done := 0.0
var _seconds_thinking := 0.0
var _name_label := Label.new()
var _text_label := Label.new()
var _scroll := ScrollContainer.new()
var _hint_label := Label.new()


func _init() -> void:
	theme_type_variation = &"NpcDialogueBox"
	visible = false
	var margin := MarginContainer.new()
	for side: String in ["left", "right", "top", "bottom"]:
		margin.add_theme_constant_override("margin_" + side, 12)
	var rows := VBoxContainer.new()
	_name_label.theme_type_variation = &"NpcDialogueName"
	_text_label.theme_type_variation = &"NpcDialogueText"
	_text_label.autowrap_mode = TextServer.AUTOWRAP_WORD_SMART
	# The lines are broken for the whole text, so that no word jumps while it is typed.
	_text_label.visible_characters_behavior = TextServer.VC_CHARS_AFTER_SHAPING
	_text_label.size_flags_horizontal = Control.SIZE_EXPAND_FILL
	_scroll.horizontal_scroll_mode = ScrollContainer.SCROLL_MODE_DISABLED
	_scroll.size_flags_vertical = Control.SIZE_EXPAND_FILL
	_scroll.custom_minimum_size = Vector2(0, LEAST_TEXT_HEIGHT)
	# A click anywhere in the box counts.
	_scroll.mouse_filter = Control.MOUSE_FILTER_PASS
	_scroll.add_child(_text_label)
	_hint_label.horizontal_alignment = HORIZONTAL_ALIGNMENT_RIGHT
	_hint_label.modulate.a = 0.6
	for part: Control in [_name_label, _scroll, _hint_label]:
		rows.add_child(part)
	margin.add_child(rows)
	add_child(margin, false, Node.INTERNAL_MODE_FRONT)


func _process(delta: float) -> void:
	if _queue.is_empty():
		return
	var turn := _queue[0]
	if turn.text == "" and not turn.is_done():
		_seconds_thinking += delta
		_text_label.text = ".".repeat(1 + int(_seconds_thinking * THINKING_DOTS_PER_SECOND) % 3)
		_text_label.visible_characters = -1
		return
	var length := turn.text.length()
	var is_instant := _is_skipping or characters_per_second <= 0.0
	_shown = length if is_instant else minf(_shown + characters_per_second * delta, length)
	var line := turn.text
	if line == "" and turn.error != "":
		line = no_answer_text
	if _text_label.text != line:
		_text_label.text = line
	_text_label.visible_characters = int(_shown) if turn.text != "" else -1
	_follow_text()
	var is_finished := turn.is_done() and int(_shown) >= length
	_hint_label.text = continue_hint if is_finished else (interrupt_hint if can_interrupt else "")
	if is_finished:
		_finish_line(turn, delta)


func _unhandled_input(event: InputEvent) -> void:
	if not visible:
		return
	if event.is_action_pressed(&"ui_accept"):
		get_viewport().set_input_as_handled()
		advance()
	elif event.is_action_pressed(&"ui_cancel") and can_interrupt:
		get_viewport().set_input_as_handled()
		interrupt()


func _gui_input(event: InputEvent) -> void:
	var click := event as InputEventMouseButton
	if click != null and click.pressed and click.button_index == MOUSE_BUTTON_LEFT:
		accept_event()
		advance()


## Shows a turn, after those that are there already.
func show_turn(turn: NpcTurn, speaker: String, color := Color.WHITE) -> void:
	_queue.append(turn)
	_speakers.append(speaker)
	_colors.append(color)
	if _queue.size() == 1:
		_begin_line()


## Shows the whole text, or when it is all there goes on to the next turn or closes the box.
func advance() -> void:
	if _queue.is_empty():
		return
	if _queue[0].is_done() and int(_shown) >= _queue[0].text.length():
		_next_line()
	else:
		_is_skipping = true


## Cuts the character off: it remembers exactly what was shown.
func interrupt() -> void:
	if _queue.is_empty():
		return
	var turn := _queue[0]
	if turn.is_done() and int(_shown) >= turn.text.length():
		_next_line()
		return
	interrupted.emit(turn, int(_shown))
	turn.interrupt(int(_shown))
	if turn.is_done():
		turn.text = turn.text.left(int(_shown))


## How many characters of the current turn are shown.
func shown_characters() -> int:
	return int(_shown)


## Who is speaking in the box.
func speaker_name() -> String:
	return _name_label.text


func _on_thinking_started(turn: NpcTurn) -> void:
	if agent.persona == null:
		show_turn(turn, "")
	else:
		show_turn(turn, agent.persona.name, agent.persona.color)


func _begin_line() -> void:
	_shown = 0.0
	_is_skipping = false
	_is_reported = false
	_seconds_done = 0.0
	_seconds_thinking = 0.0
	_name_label.text = _speakers[0]
	_name_label.add_theme_color_override("font_color", _colors[0])
	_text_label.text = ""
	_hint_label.text = ""
	show()


# As high as the text, as far as it may be; the line that is typed is in sight.
func _follow_text() -> void:
	var height := _text_label.get_combined_minimum_size().y
	_scroll.custom_minimum_size.y = clampf(height, LEAST_TEXT_HEIGHT, most_text_height)
	if int(_shown) > 0:
		var typed := _text_label.get_character_bounds(int(_shown) - 1)
		_scroll.scroll_vertical = maxi(0, ceili(typed.end.y - _scroll.size.y))


func _finish_line(turn: NpcTurn, delta: float) -> void:
	if not _is_reported:
		_is_reported = true
		line_shown.emit(turn)
	_seconds_done += delta
	if turn.was_interrupted and _queue.size() > 1:
		_next_line()
	elif closes_after_seconds > 0.0 and _seconds_done >= closes_after_seconds:
		_next_line()


func _next_line() -> void:
	_queue.pop_front()
	_speakers.pop_front()
	_colors.pop_front()
	if _queue.is_empty():
		hide()
		dismissed.emit()
	else:
		_begin_line()
