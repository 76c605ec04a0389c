## Writes what goes on in a runtime to a file for a bug report: `townsfolk inspect --record` does,
## which takes tokens and keys out.
@tool
extends RefCounted

const TownsfolkSettings := preload("../runtime/townsfolk_settings.gd")

const TOKEN_VARIABLE := "TOWNSFOLK_AUTH_TOKEN"
const WHERE_TO_GET_IT := "recording needs the townsfolk command, which no bundle has: "

## The file that is written; empty when none is.
var path := ""
## Why the last recording ended by itself; empty when it did not.
var problem := ""

var _pid := 0
var _pipe: FileAccess
var _stderr: FileAccess
var _printed := PackedByteArray()


## Begins to write. Without texts, nothing that players or writers wrote is in the file.
func start(address: String, token: String, file: String, without_texts: bool) -> void:
	stop()
	problem = ""
	var program := TownsfolkSettings.find_executable(TownsfolkSettings.developers_executable())
	if program == "":
		problem = WHERE_TO_GET_IT + TownsfolkSettings.how_to_install()
		return
	var arguments := PackedStringArray(["inspect", "--no-view", "--connect", address])
	arguments.append_array(["--record", file])
	if without_texts:
		arguments.append("--no-text")
	# Not as an argument, which others on this machine can read.
	OS.set_environment(TOKEN_VARIABLE, token)
	var child := OS.execute_with_pipe(program, arguments, false)
	OS.unset_environment(TOKEN_VARIABLE)
	if child.is_empty():
		problem = "%s can't be started" % program
		return
	_pid = child["pid"]
	_pipe = child["stdio"]
	_stderr = child["stderr"]
	path = file


## Ends it; the file is whole at any time.
func stop() -> void:
	if _pid != 0:
		OS.kill(_pid)
	_forget()


## Sees whether it still goes on; call it often.
func poll() -> void:
	if _pid == 0:
		return
	_printed.append_array(_stderr.get_buffer(4096))
	if not OS.is_process_running(_pid):
		_printed.append_array(_stderr.get_buffer(4096))
		var said := _printed.get_string_from_utf8().strip_edges()
		problem = "the recording has ended: %s" % said
		_forget()


func _forget() -> void:
	_pid = 0
	path = ""
	_printed.clear()
	_pipe = null
	_stderr = null
