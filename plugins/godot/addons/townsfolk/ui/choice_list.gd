## Texts among which the player chooses: with the mouse, the arrows, a gamepad or a number key.
extends GridContainer

## The player has chosen; -1: what was offered is so no longer.
signal chosen(index: int, text: String)

const CHOICE_TYPE := &"NpcDialogueChoice"

var _options: PackedStringArray = []


func _init() -> void:
	visible = false


## Replaces what is offered. [param weights], if there are any, stand behind the texts in percent.
func offer(options: PackedStringArray, weights: PackedFloat32Array) -> void:
	withdraw()
	_options = options
	for index in options.size():
		var button := Button.new()
		button.theme_type_variation = CHOICE_TYPE
		button.text = "%d.  %s" % [index + 1, options[index]]
		if index < weights.size():
			button.text += "   (%d %%)" % roundi(weights[index] * 100.0)
		button.alignment = HORIZONTAL_ALIGNMENT_LEFT
		button.size_flags_horizontal = Control.SIZE_EXPAND_FILL
		button.autowrap_mode = TextServer.AUTOWRAP_WORD_SMART
		button.pressed.connect(choose.bind(index))
		add_child(button)


## Whether there is something to choose.
func is_offering() -> bool:
	return not _options.is_empty()


## Shows the texts; the first can be taken with ui_accept.
func open() -> void:
	if visible or _options.is_empty():
		return
	show()
	(get_child(0) as Button).grab_focus()


## Takes one of the texts.
func choose(index: int) -> void:
	if index < 0 or index >= _options.size():
		return
	var text := _options[index]
	_clear()
	chosen.emit(index, text)


## Takes the offer back.
func withdraw() -> void:
	if is_offering():
		_clear()
		chosen.emit(-1, "")


func _unhandled_key_input(event: InputEvent) -> void:
	var key := event as InputEventKey
	if not is_visible_in_tree() or not key.pressed or key.echo:
		return
	var index := key.keycode - KEY_1
	if index >= 0 and index < mini(_options.size(), 9):
		get_viewport().set_input_as_handled()
		choose(index)


func _clear() -> void:
	_options = PackedStringArray()
	hide()
	for button in get_children():
		remove_child(button)
		button.queue_free()
