## The tavern itself, drawn once with shapes: floor, walls, windows, door, shelf and fireplace.
extends Node2D

const SIZE := Vector2(1280, 720)
const WALL_HEIGHT := 214.0
const BOARD_HEIGHT := 38.0

var _shape := StyleBoxFlat.new()


func _draw() -> void:
	_draw_floor()
	_draw_rug(Vector2(640, 446))
	_draw_wall()
	for x: float in [470.0, 640.0, 810.0]:
		_draw_window(Vector2(x, 98))
	_draw_door(Vector2(372, WALL_HEIGHT))
	_draw_shelf(Rect2(70, 62, 230, 100))
	_draw_fireplace(Vector2(1060, WALL_HEIGHT))


func _draw_floor() -> void:
	var random := RandomNumberGenerator.new()
	random.seed = 7
	var y := WALL_HEIGHT
	var row := 0
	while y < SIZE.y:
		var x := -90.0 * (row % 3)
		while x < SIZE.x:
			var length := random.randf_range(170.0, 300.0)
			var board := Color("7a5433").lerp(Color("5f3f25"), random.randf())
			draw_rect(Rect2(x, y, length, BOARD_HEIGHT), board)
			draw_line(Vector2(x, y), Vector2(x, y + BOARD_HEIGHT), Color("3f2816"), 2.0)
			for nail: float in [7.0, BOARD_HEIGHT - 7.0]:
				draw_circle(Vector2(x + 7, y + nail), 1.6, Color("2f1e11"))
			x += length
		draw_line(Vector2(0, y), Vector2(SIZE.x, y), Color("452c18"), 2.0)
		y += BOARD_HEIGHT
		row += 1


func _draw_rug(at: Vector2) -> void:
	_rounded(Rect2(at - Vector2(150, 62), Vector2(300, 124)), Color("6d2b2b"), 60)
	_rounded(Rect2(at - Vector2(136, 52), Vector2(272, 104)), Color("8a3a34"), 50)
	_rounded(Rect2(at - Vector2(122, 43), Vector2(244, 86)), Color("6d2b2b"), 42)
	for place in 5:
		var middle := at + Vector2(-84.0 + 42.0 * place, 0)
		var diamond := PackedVector2Array(
			[
				middle + Vector2(-14, 0),
				middle + Vector2(0, -14),
				middle + Vector2(14, 0),
				middle + Vector2(0, 14)
			]
		)
		draw_colored_polygon(diamond, Color("c79a55"))


func _draw_wall() -> void:
	draw_rect(Rect2(0, 0, SIZE.x, WALL_HEIGHT), Color("a98a63"))
	var random := RandomNumberGenerator.new()
	random.seed = 3
	for spot in 130:
		var at := Vector2(random.randf() * SIZE.x, random.randf() * WALL_HEIGHT)
		draw_circle(at, random.randf_range(3.0, 12.0), Color(0.45, 0.34, 0.22, 0.12))
	for x: float in [0.0, 318.0, 556.0, 726.0, 912.0, 1262.0]:
		draw_rect(Rect2(x, 0, 20, WALL_HEIGHT), Color("4b301a"))
		draw_rect(Rect2(x + 3, 0, 3, WALL_HEIGHT), Color("5d3d22"))
	draw_rect(Rect2(0, 0, SIZE.x, 22), Color("432a16"))
	draw_rect(Rect2(0, WALL_HEIGHT - 46, SIZE.x, 40), Color("5a3b21"))
	draw_rect(Rect2(0, WALL_HEIGHT - 50, SIZE.x, 5), Color("744f2e"))
	draw_rect(Rect2(0, WALL_HEIGHT - 8, SIZE.x, 10), Color("2c1b0e"))


func _draw_window(at: Vector2) -> void:
	_rounded(Rect2(at - Vector2(44, 46), Vector2(88, 92)), Color("3f2815"), 8)
	_rounded(Rect2(at - Vector2(37, 39), Vector2(74, 78)), Color("16233f"), 4)
	_rounded(Rect2(at + Vector2(-37, 8), Vector2(74, 31)), Color("1d3048"), 4)
	for star: Vector2 in [Vector2(-24, -26), Vector2(14, -18), Vector2(26, -30), Vector2(-10, -6)]:
		draw_circle(at + star, 1.4, Color("f6f0c8"))
	draw_rect(Rect2(at + Vector2(-2.5, -39), Vector2(5, 78)), Color("4b301a"))
	draw_rect(Rect2(at + Vector2(-37, -2.5), Vector2(74, 5)), Color("4b301a"))


func _draw_door(at: Vector2) -> void:
	_rounded(Rect2(at - Vector2(38, 138), Vector2(76, 138)), Color("2f1d0f"), 12)
	for plank in 3:
		draw_rect(Rect2(at.x - 31 + plank * 21, at.y - 131, 20, 131), Color("6b4526"))
	for y: float in [-112.0, -34.0]:
		draw_rect(Rect2(at.x - 31, at.y + y, 62, 6), Color("33302d"))
	draw_circle(at + Vector2(22, -66), 4.0, Color("caa64a"))


func _draw_shelf(rect: Rect2) -> void:
	_rounded(rect.grow(7), Color("3b2513"), 4)
	draw_rect(rect, Color("2a1a0d"))
	var random := RandomNumberGenerator.new()
	random.seed = 11
	var colors := [Color("5f8a5a"), Color("a8562f"), Color("c9a24a"), Color("6a5d8f")]
	for row in 2:
		var floor_y := rect.position.y + 48.0 + row * 50.0
		var x := rect.position.x + 8.0
		while x < rect.end.x - 16.0:
			var height := random.randf_range(20.0, 34.0)
			var color: Color = colors[random.randi() % colors.size()]
			_rounded(Rect2(x, floor_y - height, 12, height), color.darkened(0.15), 3)
			draw_rect(Rect2(x + 4, floor_y - height - 7, 4, 8), color.darkened(0.35))
			draw_rect(Rect2(x + 2, floor_y - height + 3, 2, height - 7), Color(1, 1, 1, 0.22))
			x += random.randf_range(16.0, 25.0)
		draw_rect(Rect2(rect.position.x, floor_y, rect.size.x, 5), Color("6b4526"))


func _draw_fireplace(at: Vector2) -> void:
	var random := RandomNumberGenerator.new()
	random.seed = 5
	draw_rect(Rect2(at + Vector2(-105, -214), Vector2(210, 214)), Color("595453"))
	for row in 8:
		for stone in 5:
			var shade := Color("6a6462").lerp(Color("4b4746"), random.randf())
			var x := -105.0 + stone * 46.0 - (20.0 if row % 2 else 0.0)
			var left := maxf(x + 2, -103.0)
			var right := minf(x + 44, 103.0)
			var stone_rect := Rect2(at + Vector2(left, -212 + row * 27), Vector2(right - left, 24))
			_rounded(stone_rect, shade, 5)
	_rounded(Rect2(at + Vector2(-66, -100), Vector2(132, 102)), Color("120b08"), 34)
	draw_rect(Rect2(at + Vector2(-118, -128), Vector2(236, 16)), Color("5a3b21"))
	for log_x: float in [-34.0, -4.0, 22.0]:
		_rounded(Rect2(at + Vector2(log_x, -14), Vector2(36, 12)), Color("4a2d18"), 6)


func _rounded(rect: Rect2, color: Color, radius: int) -> void:
	_shape.bg_color = color
	_shape.set_corner_radius_all(radius)
	draw_style_box(_shape, rect)
