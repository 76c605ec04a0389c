## Tells the runtime of the game's frames, so that it computes in what they leave of the processor
## that both use. A child of the autoload.
@tool
extends Node

const GrpcCall := preload("../transport/grpc_call.gd")
const GrpcStatus := preload("../transport/grpc_status.gd")
const Townsfolk := preload("../generated/townsfolk.gd")

## Between two reports. The runtime reckons with the frames for half a second.
const REPORT_USEC := 200_000
const TIMEOUT_SECONDS := 1.0
const MOST_FRAMES := 256
const MOST_BUSY_USEC := 10_000_000
const USUAL_RATE := 60.0

## What the runtime is to give up for frames.
var policy := Townsfolk.PacePolicy.BALANCED

var _reporter := Crypto.new().generate_random_bytes(8).hex_encode()
var _client: Townsfolk.TownsfolkServiceClient
var _is_on_gpu := false
var _begins := PackedInt64Array()
var _busy := PackedInt64Array()
var _reported_at_usec := 0
var _call: GrpcCall


func _init() -> void:
	# Behind the game's own nodes: what follows is drawing.
	process_priority = 1000


## Begins to report to a runtime.
func start(client: Townsfolk.TownsfolkServiceClient, is_on_gpu: bool) -> void:
	_client = client
	_is_on_gpu = is_on_gpu
	_measure(true)


## Ends reporting; pacing ends with it.
func stop() -> void:
	if _client == null:
		return
	var request := Townsfolk.ReportFramesRequest.new()
	request.reporter = _reporter
	request.done = true
	_client.report_frames(request, TIMEOUT_SECONDS)
	drop()


## Forgets a runtime that is gone.
func drop() -> void:
	if _client != null:
		_measure(false)
	_client = null
	_call = null
	_begins.clear()
	_busy.clear()


## Notes that a frame begins, where the runtime shares the CPU with all that the game does in it.
func begin_frame() -> void:
	if _client != null and not _is_on_gpu:
		_note(int(Performance.get_monitor(Performance.TIME_PROCESS) * 1e6 + _drawing_usec()))


func _process(_delta: float) -> void:
	if _client == null:
		return
	if _is_on_gpu:
		var viewport := get_tree().root.get_viewport_rid()
		_note(int(RenderingServer.viewport_get_measured_render_time_gpu(viewport) * 1000.0))
	if Time.get_ticks_usec() - _reported_at_usec >= REPORT_USEC:
		_report()


func _note(busy_usec: int) -> void:
	if _begins.size() < MOST_FRAMES:
		_begins.append(Time.get_ticks_usec())
		_busy.append(clampi(busy_usec, 0, MOST_BUSY_USEC))


func _report() -> void:
	if _call != null and _call.status == null:
		return
	if _call != null and _call.status.code == GrpcStatus.Code.UNIMPLEMENTED:
		drop()  # an older runtime, which knows nothing of frames
		return
	_reported_at_usec = Time.get_ticks_usec()
	var request := Townsfolk.ReportFramesRequest.new()
	request.reporter = _reporter
	request.clock_us = _reported_at_usec
	request.target_us = int(1e6 / _rate())
	request.policy = policy
	for i in _begins.size():
		var frame := Townsfolk.Frame.new()
		frame.age_us = mini(_reported_at_usec - _begins[i], MOST_BUSY_USEC)
		frame.busy_us = _busy[i]
		request.frames.append(frame)
	_begins.clear()
	_busy.clear()
	_call = _client.report_frames(request, TIMEOUT_SECONDS)


## Frames a second that the game aims for.
static func _rate() -> float:
	if Engine.max_fps > 0:
		return clampf(Engine.max_fps, 1.0, 1000.0)
	var rate := DisplayServer.screen_get_refresh_rate()
	return USUAL_RATE if rate < 1.0 else minf(rate, 1000.0)


func _drawing_usec() -> float:
	var viewport := get_tree().root.get_viewport_rid()
	return RenderingServer.viewport_get_measured_render_time_cpu(viewport) * 1000.0


func _measure(is_wanted: bool) -> void:
	if is_inside_tree():
		var viewport := get_tree().root.get_viewport_rid()
		RenderingServer.viewport_set_measure_render_time(viewport, is_wanted)
