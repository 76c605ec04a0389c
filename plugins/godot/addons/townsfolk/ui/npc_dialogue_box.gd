## A box that types out what a character says, while it is being said, and offers the player what to
## answer.
##
## Give it an [member agent], or show turns with [method show_turn] and lines of your own with
## [method show_line]. [code]ui_accept[/code] (Enter, Space, a gamepad's A, a click) shows all at
## once, then the next page, and then closes the box; [code]ui_cancel[/code] (Escape, a gamepad's B)
## interrupts: the character remembers exactly what was shown.
## [codeblock]
## var options := ["Who are you?", "I have to go."]
## var index := await box.choose(options)
## if index == 0:
##     npc.say(options[index])
## [/codeblock]
## To change its looks, give your Theme the types NpcDialogueBox (a PanelContainer), NpcDialogueName
## (a Label), NpcDialogueText (a RichTextLabel) and NpcDialogueChoice (a Button).
@icon("../icons/npc_dialogue_box.svg")
class_name NpcDialogueBox
extends PanelContainer

## A turn's text is shown in full, or was cut off.
signal line_shown(turn: NpcTurn)
## A character is shown: for moving lips and for sounds of typing. It stands at this place of the
## turn's text.
signal character_typed(turn: NpcTurn, character: String, place: int)
## The player has chosen among the texts of [method choose].
signal choice_made(index: int, text: String)
## The box was closed by the player, with nothing left to show.
signal dismissed
## The player interrupted the character after so many characters.
signal interrupted(turn: NpcTurn, shown_characters: int)

## What becomes of a text that is too long for the box. PAGES: the player turns them. SCROLL: it
## moves up.
enum LongText { PAGES, SCROLL }

const ChoiceList := preload("choice_list.gd")

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
## Turn a page, and close the box, by itself so long after the last character; 0 waits for the
## player.
@export_range(0.0, 30.0, 0.1, "or_greater", "suffix:s") var closes_after_seconds := 0.0
## The box grows with the text up to this height of it, in pixels.
@export_range(72.0, 1000.0, 1.0, "or_greater", "suffix:px") var most_text_height := 200.0
## What becomes of a text that is longer.
@export var long_text := LongText.PAGES
## In how many columns texts to choose among stand.
@export_range(1, 4) var choice_columns := 1
## Shown when there is no answer and the agent has no fallback line, without the character's name.
## What went wrong is not for players: [signal NpcAgent.failed] and [member NpcTurn.error] say it.
@export var no_answer_text := "…"
@export_group("Hints")
## Shown while the player can interrupt.
@export var interrupt_hint := "Esc: interrupt"
## Shown when a page or all is said.
@export var continue_hint := "Enter: go on"

var _lines: Array[Line] = []  # the first is shown
var _page_start := 0  # the first character of the page
var _is_reported := false
var _seconds_done := 0.0
var _seconds_thinking := 0.0
var _name_label := Label.new()
var _text := NpcTypewriter.new()
var _scroll := ScrollContainer.new()
var _choices := ChoiceList.new()
var _hint_label := Label.new()


## What is shown, and in whose name.
class Line:
	var turn: NpcTurn
	var speaker := ""
	var color := Color.WHITE
	var is_markup := false


func _init() -> void:
	theme_type_variation = &"NpcDialogueBox"
	visible = false
	var margin := MarginContainer.new()
	for side: String in ["left", "right", "top", "bottom"]:
		margin.add_theme_constant_override("margin_" + side, 12)
	var rows := VBoxContainer.new()
	_name_label.theme_type_variation = &"NpcDialogueName"
	_text.theme_type_variation = &"NpcDialogueText"
	_text.advances_by_itself = false
	_text.size_flags_horizontal = Control.SIZE_EXPAND_FILL
	_text.character_typed.connect(_on_character_typed)
	_scroll.horizontal_scroll_mode = ScrollContainer.SCROLL_MODE_DISABLED
	_scroll.vertical_scroll_mode = ScrollContainer.SCROLL_MODE_SHOW_NEVER
	_scroll.size_flags_vertical = Control.SIZE_EXPAND_FILL
	_scroll.custom_minimum_size = Vector2(0, LEAST_TEXT_HEIGHT)
	# A click anywhere in the box counts.
	_scroll.mouse_filter = Control.MOUSE_FILTER_PASS
	_scroll.add_child(_text)
	_choices.chosen.connect(_on_chosen)
	_hint_label.horizontal_alignment = HORIZONTAL_ALIGNMENT_RIGHT
	_hint_label.modulate.a = 0.6
	for part: Control in [_name_label, _scroll, _choices, _hint_label]:
		rows.add_child(part)
	margin.add_child(rows)
	add_child(margin, false, Node.INTERNAL_MODE_FRONT)


