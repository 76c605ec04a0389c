## The tavern itself, drawn with shapes: floor, walls, bar, tables, fire, door, windows.
extends Node2D

const FLOOR := Rect2(40, 130, 1200, 550)
const BOARD_HEIGHT := 34.0

var _time := 0.0


func _process(delta: float) -> void:
	_time += delta
	queue_redraw()


func _draw() -> void:
	_draw_floor()
	_draw_wall()
	_draw_bar()
	for place: Vector2 in [Vector2(390, 485), Vector2(820, 515)]:
		_draw_table(place)
	_draw_fire(Vector2(1080, 118))


func _draw_floor() -> void:
	draw_rect(FLOOR, Color("6b4a2f"))
	var row := 0
	var y := FLOOR.position.y
	while y < FLOOR.end.y:
		draw_line(Vector2(FLOOR.position.x, y), Vector2(FLOOR.end.x, y), Color("54381f"), 2.0)
		for board in 8:
			var x := FLOOR.position.x + 90.0 + board * 150.0 - (75.0 if row % 2 else 0.0)
			var end := minf(y + BOARD_HEIGHT, FLOOR.end.y)
			draw_line(Vector2(x, y), Vector2(x, end), Color("5c3e25"), 2.0)
		y += BOARD_HEIGHT
		row += 1
	draw_rect(FLOOR, Color("2c1c10"), false, 8.0)


func _draw_wall() -> void:
	draw_rect(Rect2(40, 60, 1200, 74), Color("8a6a48"))
	draw_rect(Rect2(40, 124, 1200, 10), Color("4a3018"))
	for x: float in [420.0, 560.0, 700.0]:
		draw_rect(Rect2(x, 72, 74, 42), Color("1d2a44"))
		draw_rect(Rect2(x, 72, 74, 42), Color("4a3018"), false, 4.0)
		draw_line(Vector2(x + 37, 72), Vector2(x + 37, 114), Color("4a3018"), 3.0)
		draw_circle(Vector2(x + 55, 84), 3.0, Color("f6f0c8"))
	draw_rect(Rect2(44, 300, 14, 110), Color("3b2613"))
	draw_circle(Vector2(55, 356), 4.0, Color("caa64a"))


func _draw_bar() -> void:
	draw_rect(Rect2(110, 290, 300, 40), Color("7d5430"))
	draw_rect(Rect2(110, 286, 300, 12), Color("a87443"))
	for x: float in [140.0, 190.0, 330.0, 372.0]:
		draw_rect(Rect2(x, 272, 13, 17), Color("c9c3b4"))
		draw_arc(Vector2(x + 15, 280), 5.0, -PI / 2.0, PI / 2.0, 10, Color("c9c3b4"), 3.0)
	for barrel in 3:
		var at := Vector2(140 + barrel * 46, 112)
		draw_circle(at, 20.0, Color("5f3d1f"))
		draw_arc(at, 20.0, 0.0, TAU, 24, Color("2f1e0f"), 3.0)
		draw_circle(at, 3.0, Color("caa64a"))


func _draw_table(at: Vector2) -> void:
	draw_circle(at + Vector2(0, 7), 57.0, Color(0, 0, 0, 0.25))
	draw_circle(at, 55.0, Color("8a5c34"))
	draw_arc(at, 55.0, 0.0, TAU, 48, Color("5c3b1e"), 4.0)
	draw_circle(at + Vector2(-16, -12), 7.0, Color("d8c9a0"))
	draw_circle(at + Vector2(20, 12), 7.0, Color("d8c9a0"))
	var glow := 0.75 + 0.25 * sin(_time * 7.0 + at.x)
	draw_circle(at, 26.0 * glow, Color(1.0, 0.8, 0.4, 0.1))
	draw_circle(at, 4.0, Color("ffe0a0"))


func _draw_fire(at: Vector2) -> void:
	draw_rect(Rect2(at + Vector2(-62, -50), Vector2(124, 66)), Color("4c4a4a"))
	draw_rect(Rect2(at + Vector2(-44, -34), Vector2(88, 50)), Color("140d0a"))
	for tongue in 5:
		var x := -30.0 + tongue * 15.0
		var height := 20.0 + 12.0 * sin(_time * (5.0 + tongue) + tongue * 2.0)
		var flame := PackedVector2Array(
			[at + Vector2(x - 8, 14), at + Vector2(x, 8 - height), at + Vector2(x + 8, 14)]
		)
		draw_colored_polygon(flame, Color("ff8c2a") if tongue % 2 else Color("ffc24a"))
	var glow := 120.0 + 8.0 * sin(_time * 6.0)
	for ring in 4:
		draw_circle(at + Vector2(0, 40), glow * (1.0 - ring * 0.22), Color(1.0, 0.6, 0.2, 0.035))
