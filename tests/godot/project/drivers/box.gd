# The dialogue box with turns made by hand: no runtime is needed. It is given its time by hand, too.
extends "driver.gd"

const LONG := "The ford floods in spring, and nobody crosses it before the willows are green. "

var _box: NpcDialogueBox


func scrolling() -> void:
	await _make_box()
	_box.long_text = NpcDialogueBox.LongText.SCROLL
	_box.show_turn(_done(LONG.repeat(40)), "Mira")
	var heights := []
	for i in 3:
		await _pass(1.0)
		heights.append(int(_box.size.y))
	_box.advance()
	await _pass(0.0)
	await _pass(0.0)
	var text := _text()
	var last := text.get_line_count() - 1
	var bottom := text.get_line_offset(last) + text.get_line_height(last)
	var scroll: ScrollContainer = _box.get("_scroll")
	report(
		"box",
		{
			"heights": heights,
			"text_height": text.get_content_height(),
			"last_line_bottom": int(bottom) - scroll.scroll_vertical,
			"sight": int(scroll.size.y),
		}
	)


# Every page is read to its end; what was in sight of it is put together again.
func pages() -> void:
	await _make_box()
	var turn := _done(LONG.repeat(12).strip_edges())
	_box.show_turn(turn, "Mira")
	var read := ""
	var count := 0
	var shown := []
	var whole_at := []
	_box.line_shown.connect(func(_turn: NpcTurn) -> void: whole_at.append(shown.size()))
	while _box.visible:
		await _pass(0.0)
		_box.advance()
		await _pass(0.0)
		await _pass(0.0)
		shown.append(_box.shown_characters())
		read += _in_sight()
		count += 1
		_box.advance()
	report("pages", {"count": count, "shown": shown, "whole": read == turn.text, "at": whole_at})


# An answer that still grows: the page is full before the character has ended.
func growing() -> void:
	await _make_box()
	var turn := NpcTurn.new("Player", "Hello!")
	_box.show_turn(turn, "Mira")
	await _pass(1.0)
	report("thinking", {"text": _text().plain_text(), "shown": _box.shown_characters()})
	turn.add_text("Hm. ")
	await _pass(0.05)
	report("first", {"shown": _box.shown_characters()})
	await _pass(60.0)
	report("waiting", {"shown": _box.shown_characters(), "hint": _hint()})
	turn.add_text(LONG.repeat(12))
	await _pass(0.0)
	await _pass(60.0)
	await _pass(60.0)
	var full := _box.shown_characters()
	report("full", {"shown": full, "hint": _hint()})
	_box.advance()
	await _pass(0.5)
	report("next", {"shown": _box.shown_characters() - full})
	_box.interrupt()
	report("cut", {"shown": _box.shown_characters() - full})


func failure() -> void:
	await _make_box()
	var turn := _done("")
	turn.error = "the connection to the runtime was lost: status 14"
	_box.show_turn(turn, "Mira")
	await _pass(0.1)
	report("box", {"text": _text().plain_text(), "name": _box.speaker_name()})


func nobody() -> void:
	await _make_box()
	var agent := NpcAgent.new()
	agent.fallback_lines = ["Hm?"]
	add_child(agent)
	_box.agent = agent
	await agent.say("Hello!").finished
	await _pass(0.1)
	report("box", {"name": _box.speaker_name(), "text": _text().plain_text()})


func choices() -> void:
	await _make_box()
	_box.show_turn(_done("Well?"), "Mira")
	_box.choice_made.connect(
		func(index: int, text: String) -> void: report("made", {"index": index, "text": text})
	)
	_choose("first", ["Yes.", "No."], [0.25, 0.75])
	await _pass(0.02)
	report("typing", {"offered": _buttons()})
	await _pass(60.0)
	await _pass(0.0)
	report("offered", {"offered": _buttons(), "hint": _hint()})
	_box.advance()
	report("still", {"open": _box.visible})
	_press(KEY_2)
	report("closed", {"open": _box.visible})
	# Nothing is said: the choice stands alone. Another takes its place, and Escape leaves it.
	_choose("replaced", ["Stay."])
	_choose("left", ["Go."])
	await _pass(0.0)
	report("alone", {"offered": _buttons(), "open": _box.visible})
	_press(KEY_ESCAPE)
	report("gone", {"open": _box.visible})
	_choose("focused", ["Aye.", "Nay."])
	_press(KEY_ENTER)
	report("none", {"index": await _box.choose([])})


