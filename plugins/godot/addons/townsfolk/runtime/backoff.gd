## The pauses between attempts to reach a runtime: each is twice as long as the one before.
@tool
extends RefCounted

const FIRST_SECONDS := 0.25
const LONGEST_SECONDS := 8.0

## How many attempts have failed in a row.
var failures := 0

var _until_usec := 0


## An attempt has failed: the next one waits.
func fail() -> void:
	var seconds := minf(FIRST_SECONDS * pow(2.0, failures), LONGEST_SECONDS)
	failures += 1
	_until_usec = Time.get_ticks_usec() + int(seconds * 1e6)


## An attempt has succeeded, or another runtime is tried.
func reset() -> void:
	failures = 0


## Whether it is time for the next attempt.
func is_over() -> bool:
	return Time.get_ticks_usec() >= _until_usec
