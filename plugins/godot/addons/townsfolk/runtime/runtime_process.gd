## A `townsfolk serve` child process. It ends when it is stopped, and also when the game ends in any
## way: it watches the pipe to the game, which closes with it, and the game's process id.
@tool
extends RefCounted

## The runtime serves: "host:port" and the token that it wants.
signal ready(address: String, token: String)
## The runtime has ended, although nobody stopped it.
signal ended(reason: String)
## The runtime has written a line to its log.
signal line_logged(line: String)

const TownsfolkSettings := preload("townsfolk_settings.gd")

const LOG_LINES_IN_REASON := 5
## What the child gets to end by itself after it was asked to.
const GRACE_SECONDS := 8.0

## Whether the runtime is to serve gRPC-Web too; [signal ready] then has that port.
var serves_grpc_web := false
## The process id; 0 when none runs.
var pid := 0

var _pipe: FileAccess
var _stderr: FileAccess
var _unfinished := {}  # FileAccess -> PackedByteArray, the beginning of a line
var _last_lines: Array[String] = []
var _is_ready := false
var _is_stopping := false
var _deadline_usec := 0
var _timeout_seconds := 0.0


## Starts the child; returns what is wrong, or an empty string.
func start(
	executable: String, model: String, more: PackedStringArray, timeout_seconds: float
) -> String:
	var path := TownsfolkSettings.find_executable(executable)
	if path == "":
		return TownsfolkSettings.missing_executable(executable)
	var model_path := TownsfolkSettings.find_model(model)
	if model_path == "" and model != "":
		return TownsfolkSettings.missing_model(model)
	# By its standard output it says where it serves: no folder need be there to write to.
	var arguments := PackedStringArray(["serve", "--port", "0", "--ready-file", "-"])
	arguments.append_array(["--exit-with-stdin", "--exit-with-parent", str(OS.get_process_id())])
	if model_path != "":
		arguments.append_array(["--model", model_path])
	if serves_grpc_web:
		arguments.append_array(["--web-port", "0"])
	arguments.append_array(more)
	var child := OS.execute_with_pipe(path, arguments, false)
	if child.is_empty():
		return "the Townsfolk runtime %s can't be started" % path
	pid = child["pid"]
	_pipe = child["stdio"]
	_stderr = child["stderr"]
	_timeout_seconds = timeout_seconds
	_deadline_usec = Time.get_ticks_usec() + int(timeout_seconds * 1e6)
	return ""


## Looks after the child; call it often.
func poll() -> void:
	if pid == 0:
		return
	if _is_stopping:
		_poll_stopping()
		return
	for line in _read_lines(_pipe):
		_take_output(line)
	for line in _read_lines(_stderr):
		_log(line)
	if not OS.is_process_running(pid):
		for line in _read_lines(_stderr):
			_log(line)
		var status := OS.get_process_exit_code(pid)
		_finish("the Townsfolk runtime has ended with status %d%s" % [status, _log_excerpt()])
	elif not _is_ready and Time.get_ticks_usec() > _deadline_usec:
		var excerpt := _log_excerpt()
		kill()
		ended.emit("the Townsfolk runtime took over %d s to start%s" % [_timeout_seconds, excerpt])


## Asks the child to end by closing its pipe: it finishes or cuts off what it says and goes. Call
## poll() until [member pid] is 0, so that it is killed when it does not.
func stop() -> void:
	if pid != 0 and not _is_stopping:
		_is_stopping = true
		_deadline_usec = Time.get_ticks_usec() + int(GRACE_SECONDS * 1e6)
		_close_pipes()


## Ends the child now.
func kill() -> void:
	if pid != 0:
		OS.kill(pid)
		_forget()


func _poll_stopping() -> void:
	if not OS.is_process_running(pid):
		_forget()
	elif Time.get_ticks_usec() > _deadline_usec:
		kill()


# Its one line of JSON says where it serves, and with which token: that is for nobody's log.
func _take_output(line: String) -> void:
	var facts: Variant = JSON.parse_string(line) if line.begins_with("{") else null
	if _is_ready or not (facts is Dictionary and facts.has_all(["address", "port", "web_port"])):
		_log(line)
		return
	_is_ready = true
	var token: Variant = facts.get("token")
	var port: int = facts["web_port"] if serves_grpc_web else facts["port"]
	var address := "%s:%d" % [facts["address"], port]
	ready.emit(address, "" if token == null else str(token))


func _log(line: String) -> void:
	_last_lines.append(line)
	if _last_lines.size() > LOG_LINES_IN_REASON:
		_last_lines.pop_front()
	line_logged.emit(line)


# The whole lines that have come since.
func _read_lines(pipe: FileAccess) -> PackedStringArray:
	var lines := PackedStringArray()
	if pipe == null or not pipe.is_open():
		return lines
	var bytes := pipe.get_buffer(65536)
	if bytes.is_empty():
		return lines
	var unread: PackedByteArray = _unfinished.get(pipe, PackedByteArray())
	unread.append_array(bytes)
	var newline := unread.find(10)
	while newline >= 0:
		lines.append(unread.slice(0, newline).get_string_from_utf8().strip_edges(false, true))
		unread = unread.slice(newline + 1)
		newline = unread.find(10)
	_unfinished[pipe] = unread
	return lines


func _log_excerpt() -> String:
	return "" if _last_lines.is_empty() else "; its log ends with:\n" + "\n".join(_last_lines)


func _finish(reason: String) -> void:
	_forget()
	ended.emit(reason)


func _forget() -> void:
	pid = 0
	_last_lines.clear()
	_close_pipes()


func _close_pipes() -> void:
	_unfinished.clear()
	for pipe: FileAccess in [_pipe, _stderr]:
		if pipe != null:
			pipe.close()
	_pipe = null
	_stderr = null
