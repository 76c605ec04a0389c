## A text that is typed out by characters, while it still comes.
##
## [NpcDialogueBox] has one. To use one of your own, in a speech bubble say, give it each turn's
## text as it grows:
## [codeblock]
## typewriter.start()
## npc.text_streamed.connect(func(_text: String) -> void:
##     typewriter.type(npc.current_turn.text, npc.current_turn.direction_places))
## [/codeblock]
## What a character says is plain text; [method type_markup] takes BBCode of yours.
@icon("../icons/npc_dialogue_box.svg")
class_name NpcTypewriter
extends RichTextLabel

## A character is shown, which stands at this place of the text: for moving lips and for sounds of
## typing. Nothing comes of what is shown at once, by [method type_all].
signal character_typed(character: String, place: int)

## How fast text is typed, in characters a second; 0 shows it as it comes.
@export_range(0.0, 300.0, 1.0, "or_greater", "suffix:/s") var characters_per_second := 45.0
## Over how many characters the newest fade in; 0 shows them at once.
@export_range(0.0, 20.0, 0.5) var fade_characters := 2.5:
	set(value):
		fade_characters = value
		_effect.fade_characters = value
## Whether time passes by itself; if not, call [method advance].
@export var advances_by_itself := true

## Only so many characters are typed until this is changed; negative: all.
var limit := -1

var _effect := NpcTypewriterEffect.new()
var _text := ""
var _directions: Array[Vector2i] = []
var _is_markup := false
var _typed := 0.0


func _init() -> void:
	bbcode_enabled = true
	fit_content = true
	scroll_active = false
	autowrap_mode = TextServer.AUTOWRAP_WORD_SMART
	mouse_filter = Control.MOUSE_FILTER_PASS
	install_effect(_effect)


func _process(delta: float) -> void:
	if advances_by_itself:
		advance(delta)


## Begins anew, without a text.
func start() -> void:
	_typed = 0.0
	_effect.shown = 0.0
	limit = -1
	_text = ""
	_is_markup = false
	_directions.clear()
	clear()


## Takes the text as far as it has come, and where its stage directions stand, which are set in
## italics; see [member NpcTurn.direction_places].
func type(speech: String, directions: Array[Vector2i] = []) -> void:
	if not _is_markup and speech == _text and directions.size() == _directions.size():
		return
	_text = speech
	_directions.assign(directions)
	_is_markup = false
	clear()
	push_customfx(_effect, {})
	var at := 0
	for place in directions:
		if place.y > 0 and place.x >= at:
			add_text(speech.substr(at, place.x - at))
			push_italics()
			add_text(speech.substr(place.x, place.y))
			pop()
			at = place.x + place.y
	add_text(speech.substr(at))
	pop()
	_typed = minf(_typed, speech.length())


## Takes a whole text with BBCode in it.
func type_markup(markup: String) -> void:
	clear()
	append_text("[type]%s[/type]" % markup)
	_text = get_parsed_text()
	_directions.clear()
	_is_markup = true
	_typed = minf(_typed, _text.length())


## Lets so much time pass, in seconds.
func advance(delta: float) -> void:
	var end := _end()
	var before := int(_typed)
	if characters_per_second <= 0.0:
		_typed = end
	elif _typed < end:
		_typed = minf(_typed + characters_per_second * delta, end)
	else:
		_effect.settle(characters_per_second * delta)
	_effect.shown = _typed
	for place in range(before, int(_typed)):
		character_typed.emit(_text[place], place)


## Shows what there is at once, up to the limit.
func type_all() -> void:
	_typed = _end()
	_effect.shown = _typed
	_effect.settle(_typed)


## How many characters are shown.
func shown_characters() -> int:
	return int(_typed)


## Whether all that there is is shown, up to the limit.
func is_typed() -> bool:
	return int(_typed) >= _end()


## The text without its BBCode.
func plain_text() -> String:
	return _text


func _end() -> int:
	return _text.length() if limit < 0 else mini(limit, _text.length())