func markup() -> void:
	await _make_box()
	var typed: Array[String] = []
	_box.character_typed.connect(
		func(_turn: NpcTurn, character: String, place: int) -> void:
			typed.append("%s%d" % [character, place])
	)
	_box.show_line("[b]Hark[/b] [color=red]now[/color]!", "Crier")
	await _pass(0.15)
	report("some", {"typed": typed.duplicate(), "shown": _box.shown_characters()})
	await _pass(10.0)
	report("all", {"typed": typed.size(), "text": _text().plain_text()})
	_box.advance()
	# What a character says is no BBCode.
	var turn := _done("*nods* I keep [b]my[/b] word.")
	turn.direction_places = [Vector2i(0, 6)]
	_box.show_turn(turn, "Mira")
	await _pass(10.0)
	report("speech", {"text": _text().get_parsed_text(), "same": turn.text == _text().plain_text()})


# What the effect makes of glyphs, whose place is counted without tags.
func effect() -> void:
	var effect := NpcTypewriterEffect.new()
	effect.fade_characters = 2.0
	var alphas := []
	for shown: float in [0.0, 1.0, 4.0, 4.5]:
		effect.shown = shown
		alphas.append(_alphas(effect))
	effect.settle(9.0)
	alphas.append(_alphas(effect))
	effect.shown = 6.0
	alphas.append(_alphas(effect))
	report("effect", {"alphas": alphas})


func _alphas(effect: NpcTypewriterEffect) -> Array:
	var alphas := []
	for place in 7:
		var glyph := CharFXTransform.new()
		glyph.relative_index = place
		glyph.color = Color.WHITE
		effect._process_custom_fx(glyph)
		alphas.append(glyph.color.a if glyph.visible else 0.0)
	return alphas


func _make_box() -> void:
	_box = NpcDialogueBox.new()
	_box.custom_minimum_size = Vector2(400, 0)
	_box.characters_per_second = 40.0
	add_child(_box)
	_box.set_process(false)
	await get_tree().process_frame


func _done(text: String) -> NpcTurn:
	var turn := NpcTurn.new("Player", "Hello!")
	turn.text = text
	turn.state = NpcTurn.State.DONE
	return turn


# So much time for the box, and a frame for the engine to lay it out.
func _pass(seconds: float) -> void:
	_box._process(seconds)
	await get_tree().process_frame


func _text() -> NpcTypewriter:
	return _box.get("_text")


func _hint() -> String:
	return _box.get("_hint_label").text


# The text that is shown, in the lines that lie within the box.
func _in_sight() -> String:
	var scroll: ScrollContainer = _box.get("_scroll")
	var text := _text()
	var seen := ""
	for line in text.get_line_count():
		var top := text.get_line_offset(line) - scroll.scroll_vertical
		if top > -1.0 and top + text.get_line_height(line) < scroll.size.y + 1.0:
			var start := text.get_line_range(line).x
			var is_last := line == text.get_line_count() - 1
			var end := text.plain_text().length() if is_last else text.get_line_range(line + 1).x
			end = mini(end, text.shown_characters())
			seen += text.plain_text().substr(start, maxi(0, end - start))
	return seen


func _choose(name: String, options: PackedStringArray, weights := PackedFloat32Array()) -> void:
	var index := await _box.choose(options, weights)
	report(name, {"index": index})


func _buttons() -> Array:
	var choices: Container = _box.get("_choices")
	if not choices.visible:
		return []
	return choices.get_children().map(func(button: Button) -> String: return button.text)


func _press(key: Key) -> void:
	for is_pressed: bool in [true, false]:
		var event := InputEventKey.new()
		event.keycode = key
		event.physical_keycode = key
		event.pressed = is_pressed
		Input.parse_input_event(event)
		Input.flush_buffered_events()
