## What the player sees beside the tavern itself: where they are, which keys there are, whom they
## can talk to, whose face is in the dialogue box, and the line for words of their own.
extends CanvasLayer

## The player has written something; empty: nothing after all.
signal words_written(text: String)

const INPUT_WIDTH := 560.0

var portrait: TavernBody:
	get:
		return _portrait

var _message := Label.new()
var _prompt := Label.new()
var _input := LineEdit.new()
var _input_prompt := Label.new()

@onready var _portrait_frame: Control = $PortraitFrame
@onready var _portrait: TavernBody = $PortraitFrame/Portrait


func _ready() -> void:
	_add_row(Control.PRESET_TOP_LEFT, [_label("The Lantern, Ferrow", Color("f2c879"))])
	_add_row(
		Control.PRESET_TOP_RIGHT,
		[_key("WASD"), _label("walk"), _key("E"), _label("talk"), _key("F3"), _label("runtime")]
	)
	_add_row(Control.PRESET_CENTER_TOP, [_message])
	_add_row(Control.PRESET_CENTER_BOTTOM, [_key("E"), _prompt])
	_input.custom_minimum_size.x = INPUT_WIDTH
	_input.max_length = 300
	_input.text_submitted.connect(_end_input)
	_input.gui_input.connect(_on_input_event)
	_add_row(Control.PRESET_CENTER_BOTTOM, [_input_prompt, _input])
	show_message("")
	offer(null)
	_show_input(false)
	show_portrait(null)


func is_writing() -> bool:
	return _input.is_visible_in_tree()


## Offers to talk to somebody, or to nobody.
func offer(villager: Villager) -> void:
	_row_of(_prompt).visible = villager != null
	if villager != null:
		_prompt.text = "Talk to %s" % villager.persona.name


## Shows something to wait for, or nothing.
func show_message(text: String) -> void:
	_message.text = text
	_row_of(_message).visible = text != ""


## Shows whose face looks out of the dialogue box.
func show_portrait(villager: Villager) -> void:
	_portrait_frame.visible = villager != null
	if villager != null:
		_portrait.cloth = villager.cloth
		_portrait.hair = villager.hair
		_portrait.head = villager.head
		_portrait.has_beard = villager.has_beard
		_portrait.queue_redraw()


## Lets the player write; await it. Empty when they do not.
func ask_for_words(who: String) -> String:
	_input_prompt.text = "To %s:" % who
	_show_input(true)
	_input.clear()
	_input.grab_focus()
	_input.edit()
	return await words_written


func _end_input(text: String) -> void:
	if is_writing():
		_show_input(false)
		words_written.emit(text.strip_edges())


func _on_input_event(event: InputEvent) -> void:
	if event.is_action_pressed(&"ui_cancel"):
		get_viewport().set_input_as_handled()
		_end_input("")


func _show_input(is_shown: bool) -> void:
	_row_of(_input).visible = is_shown


func _label(text: String, color := Color("e9dfcb")) -> Label:
	var label := Label.new()
	label.text = text
	label.modulate = color
	return label


func _key(text: String) -> Label:
	var label := Label.new()
	label.text = text
	label.theme_type_variation = &"Key"
	return label


func _row_of(part: Control) -> Control:
	return part.get_parent().get_parent()


func _add_row(preset: Control.LayoutPreset, parts: Array[Control]) -> void:
	var panel := PanelContainer.new()
	var row := HBoxContainer.new()
	row.add_theme_constant_override(&"separation", 8)
	for part in parts:
		part.size_flags_vertical = Control.SIZE_SHRINK_CENTER
		row.add_child(part)
	panel.mouse_filter = Control.MOUSE_FILTER_IGNORE
	panel.add_child(row)
	add_child(panel)
	panel.set_anchors_and_offsets_preset(preset, Control.PRESET_MODE_MINSIZE, 14)
	panel.grow_horizontal = Control.GROW_DIRECTION_BOTH
	match preset:
		Control.PRESET_TOP_LEFT:
			panel.grow_horizontal = Control.GROW_DIRECTION_END
		Control.PRESET_TOP_RIGHT:
			panel.grow_horizontal = Control.GROW_DIRECTION_BEGIN
		Control.PRESET_CENTER_BOTTOM:
			panel.grow_vertical = Control.GROW_DIRECTION_BEGIN
