## The game's own copy of what a character has heard and said: it re-opens a session after the
## runtime was lost, and goes into saved games.
@tool
extends RefCounted

const Dialogue := preload("../generated/dialogue.gd")
const EntryKind := Dialogue.EntryKind
const TurnCue := Dialogue.TurnCue

const DEFAULT_SPEAKER := "Player"

## Oldest first.
var entries: Array[Dialogue.TranscriptEntry] = []
## The name of the character.
var character := ""

var _asked: Dictionary[String, Answer] = {}  # whose answer has not begun
var _answers: Dictionary[String, Answer] = {}  # that are under way
var _heard: Dictionary[String, int] = {}  # of these, what was heard of the answer


## An answer, and where it goes.
class Answer:
	## What began the turn; null where nothing did.
	var question: Dialogue.TranscriptEntry
	## The line that it comes right behind; null where it is the first.
	var after: Dialogue.TranscriptEntry


## Notes what begins a turn; it becomes an entry when the answer begins.
func ask(utterance: Dialogue.Utterance) -> void:
	var answer := Answer.new()
	match utterance.cue:
		TurnCue.NONE:
			pass
		TurnCue.EVENT:
			answer.question = _entry(EntryKind.EVENT, "", utterance.text, utterance.turn_id)
		_:
			var name := DEFAULT_SPEAKER if utterance.speaker == "" else utterance.speaker
			answer.question = _entry(EntryKind.HEARD, name, utterance.text, utterance.turn_id)
	_asked[utterance.turn_id] = answer


## The answer has begun.
func start(turn_id: String) -> void:
	if turn_id not in _asked:
		return
	var answer := _asked[turn_id]
	if answer.question != null:
		entries.append(answer.question)
	answer.after = null if entries.is_empty() else entries[-1]
	_answers[turn_id] = answer
	_asked.erase(turn_id)


## The answer is over; without text it leaves only the question.
func end(turn_id: String, text: String, is_cut: bool) -> void:
	_asked.erase(turn_id)  # Cut off while it waited: as if never said.
	var answer: Answer = _answers.get(turn_id)
	_answers.erase(turn_id)
	if answer != null and (text != "" or is_cut):
		var spoken := _entry(EntryKind.SPOKE, character, text, turn_id)
		spoken.cut = is_cut
		if turn_id in _heard:
			_shorten(spoken, _heard[turn_id])
		# Behind no line it is the first: rfind says -1 then.
		entries.insert(entries.rfind(answer.after) + 1, spoken)
	_heard.erase(turn_id)


## The turn failed: [param text] stays said; without any it is as if nobody had asked.
func break_off(turn_id: String, text: String) -> void:
	if text == "" and turn_id in _answers and _answers[turn_id].question != null:
		entries.remove_at(entries.rfind(_answers[turn_id].question))
	end(turn_id, text, text != "")


## Forgets questions whose answer has not begun.
func forget_asked() -> void:
	_asked.clear()
	_heard.clear()


## Adds something that happened in the world.
func add_event(text: String) -> void:
	entries.append(_entry(EntryKind.EVENT, "", text, ""))


## Adds lines that a script has spoken.
func add_lines(lines: Array[Dialogue.TranscriptEntry]) -> void:
	entries.append_array(lines)


## Adds an answer that was chosen among texts, and what was said before it, if anything.
func add_choice(turn_id: String, speaker: String, asked: String, answer: String) -> void:
	if asked != "":
		var name := DEFAULT_SPEAKER if speaker == "" else speaker
		entries.append(_entry(EntryKind.HEARD, name, asked, turn_id))
	entries.append(_entry(EntryKind.SPOKE, character, answer, turn_id))


## The runtime has cut these turns off, and of the first so much was heard: where the answer had
## ended, it is shortened. An empty id stands for the newest answer.
func cut(turn_ids: PackedStringArray, heard_characters: int) -> void:
	if turn_ids.is_empty():
		return
	var turn_id := turn_ids[0]
	if turn_id in _asked or turn_id in _answers:
		_heard[turn_id] = heard_characters
		return
	for place in range(entries.size() - 1, -1, -1):
		var entry := entries[place]
		if entry.kind == EntryKind.SPOKE and turn_id in ["", entry.turn_id]:
			_shorten(entry, heard_characters)
			return


## Forgets what the runtime has forgotten.
func drop(dropped: Array[Dialogue.TranscriptEntry]) -> void:
	for forgotten in dropped:
		for place in entries.size():
			if _is_same(entries[place], forgotten):  # Nearly always the first.
				entries.remove_at(place)
				break


## The entries as plain data.
func to_array() -> Array[Dictionary]:
	return as_data(entries)


## Lines as plain data, such as a saved game takes.
static func as_data(lines: Array[Dialogue.TranscriptEntry]) -> Array[Dictionary]:
	var saved: Array[Dictionary] = []
	for entry in lines:
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


## Replaces all entries by what to_array() gave. Returns what is wrong with it, and then leaves the
## entries as they are; or an empty string.
func from_array(saved: Array) -> String:
	for place in saved.size():
		var wrong := _problem_of(saved[place])
		if wrong != "":
			return "entry %d of the transcript %s" % [place, wrong]
	entries.clear()
	for fields: Dictionary in saved:
		var entry := Dialogue.TranscriptEntry.new()
		entry.kind = int(fields["kind"]) as EntryKind
		entry.text = fields["text"]
		entry.speaker = fields.get("speaker", "")
		entry.cut = fields.get("cut", false)
		entry.turn_id = fields.get("turn_id", "")
		entries.append(entry)
	return ""


# A saved game may come from anywhere: another version, or a player's text editor.
static func _problem_of(saved: Variant) -> String:
	if saved is not Dictionary:
		return "is no Dictionary"
	var fields: Dictionary = saved
	var kind: Variant = fields.get("kind")
	var is_number: bool = kind is int or (kind is float and kind == floorf(kind))  # JSON has floats.
	if not is_number or int(kind) not in [EntryKind.HEARD, EntryKind.SPOKE, EntryKind.EVENT]:
		return "has no kind that is 1 (heard), 2 (spoke) or 3 (an event)"
	if fields.get("text") is not String:
		return "has no text"
	for name: String in ["speaker", "turn_id"]:
		if fields.get(name, "") is not String:
			return "has a %s that is no String" % name
	return "" if fields.get("cut", false) is bool else "has a cut that is neither true nor false"


static func _shorten(entry: Dialogue.TranscriptEntry, heard_characters: int) -> void:
	if heard_characters < entry.text.length():
		entry.text = entry.text.left(heard_characters)
		entry.cut = true


static func _is_same(one: Dialogue.TranscriptEntry, other: Dialogue.TranscriptEntry) -> bool:
	return one.kind == other.kind and one.text == other.text and one.turn_id == other.turn_id


static func _entry(
	kind: EntryKind, speaker: String, text: String, turn_id: String
) -> Dialogue.TranscriptEntry:
	var entry := Dialogue.TranscriptEntry.new()
	entry.kind = kind
	entry.speaker = speaker
	entry.text = text
	entry.turn_id = turn_id
	return entry
