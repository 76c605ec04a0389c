# Base of the drivers: reports events to the Python test as JSON on lines that begin with @@.
extends Node

var arguments: PackedStringArray


func report(event: String, details := {}) -> void:
	print("@@", JSON.stringify(_encoded({"event": event}.merged(details))))


# Strings are percent-encoded: Godot writes control characters into JSON in a way of its own.
func _encoded(value: Variant) -> Variant:
	if value is String or value is StringName:
		return str(value).uri_encode()
	if value is Array or value is PackedStringArray:
		return Array(value).map(_encoded)
	if value is Dictionary:
		var encoded := {}
		for key: String in value:
			encoded[key] = _encoded(value[key])
		return encoded
	return value
