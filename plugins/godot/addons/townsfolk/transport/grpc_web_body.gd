## Takes the body of a gRPC-Web answer apart: messages, which pass through with their frame headers,
## and the trailers in the last frame
## (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md).
@tool
extends RefCounted

const FRAME_HEADER_SIZE := 5
const TRAILERS_FLAG := 0x80
const MAX_TRAILERS_SIZE := 1 << 16

## What is wrong with the body; empty as long as nothing is.
var error := ""
## The trailers, once they have come: name, value, name, value.
var trailers := PackedStringArray()
## The trailers have come whole; nothing may follow.
var is_whole := false

var _left := 0  # bytes of the current message that have not come
var _header := PackedByteArray()  # a frame header that is not whole
var _trailers_size := -1  # the announced size, from when their frame has begun
var _trailer_bytes := PackedByteArray()


## Takes the next piece of the body; returns what of it belongs to messages. A frame header is held
## back until it is whole.
func push(piece: PackedByteArray) -> PackedByteArray:
	if _left == 0 and _header.is_empty() and _trailers_size < 0 and _is_one_message(piece):
		return piece
	var messages := PackedByteArray()
	var at := 0
	while at < piece.size() and error == "":
		if _trailers_size >= 0:
			_push_trailers(piece.slice(at))
			break
		if _left > 0:
			var end := mini(at + _left, piece.size())
			messages.append_array(piece.slice(at, end))
			_left -= end - at
			at = end
			continue
		var end := mini(at + FRAME_HEADER_SIZE - _header.size(), piece.size())
		_header.append_array(piece.slice(at, end))
		at = end
		if _header.size() == FRAME_HEADER_SIZE:
			_begin_frame(messages)
	return messages


## Says that the body is over: it must be whole.
func finish() -> void:
	if error == "" and not is_whole:
		error = "the answer ended without its status"


# Nearly always a piece is just that.
func _is_one_message(piece: PackedByteArray) -> bool:
	if piece.size() < FRAME_HEADER_SIZE or piece[0] & TRAILERS_FLAG:
		return false
	return _length(piece) == piece.size() - FRAME_HEADER_SIZE


func _begin_frame(messages: PackedByteArray) -> void:
	var length := _length(_header)
	if _header[0] & TRAILERS_FLAG == 0:
		messages.append_array(_header)
		_left = length
	elif _header[0] != TRAILERS_FLAG:
		error = "compressed trailers, which were not asked for"
	elif length > MAX_TRAILERS_SIZE:
		error = "trailers of %d bytes; %d are allowed" % [length, MAX_TRAILERS_SIZE]
	else:
		_trailers_size = length
		_push_trailers(PackedByteArray())
	_header = PackedByteArray()


func _push_trailers(piece: PackedByteArray) -> void:
	_trailer_bytes.append_array(piece)
	if _trailer_bytes.size() > _trailers_size:
		error = "something follows the trailers"
	elif _trailer_bytes.size() == _trailers_size and not is_whole:
		is_whole = true
		_parse_trailers()


func _parse_trailers() -> void:
	for byte in _trailer_bytes:
		if byte > 0x7E or (byte < 0x20 and byte not in [0x09, 0x0A, 0x0D]):
			error = "trailers with the byte 0x%02x" % byte
			return
	for line in _trailer_bytes.get_string_from_ascii().split("\n", false):
		var text := line.strip_edges()
		var colon := text.find(":")
		if text != "" and colon < 1:
			error = 'the trailer "%s" has no name' % text.left(80)
			return
		if text != "":
			trailers.append(text.left(colon).strip_edges().to_lower())
			trailers.append(text.substr(colon + 1).strip_edges())
	var place := trailers.find("grpc-status")
	if place < 0 or place % 2 == 1:
		error = "trailers without grpc-status"


func _length(header: PackedByteArray) -> int:
	return (header[1] << 24) | (header[2] << 16) | (header[3] << 8) | header[4]
