## A speech bubble that types text out, grows upwards, and goes away when it was read.
extends Node2D

const WIDTH := 210.0
const FONT_SIZE := 14
const PADDING := Vector2(10, 7)
const CHARACTERS_PER_SECOND := 42.0
## How long a finished bubble stays: some seconds and more for each character.
const LINGER_SECONDS := 2.5
const LINGER_PER_CHARACTER := 0.035

var color := Color.WHITE

var _text := ""
var _shown := 0.0
var _is_open := false
var _is_finished := false
var _seconds := 0.0


func _ready() -> void:
	z_index = 10


func think() -> void:
	_text = ""
	_shown = 0.0
	_seconds = 0.0
	_is_open = true
	_is_finished = false


func add_text(text: String) -> void:
	_text += text


func finish() -> void:
	_is_finished = true
	_seconds = 0.0


func cut(text: String) -> void:
	_text = text + " —"
	_shown = _text.length()
	finish()


func shown_characters() -> int:
	return int(_shown)


func _process(delta: float) -> void:
	if not _is_open:
		return
	_seconds += delta
	_shown = minf(_shown + CHARACTERS_PER_SECOND * delta, _text.length())
	var linger := LINGER_SECONDS + LINGER_PER_CHARACTER * _text.length()
	if _is_finished and int(_shown) == _text.length() and _seconds > linger:
		_is_open = false
	queue_redraw()


func _draw() -> void:
	if not _is_open:
		return
	var line := _text.left(int(_shown))
	if line == "":
		line = "…".repeat(1 + int(_seconds * 2.0) % 3)
	var font := ThemeDB.fallback_font
	var inner := WIDTH - 2.0 * PADDING.x
	# Sized for the whole text, so that the bubble does not jump while it is typed.
	var whole := line if _text == "" else _text
	var text_size := font.get_multiline_string_size(
		whole, HORIZONTAL_ALIGNMENT_LEFT, inner, FONT_SIZE
	)
	var size := Vector2(minf(text_size.x, inner), text_size.y) + 2.0 * PADDING
	var box := Rect2(Vector2(-size.x / 2.0, -size.y), size)
	var style := StyleBoxFlat.new()
	style.bg_color = Color(0.98, 0.95, 0.88, 0.96)
	style.border_color = color.darkened(0.25)
	style.set_border_width_all(2)
	style.set_corner_radius_all(9)
	draw_style_box(style, box)
	draw_colored_polygon(
		PackedVector2Array([Vector2(-7, -2), Vector2(7, -2), Vector2(0, 9)]), style.border_color
	)
	draw_multiline_string(
		font,
		box.position + PADDING + Vector2(0, font.get_ascent(FONT_SIZE)),
		line,
		HORIZONTAL_ALIGNMENT_LEFT,
		inner,
		FONT_SIZE,
		-1,
		Color("2b2118")
	)