func _process(delta: float) -> void:
	if _lines.is_empty():
		return
	var line := _lines[0]
	if line.turn.text == "" and not line.turn.is_done():
		_seconds_thinking += delta
		_text.type(".".repeat(1 + int(_seconds_thinking * THINKING_DOTS_PER_SECOND) % 3))
		_text.type_all()
		return
	if _seconds_thinking >= 0.0:
		_seconds_thinking = -1.0
		_text.start()
	_show_text(line)
	_text.characters_per_second = characters_per_second
	_text.advance(delta)
	_follow_text()
	var is_whole := _is_whole()
	_hint_label.text = _hint(is_whole)
	if is_whole:
		_finish_line(delta)
	elif _is_page_full() and closes_after_seconds > 0.0:
		_seconds_done += delta
		if _seconds_done >= closes_after_seconds:
			_turn_page()


func _unhandled_input(event: InputEvent) -> void:
	if not visible:
		return
	if event.is_action_pressed(&"ui_accept"):
		get_viewport().set_input_as_handled()
		advance()
	elif event.is_action_pressed(&"ui_cancel") and (can_interrupt or _choices.visible):
		get_viewport().set_input_as_handled()
		interrupt()


func _gui_input(event: InputEvent) -> void:
	var click := event as InputEventMouseButton
	if click != null and click.pressed and click.button_index == MOUSE_BUTTON_LEFT:
		accept_event()
		advance()


## Shows a turn, after those that are there already.
func show_turn(turn: NpcTurn, speaker: String, color := Color.WHITE) -> void:
	var line := Line.new()
	line.turn = turn
	line.speaker = speaker
	line.color = color
	_add_line(line)


## Shows a line of yours, with BBCode, after what is there already. No character remembers it.
func show_line(markup: String, speaker := "", color := Color.WHITE) -> void:
	var line := Line.new()
	line.turn = NpcTurn.new("", "")
	line.turn.text = markup
	line.turn.state = NpcTurn.State.DONE
	line.speaker = speaker
	line.color = color
	line.is_markup = true
	_add_line(line)


## Lets the player choose among texts of yours, as soon as all is shown; await it. Returns the
## number of the chosen one, or -1 when the player leaves with [code]ui_cancel[/code] or other texts
## are offered instead. [param weights] are shown behind them in percent, such as how likely a
## character would say each: [member NpcChoice.probabilities].
func choose(options: PackedStringArray, weights := PackedFloat32Array()) -> int:
	if options.is_empty():
		return -1
	_choices.columns = choice_columns
	_choices.offer(options, weights)
	if _lines.is_empty():
		_scroll.hide()
		_hint_label.text = ""
		show()
		_choices.open()
	var answer: Array = await _choices.chosen
	return answer[0]


## Shows the whole page, or when it is all there goes on to the next page or turn, or closes the
## box.
func advance() -> void:
	if _lines.is_empty() or _choices.visible:
		return
	_follow_text()
	if _is_whole():
		if not _choices.is_offering():
			_next_line()
	elif _is_page_full():
		_turn_page()
	else:
		_text.type_all()


## Cuts the character off: it remembers exactly what was shown. Where the player is to choose, it
## withdraws the choice.
func interrupt() -> void:
	if _choices.visible:
		_choices.withdraw()
		_next_line()
	elif not _lines.is_empty():
		_cut(_lines[0].turn)


## How many characters of the current turn are shown.
func shown_characters() -> int:
	return 0 if _seconds_thinking >= 0.0 else _text.shown_characters()


## Who is speaking in the box.
func speaker_name() -> String:
	return _name_label.text


