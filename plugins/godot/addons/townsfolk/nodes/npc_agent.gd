## A character that talks. Give it a persona and call [method say].
##
## [codeblock]
## var turn := $NpcAgent.say("Good evening!")
## await turn.finished
## print(turn.text)
## [/codeblock]
## Several things said queue up and are answered in order; any number of agents speak at once.
@tool
@icon("../icons/npc_agent.svg")
class_name NpcAgent
extends Node

## Something was said to the character and its answer is next.
signal thinking_started(turn: NpcTurn)
## More of the answer.
signal text_streamed(text: String)
## A sentence of the answer is whole: it can be spoken aloud. Stage directions are not in it.
signal sentence_ready(sentence: String)
## The same, for lip-sync and barge-in: the sentence of this number, from 0 on, in its turn. It has
## its place in the answer in [member NpcTurn.sentence_places].
signal sentence_completed(turn: NpcTurn, index: int)
## The character does something that is not said, "slams the tankard"; see
## [member stage_directions].
signal direction_given(direction: String)
## The character was not sure of a sentence; see [member hesitation_entropy].
signal hesitated(sentence: String)
## The character does something; see [method add_action].
signal action_requested(action: NpcAction)
## The answer is whole; or it is a fallback line, see [member NpcTurn.is_fallback].
signal reply_finished(turn: NpcTurn)
## The answer was cut off.
signal interrupted(turn: NpcTurn)
## The character remembers these lines no more, as its context was full; they are not in
## [method transcript] any longer. Each has kind, speaker, text, cut and turn_id.
signal lines_forgotten(lines: Array[Dictionary])
## There is no answer, or the session has a problem; the message says what to do.
signal failed(message: String)
## The session was opened, or re-opened after the runtime was lost.
signal session_opened(is_resumed: bool)

## KEEP: stage directions stay in the text, but not in the sentences. APART: they are in neither,
## and [signal direction_given] alone tells of them. DROP: nobody learns of them. SPEAK: all is said
## aloud.
enum StageDirections { KEEP, APART, DROP, SPEAK }

const Attention := preload("attention.gd")
const CharacterSetup := preload("character_setup.gd")
const Dialogue := preload("../generated/dialogue.gd")
const NpcSession := preload("../runtime/npc_session.gd")
const NpcTranscript := preload("../runtime/npc_transcript.gd")
const ScriptLines := preload("../runtime/script_lines.gd")
const Townsfolk := preload("../generated/townsfolk.gd")
const TownsfolkRuntime := preload("../runtime/townsfolk_runtime.gd")
const TurnQueue := preload("turn_queue.gd")

## Who the character is. A change of persona, lore or sampling takes effect with the next line that
## is said while no other is answered; the character goes on with the same memories. Another persona
## begins a conversation of its own.
@export var persona: NpcPersona:
	set(value):
		if persona != null and persona.changed.is_connected(update_configuration_warnings):
			persona.changed.disconnect(update_configuration_warnings)
		persona = value
		if persona != null:
			persona.changed.connect(update_configuration_warnings)
		update_configuration_warnings()
## What the character knows of the world.
@export var lore: Array[LorePack] = []:
	set(value):
		lore = value
		update_configuration_warnings()
## How the character chooses its words; empty takes the model's defaults.
@export var sampling: NpcSampling
## Open the session as soon as the runtime is there, so that the first answer comes sooner.
@export var opens_on_ready := true
## Say of which sentences the character is not sure: those where the entropy of what it could say
## reaches so many nats. 3 to 5 suits most models; 0 says nothing.
@export_range(0.0, 20.0, 0.1) var hesitation_entropy := 0.0
## Keep the conversation out of what a runtime records of play ([code]townsfolk serve
## --record-play[/code]): for players who did not agree. A change holds from the next line on.
@export var off_the_record := false
## What becomes of stage directions in the answers: "*slams the tankard*".
@export var stage_directions := StageDirections.KEEP
## How stage directions are marked; none of these means all.
@export_flags("*asterisks*", "(parentheses)", "[brackets]", "<tags>") var direction_marks := 15
## The character acts anywhere in its answer and goes on speaking behind each action, instead of
## acting behind what it says.
@export var acts_between := false
## While this node is paused with its tree, nothing is said: what the character says and does
## meanwhile comes when the game goes on. [member Node.process_mode] says when it is.
@export var pauses_with_tree := false:
	set(value):
		pauses_with_tree = value
		_update_hold()
