## The game's own copy of what a character has heard and said: it re-opens a session after the
## runtime was lost, and goes into saved games.
@tool
extends RefCounted

const Dialogue := preload("../generated/dialogue.gd")
const EntryKind := Dialogue.EntryKind

## Oldest first.
var entries: Array[Dialogue.TranscriptEntry] = []


## Adds a turn whose answer has ended; an empty answer that was cut leaves only what was heard.
func add_turn(turn: NpcTurn, turn_id: String, character: String) -> void:
	_add(EntryKind.HEARD, turn.speaker, turn.prompt, turn_id)
	if turn.text != "" or turn.was_interrupted:
		_add(EntryKind.SPOKE, character, turn.text, turn_id).cut = turn.was_interrupted


## Adds something that happened in the world.
func add_event(text: String) -> void:
	_add(EntryKind.EVENT, "", text, "")


## Shortens an answer to what was heard of it.
func cut(turn_id: String, heard_characters: int) -> void:
	for entry in entries:
		if entry.turn_id == turn_id and entry.kind == EntryKind.SPOKE:
			entry.cut = entry.cut or heard_characters < entry.text.length()
			entry.text = entry.text.left(heard_characters)


## Forgets the oldest entries.
func drop(count: int) -> void:
	entries = entries.slice(count)


## The entries as plain data.
func to_array() -> Array[Dictionary]:
	var saved: Array[Dictionary] = []
	for entry in entries:
		(
			saved
			. append(
				{
					"kind": entry.kind,
					"speaker": entry.speaker,
					"text": entry.text,
					"cut": entry.cut,
					"turn_id": entry.turn_id,
				}
			)
		)
	return saved


## Replaces all entries by what to_array() gave.
func from_array(saved: Array) -> void:
	entries.clear()
	for fields: Dictionary in saved:
		var entry := _add(
			int(fields["kind"]) as EntryKind, fields["speaker"], fields["text"], fields["turn_id"]
		)
		entry.cut = fields["cut"]


func _add(
	kind: EntryKind, speaker: String, text: String, turn_id: String
) -> Dialogue.TranscriptEntry:
	var entry := Dialogue.TranscriptEntry.new()
	entry.kind = kind
	entry.speaker = speaker
	entry.text = text
	entry.turn_id = turn_id
	entries.append(entry)
	return entry
