## A speech bubble above a head: it types turns out one after the other, stays within the screen,
## and goes away when it was read.
extends PanelContainer

## A character is shown: for the mouth.
signal character_typed(character: String)

const MOST_TEXT_WIDTH := 206.0
const MOST_TEXT_HEIGHT := 108.0
const EDGE := 10.0
const TAIL := 9.0
## How long a finished bubble stays: some seconds and more for each character.
const LINGER_SECONDS := 2.0
const LINGER_PER_CHARACTER := 0.03
const DOTS_PER_SECOND := 3.0

## Whose head it is above.
var anchor: Node2D
var color := Color.WHITE

var _turns: Array[NpcTurn] = []  # the first is shown
var _text := NpcTypewriter.new()
var _scroll := ScrollContainer.new()
var _fitted := ""  # the text that the bubble is as large as
var _seconds := 0.0
var _is_thinking := false


func _init() -> void:
	theme_type_variation = &"Bubble"
	mouse_filter = Control.MOUSE_FILTER_IGNORE
	visible = false
	_text.theme_type_variation = &"BubbleText"
	_text.mouse_filter = Control.MOUSE_FILTER_IGNORE
	_text.character_typed.connect(
		func(character: String, _place: int) -> void: character_typed.emit(character)
	)
	_scroll.mouse_filter = Control.MOUSE_FILTER_IGNORE
	_scroll.horizontal_scroll_mode = ScrollContainer.SCROLL_MODE_DISABLED
	_scroll.vertical_scroll_mode = ScrollContainer.SCROLL_MODE_SHOW_NEVER
	_text.size_flags_horizontal = Control.SIZE_EXPAND_FILL
	_scroll.add_child(_text)
	add_child(_scroll)


## Shows a turn, as soon as those before it can have been read.
func show_turn(turn: NpcTurn) -> void:
	_turns.append(turn)
	if _turns.size() == 1:
		_begin()


## Whether all that was said so far is typed out.
func is_typed() -> bool:
	return _turns.is_empty() or (_turns.size() == 1 and _is_whole())


## Cuts off what is said: what is shown stays said, and nothing else.
func interrupt() -> void:
	if not _turns.is_empty():
		_turns[0].interrupt(0 if _is_thinking else _text.shown_characters())
		_turns.resize(1)


## Goes away at once.
func close() -> void:
	_turns.clear()
	hide()


func _process(delta: float) -> void:
	if _turns.is_empty():
		return
	_seconds += delta
	var turn := _turns[0]
	_is_thinking = turn.text == "" and not turn.is_done()
	if _is_thinking:
		_text.type(".".repeat(1 + int(_seconds * DOTS_PER_SECOND) % 3))
		_text.type_all()
	else:
		_text.type(turn.text + " —" if turn.was_interrupted else turn.text, turn.direction_places)
	_fit()
	if not _is_whole():
		return
	var linger := LINGER_SECONDS + LINGER_PER_CHARACTER * turn.text.length()
	if turn.text == "" or _seconds > linger or (_turns.size() > 1 and _seconds > linger / 2.0):
		_turns.pop_front()
		if _turns.is_empty():
			hide()
		else:
			_begin()


func _draw() -> void:
	var style := get_theme_stylebox(&"panel") as StyleBoxFlat
	var tip := clampf(anchor.global_position.x - position.x, 18.0, size.x - 18.0)
	var base := size.y - 1.0
	draw_colored_polygon(
		PackedVector2Array(
			[Vector2(tip - 8, base), Vector2(tip + 8, base), Vector2(tip, base + TAIL)]
		),
		style.bg_color
	)
	draw_line(Vector2(11, 1), Vector2(size.x - 11, 1), color, 3.0, true)


func _begin() -> void:
	_text.start()
	_seconds = 0.0
	_is_thinking = true
	show()
	_fit()


func _is_whole() -> bool:
	return _turns[0].is_done() and not _is_thinking and _text.is_typed()


# As large as the whole text, so that nothing jumps while it is typed; within the screen.
func _fit() -> void:
	var text := _text.plain_text()
	if text != _fitted:
		_fitted = text
		var font := _text.get_theme_font(&"normal_font")
		var font_size := _text.get_theme_font_size(&"normal_font_size")
		var wanted := font.get_multiline_string_size(
			text, HORIZONTAL_ALIGNMENT_LEFT, MOST_TEXT_WIDTH, font_size
		)
		_scroll.custom_minimum_size.x = minf(ceilf(wanted.x) + 4.0, MOST_TEXT_WIDTH)
		_scroll.custom_minimum_size.y = minf(wanted.y, MOST_TEXT_HEIGHT)
		reset_size()
		queue_redraw()
	if _text.shown_characters() > 0:
		var line := _text.get_character_line(_text.shown_characters() - 1)
		var bottom := _text.get_line_offset(line) + _text.get_line_height(line)
		_scroll.scroll_vertical = maxi(0, ceili(bottom - MOST_TEXT_HEIGHT))
	var screen := get_viewport_rect().size
	var place := anchor.global_position - Vector2(size.x / 2.0, TavernBody.HEIGHT + size.y + TAIL)
	position = place.clamp(Vector2(EDGE, EDGE), screen - size - Vector2(EDGE, EDGE))
