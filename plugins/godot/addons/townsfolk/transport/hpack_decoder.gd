## Decodes header blocks (RFC 7541).
##
## Header lists are flat: name, value, name, value. Octets above 127 become the characters of the
## same number (Latin-1), so nothing is lost.
@tool
extends RefCounted

const HpackTable := preload("hpack_table.gd")
const Huffman := preload("huffman.gd")

## The most octets one header list may have, with 32 for each header (RFC 9113, section 6.5.2).
const MAX_LIST_SIZE := 65536

## What is wrong with the block decoded last; empty when nothing is. The connection is then lost,
## because the dynamic tables of both sides differ.
var error := ""
## The table that both sides keep.
var table := HpackTable.new()

var _huffman := Huffman.new()
var _max_table_size := table.max_size
var _block: PackedByteArray
var _position := 0


## Decodes one whole header block.
func decode(block: PackedByteArray) -> PackedStringArray:
	_block = block
	_position = 0
	error = ""
	var headers := PackedStringArray()
	var list_size := 0
	while _position < block.size() and error == "":
		var byte := block[_position]
		if byte & 0xE0 == 0x20:
			_resize_table(headers.is_empty())
			continue
		var header := PackedStringArray()
		if byte & 0x80:
			header = _entry(_read_integer(7))
		elif byte & 0x40:
			header = _read_literal(6)
			if error == "":
				table.add(header[0], header[1])
		else:
			# "Without indexing" and "never indexed" mean the same to who doesn't pass it on.
			header = _read_literal(4)
		if error != "":
			break
		list_size += header[0].length() + header[1].length() + HpackTable.ENTRY_OVERHEAD
		if list_size > MAX_LIST_SIZE:
			error = "header list larger than %d octets" % MAX_LIST_SIZE
		headers.append_array(header)
	return PackedStringArray() if error != "" else headers


func _resize_table(at_beginning: bool) -> void:
	var wanted := _read_integer(5)
	if not at_beginning:
		error = "table size update after a header"
	elif wanted > _max_table_size:
		error = "table size update beyond the limit of %d" % _max_table_size
	elif error == "":
		table.max_size = wanted


func _entry(index: int) -> PackedStringArray:
	var header := table.entry(index)
	if header.is_empty() and error == "":
		error = "header index %d is in no table" % index
	return header


func _read_literal(prefix: int) -> PackedStringArray:
	var index := _read_integer(prefix)
	var name := ""
	if index == 0:
		name = _read_string()
	else:
		var named := _entry(index)
		name = "" if named.is_empty() else named[0]
	return PackedStringArray([name, _read_string()])


func _read_integer(prefix: int) -> int:
	if _position >= _block.size():
		error = "header block ends early"
		return 0
	var mask := (1 << prefix) - 1
	var value := _block[_position] & mask
	_position += 1
	if value < mask:
		return value
	var shift := 0
	while shift <= 21:
		if _position >= _block.size():
			error = "header block ends early"
			return 0
		var byte := _block[_position]
		_position += 1
		value += (byte & 0x7F) << shift
		if byte < 0x80:
			return value
		shift += 7
	error = "integer too large"
	return 0


func _read_string() -> String:
	if _position >= _block.size():
		error = "header block ends early"
		return ""
	var is_huffman := _block[_position] & 0x80 != 0
	var length := _read_integer(7)
	if length > _block.size() - _position:
		error = "header block ends early"
	if error != "":
		return ""
	var octets := _block.slice(_position, _position + length)
	_position += length
	if is_huffman:
		var decoded := _huffman.decode(octets)
		octets = decoded[0]
		if not decoded[1]:
			error = "invalid Huffman code"
	return _latin1(octets)


func _latin1(octets: PackedByteArray) -> String:
	for octet in octets:
		if octet == 0:
			error = "NUL in a header"
			return ""
		if octet >= 0x80:
			var text := ""
			for character in octets:
				text += String.chr(character)
			return text
	return octets.get_string_from_ascii()
