# Base of the drivers: reports events to the Python test as JSON on lines that begin with @@.
extends Node

var arguments: PackedStringArray


func report(event: String, details := {}) -> void:
	print("@@", JSON.stringify({"event": event}.merged(details)))
