# The dialogue box with turns made by hand: no runtime is needed.
extends "driver.gd"

const LONG := "The ford floods in spring, and nobody crosses it before the willows are green. "


func long_answer() -> void:
	var box := _make_box()
	var turn := _done(LONG.repeat(40))
	box.show_turn(turn, "Mira")
	var heights := []
	for i in 3:
		await _frames(3)
		heights.append(int(box.size.y))
		box.characters_per_second = 4000.0
	box.advance()
	await _frames(3)
	var scroll: ScrollContainer = box.get("_scroll")
	var label: Label = box.get("_text_label")
	var last := label.get_character_bounds(turn.text.length() - 1)
	report(
		"box",
		{
			"heights": heights,
			"text_height": int(label.size.y),
			"last_line_bottom": int(last.end.y) - scroll.scroll_vertical,
			"sight": int(scroll.size.y),
		}
	)


func failure() -> void:
	var box := _make_box()
	var turn := _done("")
	turn.error = "the connection to the runtime was lost: status 14"
	box.show_turn(turn, "Mira")
	await _frames(2)
	report("box", {"text": box.get("_text_label").text})


func nobody() -> void:
	var box := _make_box()
	var agent := NpcAgent.new()
	agent.fallback_lines = ["Hm?"]
	add_child(agent)
	box.agent = agent
	await agent.say("Hello!").finished
	await _frames(2)
	report("box", {"name": box.speaker_name(), "text": box.get("_text_label").text})


func _make_box() -> NpcDialogueBox:
	var box := NpcDialogueBox.new()
	box.custom_minimum_size = Vector2(400, 0)
	box.characters_per_second = 40.0
	add_child(box)
	return box


func _done(text: String) -> NpcTurn:
	var turn := NpcTurn.new("Player", "Hello!")
	turn.text = text
	turn.state = NpcTurn.State.DONE
	return turn


func _frames(count: int) -> void:
	for i in count:
		await get_tree().process_frame
