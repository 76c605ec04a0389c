## A chat with a persona, in the editor: write a line, read the answer, change the persona, go on.
@tool
extends VBoxContainer

const TownsfolkRuntime := preload("../runtime/townsfolk_runtime.gd")

const TEMPLATES := "res://addons/townsfolk/templates"

## Whom the chat talks to. It follows what is edited: the next line is answered by the character as
## it is then.
var persona: NpcPersona:
	set(value):
		persona = value
		start_over()
## The agent of the scene whose lore and sampling the chat takes; null for a persona alone.
var source: NpcAgent

var _runtime: TownsfolkRuntime
var _agent := NpcAgent.new()
var _picker: EditorResourcePicker
var _template_menu := MenuButton.new()
var _history := RichTextLabel.new()
var _input := LineEdit.new()
var _send_button := Button.new()
var _stop_button := Button.new()
var _restart_button := Button.new()
var _save_dialog: EditorFileDialog
var _template := ""


func _init(runtime: TownsfolkRuntime) -> void:
	name = "Test chat"
	_runtime = runtime
	_agent.runtime = runtime
	_agent.opens_on_ready = false
	_agent.text_streamed.connect(_history.add_text)
	_agent.thinking_started.connect(_on_thinking_started)
	_agent.reply_finished.connect(_on_turn_ended)
	_agent.interrupted.connect(_on_turn_ended)
	_agent.failed.connect(_on_failed)
	add_child(_agent)
	_history.size_flags_vertical = Control.SIZE_EXPAND_FILL
	_history.scroll_following = true
	_history.selection_enabled = true
	_input.placeholder_text = "Say something…"
	_input.size_flags_horizontal = Control.SIZE_EXPAND_FILL
	_input.keep_editing_on_text_submit = true
	_input.text_submitted.connect(say)
	_send_button.text = "Say"
	_send_button.pressed.connect(func() -> void: say(_input.text))
	_stop_button.text = "Interrupt"
	_stop_button.disabled = true
	_stop_button.pressed.connect(_agent.interrupt)
	_restart_button.text = "Start over"
	_restart_button.pressed.connect(start_over)


func _ready() -> void:
	_picker = EditorResourcePicker.new()
	_picker.base_type = "NpcPersona"
	_picker.size_flags_horizontal = Control.SIZE_EXPAND_FILL
	_picker.resource_changed.connect(func(chosen: Resource) -> void: persona = chosen as NpcPersona)
	_template_menu.text = "From template"
	_template_menu.flat = false
	for file in ResourceLoader.list_directory(TEMPLATES):
		_template_menu.get_popup().add_item(file.get_basename().capitalize())
		_template_menu.get_popup().set_item_metadata(-1, TEMPLATES.path_join(file))
	_template_menu.get_popup().index_pressed.connect(_on_template_chosen)
	add_child(_make_row([_picker, _template_menu]))
	add_child(_history)
	add_child(_make_row([_input, _send_button, _stop_button, _restart_button]))
	EditorInterface.get_inspector().edited_object_changed.connect(_on_inspected)


## Says something to the persona.
func say(text: String) -> void:
	if text.strip_edges() == "":
		return
	_input.clear()
	_write_line("You: ", Color.LIGHT_SKY_BLUE)
	_history.add_text(text)
	if persona == null:
		_on_failed("choose a persona above, or select one in the inspector")
		return
	if _runtime.state == TownsfolkRuntime.State.STOPPED:
		_on_failed("start the runtime first")
		return
	_agent.persona = persona
	var known: Array[LorePack] = []
	_agent.sampling = null
	if is_instance_valid(source):
		known = source.lore
		_agent.sampling = source.sampling
	_agent.lore = known
	_agent.say(text)


## Forgets the conversation.
func start_over() -> void:
	_agent.close()
	_agent.restore([])
	_history.clear()
	_stop_button.disabled = true
	if _picker != null and _picker.edited_resource != persona:
		_picker.edited_resource = persona


func _make_row(parts: Array[Control]) -> Control:
	var row := HBoxContainer.new()
	for part in parts:
		row.add_child(part)
	return row


func _write_line(prefix: String, color: Color) -> void:
	if _history.get_parsed_text() != "":
		_history.newline()
	_history.push_color(color)
	_history.add_text(prefix)
	_history.pop()


func _on_inspected() -> void:
	var inspected := EditorInterface.get_inspector().get_edited_object()
	var found := inspected as NpcPersona
	var agent := inspected as NpcAgent
	if agent != null:
		found = agent.persona
	if found == null:
		return
	if found != persona:
		source = null
		persona = found
	# Who only looks at the persona of the agent goes on with the agent's lore.
	if agent != null:
		source = agent


func _on_template_chosen(index: int) -> void:
	_template = _template_menu.get_popup().get_item_metadata(index)
	if _save_dialog == null:
		_save_dialog = EditorFileDialog.new()
		_save_dialog.file_mode = EditorFileDialog.FILE_MODE_SAVE_FILE
		_save_dialog.add_filter("*.tres", "Persona")
		_save_dialog.file_selected.connect(_on_template_saved)
		add_child(_save_dialog)
	_save_dialog.current_path = "res://" + _template.get_file()
	_save_dialog.popup_file_dialog()


func _on_template_saved(path: String) -> void:
	var made: NpcPersona = load(_template).duplicate()
	if ResourceSaver.save(made, path) == OK:
		EditorInterface.get_resource_filesystem().scan()
		EditorInterface.edit_resource(load(path))


func _on_thinking_started(_turn: NpcTurn) -> void:
	_stop_button.disabled = false
	_write_line(persona.name + ": ", persona.color)


func _on_turn_ended(turn: NpcTurn) -> void:
	_stop_button.disabled = true
	var note := " — interrupted" if turn.was_interrupted else ""
	var facts := [note, turn.generated_tokens, turn.time_to_first_token_ms, turn.tokens_per_second]
	_history.push_color(Color.GRAY)
	_history.add_text("%s  (%d tokens, first after %.0f ms, then %.0f/s)" % facts)
	_history.pop()


func _on_failed(message: String) -> void:
	_stop_button.disabled = true
	_write_line(message, Color.TOMATO)
