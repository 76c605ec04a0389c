## Shows the first characters of a text only, and fades the newest of them in.
##
## [NpcTypewriter] moves it on. On a RichTextLabel of your own, install it, write
## [code][type]...[/type][/code] around the text, which may have other BBCode inside, and move
## [member shown] on yourself.
@tool
class_name NpcTypewriterEffect
extends RichTextEffect

## How many characters are shown.
@export var shown := 0.0:
	set(value):
		shown = value
		_settled = clampf(_settled, shown - fade_characters, shown)
## Over how many characters the newest fade in; 0 shows them at once.
@export_range(0.0, 20.0, 0.5) var fade_characters := 2.5
## From how far below their place they come, in pixels.
@export_range(0.0, 20.0, 0.5, "suffix:px") var rise := 3.0

## The name of the tag.
var bbcode := "type"

var _settled := 0.0  # so many do not fade any more


## Lets so many of the characters that fade in come to an end, when no more are typed.
func settle(characters: float) -> void:
	_settled = minf(_settled + characters, shown)


func _process_custom_fx(glyph: CharFXTransform) -> bool:
	var place := glyph.relative_index
	glyph.visible = place + 1 <= shown
	if place >= _settled and glyph.visible:
		var share := (shown - place) / (shown - _settled)
		glyph.color.a *= share
		glyph.offset.y += rise * (1.0 - share)
	return true
