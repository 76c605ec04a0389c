## What the runtime is doing, and the line in which the player writes.
extends CanvasLayer

## The player has written something.
signal line_written(text: String)
## The player has stopped writing.
signal writing_ended

var _status := Label.new()
var _keys := Label.new()
var _prompt := Label.new()
var _input := LineEdit.new()
var _bar := HBoxContainer.new()


func _ready() -> void:
	_add_panel(_status, Control.PRESET_TOP_LEFT)
	_keys.text = "WASD or click: walk    E: talk    Esc: interrupt"
	_add_panel(_keys, Control.PRESET_TOP_RIGHT)
	_input.custom_minimum_size = Vector2(620, 0)
	_input.max_length = 300
	_input.keep_editing_on_text_submit = true
	_input.text_submitted.connect(_on_text_submitted)
	_input.gui_input.connect(_on_input_event)
	_bar.add_child(_prompt)
	_bar.add_child(_input)
	_add_panel(_bar, Control.PRESET_CENTER_BOTTOM)
	stop_writing()


func is_writing() -> bool:
	return _input.visible


## Offers to talk to somebody, or to nobody.
func offer(who: String) -> void:
	if not is_writing():
		_prompt.text = "" if who == "" else "E: talk to %s" % who
		_bar.get_parent_control().visible = who != ""


func start_writing(who: String) -> void:
	_prompt.text = "To %s:" % who
	_input.show()
	_bar.get_parent_control().show()
	_input.grab_focus()
	_input.edit()


func stop_writing() -> void:
	_input.clear()
	_input.hide()
	_bar.get_parent_control().hide()
	writing_ended.emit()


func show_status(text: String) -> void:
	_status.text = text


func _on_text_submitted(text: String) -> void:
	_input.clear()
	if text.strip_edges() != "":
		line_written.emit(text)


func _on_input_event(event: InputEvent) -> void:
	if event.is_action_pressed(&"ui_cancel"):
		get_viewport().set_input_as_handled()
		stop_writing()


func _add_panel(content: Control, preset: Control.LayoutPreset) -> void:
	var panel := PanelContainer.new()
	var style := StyleBoxFlat.new()
	style.bg_color = Color(0.1, 0.07, 0.05, 0.82)
	style.set_corner_radius_all(6)
	style.set_content_margin_all(9)
	panel.add_theme_stylebox_override(&"panel", style)
	panel.add_child(content)
	add_child(panel)
	panel.set_anchors_and_offsets_preset(preset, Control.PRESET_MODE_MINSIZE, 14)
	panel.grow_horizontal = Control.GROW_DIRECTION_BOTH
	match preset:
		Control.PRESET_TOP_LEFT:
			panel.grow_horizontal = Control.GROW_DIRECTION_END
		Control.PRESET_TOP_RIGHT:
			panel.grow_horizontal = Control.GROW_DIRECTION_BEGIN
		_:
			panel.grow_vertical = Control.GROW_DIRECTION_BEGIN
