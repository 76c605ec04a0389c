## A table with candle and mugs, the bar, barrels or crates; it stands at its node's place, so that
## who is behind it is hidden by it.
extends Node2D

enum Kind { TABLE, BAR, BARRELS, CRATES }

@export var kind := Kind.TABLE

var _shape := StyleBoxFlat.new()


func _draw() -> void:
	match kind:
		Kind.TABLE:
			_draw_table()
		Kind.BAR:
			_draw_bar()
		Kind.BARRELS:
			for at: Vector2 in [Vector2(-36, -10), Vector2(34, 0)]:
				_draw_barrel(at)
		Kind.CRATES:
			for at: Vector2 in [Vector2(-40, -4), Vector2(38, 0), Vector2(0, -58)]:
				_draw_crate(at)


func _draw_table() -> void:
	draw_set_transform(Vector2.ZERO, 0.0, Vector2(1.0, 0.5))
	draw_circle(Vector2(0, 4), 62.0, Color(0, 0, 0, 0.3), true, -1.0, true)
	draw_set_transform(Vector2.ZERO)
	_rounded(Rect2(-30, -8, 60, 12), Color("3f2815"), 6)
	_rounded(Rect2(-11, -36, 22, 38), Color("4a2f1a"), 4)
	draw_set_transform(Vector2(0, -50), 0.0, Vector2(1.0, 0.5))
	draw_circle(Vector2(0, 12), 76.0, Color("5a3a20"), true, -1.0, true)
	draw_circle(Vector2.ZERO, 76.0, Color("8e6038"), true, -1.0, true)
	draw_arc(Vector2.ZERO, 62.0, 0.0, TAU, 64, Color("7d5430"), 3.0, true)
	draw_arc(Vector2.ZERO, 34.0, 0.0, TAU, 48, Color("7d5430"), 3.0, true)
	draw_set_transform(Vector2.ZERO)
	_draw_mug(Vector2(-38, -54))
	_draw_mug(Vector2(34, -44))
	_rounded(Rect2(-4, -74, 8, 22), Color("efe6cf"), 2)
	draw_circle(Vector2(0, -79), 3.6, Color("ffd27a"), true, -1.0, true)


func _draw_bar() -> void:
	_rounded(Rect2(-170, -62, 340, 66), Color("5a3a20"), 6)
	for plank in 8:
		draw_rect(Rect2(-164 + plank * 41, -52, 38, 52), Color("6d4727"))
	_rounded(Rect2(-178, -72, 356, 18), Color("96653a"), 6)
	draw_rect(Rect2(-174, -70, 348, 3), Color("ad7a49"))
	for x: float in [-140.0, -112.0, 96.0]:
		_draw_mug(Vector2(x, -70))
	_rounded(Rect2(126, -104, 34, 34), Color("6b4526"), 10)
	for y: float in [-98.0, -79.0]:
		draw_rect(Rect2(126, y, 34, 3), Color("33302d"))


func _draw_barrel(at: Vector2) -> void:
	draw_set_transform(at, 0.0, Vector2(1.0, 0.4))
	draw_circle(Vector2(0, 6), 36.0, Color(0, 0, 0, 0.3), true, -1.0, true)
	draw_set_transform(at)
	_rounded(Rect2(-30, -78, 60, 82), Color("6b4526"), 18)
	for plank in 4:
		draw_rect(Rect2(-19 + plank * 12, -74, 2, 76), Color("523419"))
	for y: float in [-64.0, -18.0]:
		draw_rect(Rect2(-30, y, 60, 6), Color("3a3633"))
	draw_set_transform(at + Vector2(0, -74), 0.0, Vector2(1.0, 0.34))
	draw_circle(Vector2.ZERO, 25.0, Color("845a35"), true, -1.0, true)
	draw_set_transform(Vector2.ZERO)


func _draw_crate(at: Vector2) -> void:
	var crate := Rect2(at + Vector2(-36, -56), Vector2(72, 58))
	_rounded(crate, Color("4a2f1a"), 4)
	_rounded(crate.grow(-5), Color("7d5430"), 2)
	draw_line(crate.position + Vector2(8, 8), crate.end - Vector2(8, 8), Color("5f3f25"), 7.0, true)


func _draw_mug(at: Vector2) -> void:
	draw_arc(at + Vector2(9, -8), 5.0, -PI / 2.0, PI / 2.0, 12, Color("bcae93"), 2.5, true)
	_rounded(Rect2(at + Vector2(-7, -16), Vector2(14, 16)), Color("cdbfa2"), 3)
	_rounded(Rect2(at + Vector2(-6, -18), Vector2(12, 5)), Color("f5efdf"), 2)


func _rounded(rect: Rect2, color: Color, radius: int) -> void:
	_shape.bg_color = color
	_shape.set_corner_radius_all(radius)
	draw_style_box(_shape, rect)
