## Lines that a game's script has spoken, as a character's transcript takes them.
@tool
extends RefCounted

const Dialogue := preload("../generated/dialogue.gd")
const EntryKind := Dialogue.EntryKind

const DEFAULT_SPEAKER := "Player"
const MAX_LINES := 256
const MAX_CHARACTERS := 4096

## The lines, oldest first.
var entries: Array[Dialogue.TranscriptEntry] = []
## What is wrong with them; empty when all is well.
var problem := ""


## Reads lines: a String is spoken by the character itself, a Dictionary is as in a transcript.
func _init(lines: Array, character: String) -> void:
	if lines.is_empty() or lines.size() > MAX_LINES:
		problem = "there are %d lines (allowed: 1 to %d)" % [lines.size(), MAX_LINES]
	for place in lines.size():
		if problem == "":
			problem = _take(lines[place], character)
			if problem != "":
				problem = "line %d %s" % [place, problem]


func _take(line: Variant, character: String) -> String:
	var fields: Dictionary = {}
	if line is String or line is StringName:
		fields = {"kind": EntryKind.SPOKE, "text": str(line)}
	elif line is Dictionary:
		fields = line
	else:
		return "is neither a String nor a Dictionary"
	var kind: Variant = fields.get("kind", EntryKind.SPOKE)
	var is_number: bool = kind is int or (kind is float and kind == floorf(kind))
	if not is_number or int(kind) not in [EntryKind.HEARD, EntryKind.SPOKE, EntryKind.EVENT]:
		return "has a kind that is none of 1 (heard), 2 (spoke) and 3 (an event)"
	var text: Variant = fields.get("text")
	var speaker: Variant = fields.get("speaker", "")
	if text is not String or speaker is not String:
		return "has a text or a speaker that is no String"
	if str(text).strip_edges() == "" or str(text).length() > MAX_CHARACTERS:
		return "has %d characters (allowed: 1 to %d)" % [str(text).length(), MAX_CHARACTERS]
	var entry := Dialogue.TranscriptEntry.new()
	entry.kind = int(kind) as EntryKind
	entry.text = text
	entry.speaker = speaker
	var wrong := _wrong_speaker(entry, character)
	if wrong == "":
		entries.append(entry)
	return wrong


static func _wrong_speaker(entry: Dialogue.TranscriptEntry, character: String) -> String:
	match entry.kind:
		EntryKind.SPOKE:
			if entry.speaker not in ["", character]:
				return (
					"was spoken by %s, not by %s: say that it was heard"
					% [entry.speaker, character]
				)
			entry.speaker = character
		EntryKind.HEARD:
			if entry.speaker == "":
				entry.speaker = DEFAULT_SPEAKER
			if entry.speaker.length() > 64 or "\n" in entry.speaker:
				return "has a speaker of more than 64 characters or one line"
		EntryKind.EVENT:
			if entry.speaker != "":
				return "is an event and has a speaker"
	return ""
