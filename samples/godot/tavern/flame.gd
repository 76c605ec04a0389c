## The light of a fire, a candle or a lantern: it flickers.
extends PointLight2D

## How strongly it flickers.
@export_range(0.0, 1.0) var flicker := 0.12
## How bright it is on average.
@export var brightness := 1.0

var _time := randf() * 100.0


func _process(delta: float) -> void:
	_time += delta
	energy = brightness * (1.0 + flicker * (0.6 * sin(_time * 7.3) + 0.4 * sin(_time * 17.1)))
