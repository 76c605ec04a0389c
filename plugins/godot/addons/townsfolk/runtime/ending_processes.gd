## Runtimes that were asked to end, until they have.
@tool
extends RefCounted

const RuntimeProcess := preload("runtime_process.gd")

var _processes: Array[RuntimeProcess] = []


## Asks a runtime to end.
func add(process: RuntimeProcess) -> void:
	process.stop()
	_processes.append(process)


## Sees to it that they end; called each frame.
func poll() -> void:
	for process: RuntimeProcess in _processes.duplicate():
		process.poll()
		if process.pid == 0:
			_processes.erase(process)