func _on_thinking_started(turn: NpcTurn) -> void:
	if agent.persona == null:
		show_turn(turn, "")
	else:
		show_turn(turn, agent.persona.name, agent.persona.color)


func _on_character_typed(character: String, place: int) -> void:
	character_typed.emit(_lines[0].turn, character, place)


func _on_chosen(index: int, text: String) -> void:
	if index >= 0:
		_next_line()
		choice_made.emit(index, text)


func _add_line(line: Line) -> void:
	_lines.append(line)
	if _lines.size() == 1:
		_begin_line()


func _begin_line() -> void:
	_page_start = 0
	_is_reported = false
	_seconds_done = 0.0
	_seconds_thinking = 0.0
	_name_label.text = _lines[0].speaker
	_name_label.add_theme_color_override("font_color", _lines[0].color)
	_text.start()
	_hint_label.text = ""
	_scroll.show()
	_choices.hide()
	show()


func _show_text(line: Line) -> void:
	var turn := line.turn
	if line.is_markup:
		if _text.plain_text() == "":
			_text.type_markup(turn.text)
	elif turn.text == "" and turn.error != "":
		_name_label.text = ""
		_text.type(no_answer_text)
		_text.type_all()
	else:
		_text.type(turn.text, turn.direction_places)


# As high as the text, as far as it may be; what is typed is in sight.
func _follow_text() -> void:
	var last := _text.get_line_count() - 1
	var top := 0.0
	if long_text == LongText.PAGES:
		_page_start = mini(_page_start, maxi(0, _text.plain_text().length() - 1))
		var first := _text.get_character_line(_page_start)
		top = _text.get_line_offset(first)
		while last > first and _bottom(last) > top + most_text_height:
			last -= 1
		var is_more := last < _text.get_line_count() - 1
		_text.limit = _text.get_line_range(last + 1).x if is_more else -1
	elif shown_characters() > 0:
		_text.limit = -1
		var typed := _bottom(_text.get_character_line(shown_characters() - 1))
		top = maxf(0.0, typed - most_text_height)
	var height := clampf(_bottom(last) - top, LEAST_TEXT_HEIGHT, most_text_height)
	_scroll.custom_minimum_size.y = ceilf(height)
	# So high that the last page can begin at the top.
	_text.custom_minimum_size.y = ceilf(top + _scroll.size.y)
	_scroll.scroll_vertical = ceili(top)


func _bottom(line: int) -> float:
	return _text.get_line_offset(line) + _text.get_line_height(line)


func _is_whole() -> bool:
	var is_all := _lines[0].turn.is_done() and _seconds_thinking < 0.0
	return is_all and _text.shown_characters() >= _text.plain_text().length()


func _is_page_full() -> bool:
	return _text.limit >= 0 and _text.is_typed()


func _turn_page() -> void:
	_page_start = _text.limit
	_seconds_done = 0.0
	_follow_text()


func _hint(is_whole: bool) -> String:
	if _choices.visible:
		return ""
	if is_whole or _is_page_full():
		return continue_hint
	return interrupt_hint if can_interrupt else ""


func _cut(turn: NpcTurn) -> void:
	if turn.is_done() and _is_whole():
		_next_line()
		return
	var shown := shown_characters()
	interrupted.emit(turn, shown)
	turn.interrupt(shown)
	if turn.is_done() and not _lines[0].is_markup:
		turn.text = turn.text.left(shown)
	elif turn.is_done():
		_next_line()


func _finish_line(delta: float) -> void:
	var turn := _lines[0].turn
	if not _is_reported:
		_is_reported = true
		line_shown.emit(turn)
	_seconds_done += delta
	if turn.was_interrupted and _lines.size() > 1:
		_next_line()
	elif _choices.is_offering():
		if _lines.size() > 1:
			_next_line()
		else:
			_choices.open()
	elif closes_after_seconds > 0.0 and _seconds_done >= closes_after_seconds:
		_next_line()


func _next_line() -> void:
	_lines.pop_front()
	if _lines.is_empty():
		_close()
	else:
		_begin_line()


func _close() -> void:
	if visible:
		hide()
		dismissed.emit()