## What the character is called in a saved game of all; see [code]TownsfolkRuntime.save_npcs()
## [/code]. Empty means its place in the scene tree. One with a name keeps its memories when it
## leaves the tree, also for another node of that name.
@export var save_key := ""
@export_group("Priority")
## Larger goes first when the runtime is short of time. -100 to 100.
@export_range(-100, 100) var priority := 0:
	set(value):
		priority = value
		_attention.update()
## The nearer this node is to the listener, the higher the priority. A Node2D or Node3D. The
## listener is the first node of the group "townsfolk_listener", or the current camera.
@export_custom(PROPERTY_HINT_NODE_TYPE, "Node2D,Node3D") var attention_anchor: Node:
	set(value):
		attention_anchor = value
		update_configuration_warnings()
		_update_processing()
## From this distance on, in pixels or meters, the priority is not raised.
@export_range(0.0, 4096.0, 1.0, "or_greater") var attention_range := 1000.0
@export_group("When answers fail")
## The answer must end within this time; what was said until then is kept. 0 means no limit.
@export_range(0.0, 120.0, 0.5, "or_greater", "suffix:s") var deadline_seconds := 0.0:
	set(value):
		deadline_seconds = value
		_update_processing()
## What the character says when there is no answer: no runtime, no time, an error.
@export var fallback_lines: PackedStringArray

## The turn that is being answered; null when none is.
var current_turn: NpcTurn:
	get:
		return _turns.current
## The character has something else to do, such as the lines of a script: what is said to it waits
## until it is free again, and so does the rest of an answer under way. To cut that off instead,
## call [method interrupt] before.
var is_occupied := false:
	set(value):
		is_occupied = value
		_update_hold()
		_session.is_occupied = value
## The runtime to use; by default the autoload.
var runtime: TownsfolkRuntime

var _setup := CharacterSetup.new(self)
var _turns := TurnQueue.new()
var _session := NpcSession.new(_setup.open, _setup.collect_lore)
var _attention := Attention.new(self, _session)


func _init() -> void:
	_turns.began.connect(thinking_started.emit)
	_turns.ended.connect(_on_turn_ended)
	_turns.fell_back.connect(_on_fell_back)
	_session.answers.text_streamed.connect(text_streamed.emit)
	_session.answers.sentence_ready.connect(_on_sentence_ready)
	_session.answers.hesitated.connect(hesitated.emit)
	_session.answers.direction_given.connect(direction_given.emit)
	_session.answers.action_requested.connect(_on_action_requested)
	_session.answers.turn_ended.connect(_finish)
	_session.answers.lines_forgotten.connect(lines_forgotten.emit)
	_session.problem_reported.connect(failed.emit)
	_session.opened.connect(session_opened.emit)


func _ready() -> void:
	_update_processing()
	if Engine.is_editor_hint():
		return
	if opens_on_ready and persona != null and persona.problem() == "" and _find_runtime() != null:
		open()


func _process(delta: float) -> void:
	_session.poll()
	_attention.poll(delta)


func _notification(what: int) -> void:
	match what:
		NOTIFICATION_ENTER_TREE:
			_update_hold()
			if not Engine.is_editor_hint() and _find_runtime() != null:
				var own_key := func() -> String: return save_key
				_find_runtime().cast.enter(self, own_key, transcript, restore, failed.emit)
		NOTIFICATION_PAUSED, NOTIFICATION_UNPAUSED:
			_update_hold()


func _exit_tree() -> void:
	_turns.abandon()
	close()
	if runtime != null:
		runtime.cast.leave(self)


func _get_configuration_warnings() -> PackedStringArray:
	var warnings := _setup.warnings()
	if not ProjectSettings.has_setting("autoload/" + TownsfolkRuntime.AUTOLOAD):
		warnings.append("Enable the Townsfolk plugin in Project Settings > Plugins.")
	return warnings


## Says something to the character. The answer comes in the turn that is returned, and in this
## node's signals. With a [param grammar] it is just what that says: JSON, one of a few texts.
##
## [param actions] are the names of those actions that the character may take now; null means all.
## With [param must_act] it takes one, whatever it says.
func say(
	text: String,
	speaker := "Player",
	grammar: NpcGrammar = null,
	actions: Variant = null,
	must_act := false
) -> NpcTurn:
	var options := NpcTurnOptions.new()
	options.grammar = grammar
	options.actions = actions
	options.must_act = must_act
	return say_with(text, options, speaker)


