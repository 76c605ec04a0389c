## All characters of the game: saved at once, and restored at once.
##
## One with a [member NpcAgent.save_key] keeps its memories when it leaves the scene tree, for
## itself or for whoever takes its place.
@tool
extends RefCounted

const NpcTranscript := preload("npc_transcript.gd")

# Agents by what they do: their class needs the runtime, which needs this one.
var _members: Array[Member] = []
var _absent: Dictionary[String, Array] = {}  # what those remember who are not in the tree


## A character in the scene tree.
class Member:
	var node: Node
	var name: Callable  # () -> String
	var recall: Callable  # () -> Array[Dictionary]
	var restore: Callable  # (Array) -> bool
	var complain: Callable  # (String)

	func key() -> String:
		var own: String = name.call()
		return str(node.get_path()) if own == "" else own


## A character has entered the scene tree. Where its [param name] is empty, its place is its key.
func enter(
	node: Node, name: Callable, recall: Callable, restore: Callable, complain: Callable
) -> void:
	leave(node)
	var member := Member.new()
	member.node = node
	member.name = name
	member.recall = recall
	member.restore = restore
	member.complain = complain
	_members.append(member)
	var key := member.key()
	if key in _absent:
		if (recall.call() as Array).is_empty():
			restore.call(_absent[key])
		_absent.erase(key)


## A character leaves the scene tree.
func leave(node: Node) -> void:
	for member: Member in _members.duplicate():
		if member.node == node:
			_members.erase(member)
			var name: String = member.name.call()
			if name != "":
				_absent[name] = member.recall.call()


## What all characters remember, by their keys, as plain data.
func save() -> Dictionary:
	var saved := {}
	for key in _absent:
		saved[key] = _absent[key]
	var keys: Dictionary[String, bool] = {}
	for member in _members:
		var key := member.key()
		if key in keys:
			member.complain.call("another character is saved as %s: give each a save_key" % key)
		else:
			keys[key] = true
			saved[key] = member.recall.call()
	return saved


## Has all characters go on from there; those that it does not know begin anew. Returns what is
## wrong with it, and then changes nothing; or an empty string.
func restore_all(saved: Dictionary) -> String:
	for key: Variant in saved:
		if key is not String or saved[key] is not Array:
			return "what was saved of %s is no transcript" % key
		var problem := NpcTranscript.new().from_array(saved[key] as Array)
		if problem != "":
			return "%s: %s" % [key, problem]
	_absent.clear()
	for key: String in saved:
		_absent[key] = saved[key]
	for member in _members:
		var key := member.key()
		member.restore.call(_absent.get(key, []))
		_absent.erase(key)
	return ""