## Says something to the character, with sampling, a deadline or whatever else of its own.
func say_with(text: String, options: NpcTurnOptions, speaker := "Player") -> NpcTurn:
	return _begin(Dialogue.TurnCue.SAID, text, speaker, options)


## Has the character speak of its own accord: first, or again.
func greet(options: NpcTurnOptions = null) -> NpcTurn:
	return _begin(Dialogue.TurnCue.NONE, "", "", options)


## Has the character say something to what happens: "The door bursts open." An event that needs no
## answer is for [method notify].
func react(event: String, options: NpcTurnOptions = null) -> NpcTurn:
	return _begin(Dialogue.TurnCue.EVENT, event, "", options)


## Has the character remember lines that the game's script has spoken. A String is a line of the
## character itself; a Dictionary has kind (1 heard, 2 spoke, 3 an event), text and speaker, as in
## [method transcript]. All lines are taken, or none.
##
## [codeblock]
## $NpcAgent.record(["Welcome to the Lantern!", {"kind": 1, "speaker": "Player", "text": "A bed?"}])
## [/codeblock]
func record(lines: Array) -> void:
	var problem := _problem()
	if problem == "":
		var script := ScriptLines.new(lines, persona.name)
		problem = script.problem
		if problem == "":
			open()
			_session.record(script.entries)
	if problem != "":
		failed.emit(problem)


## Has the character choose what to say among texts of yours; await it. Nothing is generated, and
## the conversation stays as it is unless it [param remembers]: so this also tells a mood, or
## decides what the character does.
##
## [codeblock]
## var mood := await $NpcAgent.choose(["calm", "angry"], "(How do you feel?)")
## print(mood.text, mood.probabilities)
## [/codeblock]
## [param text] is what is said to the character before; empty: what it would say now. With
## [param draws] one is drawn by its probability, else the likeliest is taken; [param per_token] is
## for texts of unlike length.
func choose(
	options: PackedStringArray,
	text := "",
	speaker := "Player",
	remembers := false,
	draws := false,
	per_token := false
) -> NpcChoice:
	var problem := _problem()
	if problem != "":
		return NpcChoice.failed(problem)
	if _turns.is_empty():
		_follow_changes()
	open()
	var request := Townsfolk.ChooseRequest.new()
	request.options.assign(options)
	request.remember = remembers
	request.draw = draws
	if per_token:
		request.score = Townsfolk.ChoiceScore.PER_TOKEN
	if text != "":
		request.utterance = Dialogue.Utterance.new()
		request.utterance.text = text
		request.utterance.speaker = speaker
	return await _session.choose(request)


## Makes a method something that the character can do. Its parameters, of the types String, int,
## float and bool, are what it has to know; those with a default may be left out.
##
## [codeblock]
## func give_item(item: String, count := 1) -> String:
##     inventory.add(item, count)
##     return "the player has it"
##
## func _ready() -> void:
##     $NpcAgent.add_action(give_item, "Gives something.", "", {"item": ["ale", "bread"]})
## [/codeblock]
## It is called the moment the action is whole. What it returns the character learns; false, or
## [method NpcAction.refuse], means that it is not done. [param condition] tells the model when the
## character may do it, and [param options] which texts a parameter can be.
func add_action(callable: Callable, description: String, condition := "", options := {}) -> void:
	var problem := _setup.actions.add(callable, description, condition, options)
	if problem != "":
		push_error("Townsfolk: %s" % problem)


## Makes something an action that has no method: answer the signal [signal action_requested] with
## [method NpcAction.accept] or [method NpcAction.reject]. [param schema] is the JSON Schema of its
## arguments.
func add_action_schema(action: String, description: String, schema := {}, condition := "") -> void:
	_setup.actions.add_schema(action, description, schema, condition)


## Takes an action away from the character.
func remove_action(action: String) -> void:
	_setup.actions.remove(action)


## Lets the character learn of an event in the world, without an answer: "The door bursts open."
func notify(event: String) -> void:
	var problem := _problem()
	if problem == "":
		open()
		_session.notify_event(event)
	else:
		failed.emit(problem)


## Cuts the current answer off, and drops all that wait. With none under way and
## [param heard_characters] given, it cuts the newest answer, which may still be shown or spoken.
##
## The character remembers only the first [param heard_characters] of the answer, exactly: what the
## player has seen or heard of it. Negative: all that was generated.
func interrupt(heard_characters := -1) -> void:
	_session.interrupt(null, heard_characters)


## Opens the session now, rather than when something is first said.
func open() -> void:
	var problem := _problem()
	if problem != "":
		failed.emit(problem)
		return
	_attention.update()
	_session.open(_find_runtime())
	_update_processing()


## Ends the session; the runtime forgets it. [method transcript] still has what was said, and
## the next [method say] goes on from there.
func close() -> void:
	_session.close()
	_setup.close()
	_update_processing()


## Whether an answer is under way or waiting.
func is_busy() -> bool:
	return not _turns.is_empty()


## What the character remembers of all that it has heard and said, as plain data for a saved game:
## pass it to [method restore]. When the model's context is full, the oldest entries are forgotten.
## Each entry has kind, speaker, text, cut and turn_id.
func transcript() -> Array[Dictionary]:
	return _session.transcript.to_array()


## Goes on from a saved game's [method transcript]. The current session is closed. Returns whether
## it is one: if not, [signal failed] says what is wrong, and nothing has changed.
func restore(saved: Array) -> bool:
	var problem := NpcTranscript.new().from_array(saved)
	if problem != "":
		failed.emit("%s can't go on from what was saved: %s" % [name, problem])
		return false
	close()
	_setup.forget_persona()
	_session.transcript.from_array(saved)
	return true


func _begin(
	cue: Dialogue.TurnCue, text: String, speaker: String, options: NpcTurnOptions
) -> NpcTurn:
	var turn := NpcTurn.new(speaker, text, _session.interrupt)
	_turns.add(turn)
	var problem := _problem()
	if problem != "":
		turn.error = problem
		_finish.call_deferred(turn)
		return turn
	if _turns.is_alone():
		_follow_changes()
	open()
	var utterance := Dialogue.Utterance.new()
	utterance.cue = cue
	utterance.text = text
	utterance.speaker = speaker
	if options == null:
		options = NpcTurnOptions.new()
	options.fill(utterance, deadline_seconds)
	if options.actions != null or acts_between or options.must_act:
		utterance.actions = _setup.actions.select(options.actions, acts_between, options.must_act)
	_session.say(turn, utterance)
	_update_processing()
	if _turns.is_alone():
		_turns.begin_next.call_deferred()
	return turn


func _problem() -> String:
	if _setup.problem() != "":
		return _setup.problem()
	if not is_inside_tree():
		return "%s is not in the scene tree" % name
	if _find_runtime() == null:
		return "TownsfolkRuntime is missing: enable the Townsfolk plugin in Project Settings > Plugins"
	return ""


func _find_runtime() -> TownsfolkRuntime:
	if runtime == null and is_inside_tree():
		runtime = get_node_or_null("/root/" + TownsfolkRuntime.AUTOLOAD) as TownsfolkRuntime
	return runtime


# Opens the session anew where the character was changed since.
func _follow_changes() -> void:
	var is_another := _setup.is_another()
	if is_another or _setup.has_changed():
		close()
	if is_another:
		# Who speaks now was not there.
		restore([])


func _update_hold() -> void:
	var is_paused := pauses_with_tree and is_inside_tree() and not can_process()
	_session.is_held = is_paused or (is_occupied and _session.is_answering())


# Without deadlines and attention nothing is done each frame.
func _update_processing() -> void:
	var has_deadlines := deadline_seconds > 0.0 or _session.has_deadlines()
	set_process(_session.is_open() and (has_deadlines or attention_anchor != null))


func _on_action_requested(action: NpcAction) -> void:
	action_requested.emit(action)
	if not action.is_answered and _setup.actions.has_method_of(action.name):
		_setup.actions.run(action)


func _on_sentence_ready(turn: NpcTurn, sentence: String) -> void:
	sentence_ready.emit(sentence)
	sentence_completed.emit(turn, turn.sentences.size() - 1)


func _finish(turn: NpcTurn) -> void:
	_turns.finish(turn, fallback_lines)


func _on_fell_back(line: String) -> void:
	text_streamed.emit(line)
	sentence_ready.emit(line)


func _on_turn_ended(turn: NpcTurn) -> void:
	if turn.error != "" and not turn.is_fallback:
		failed.emit(turn.error)
	elif turn.was_interrupted:
		interrupted.emit(turn)
	else:
		reply_finished.emit(turn)
