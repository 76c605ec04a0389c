## Encodes header lists (RFC 7541). Lists are flat, as in hpack_decoder.gd.
@tool
extends RefCounted

const HpackTable := preload("hpack_table.gd")
const Huffman := preload("huffman.gd")

## The most that this side spends on its table, whatever the other side allows.
const MAX_TABLE_SIZE := 4096
## Never put into a table, so that nobody can guess it by trial (RFC 7541, section 7.1).
const SECRET := ["authorization"]
## Different for each call: not worth a place in the table.
const VOLATILE := ["grpc-timeout"]

var table := HpackTable.new()

var _huffman := Huffman.new()
var _smallest_pending := -1
var _announced := MAX_TABLE_SIZE


## Follows the other side's SETTINGS_HEADER_TABLE_SIZE.
func limit_table(allowed: int) -> void:
	table.max_size = mini(allowed, MAX_TABLE_SIZE)
	if table.max_size != _announced or _smallest_pending >= 0:
		var smallest := table.max_size if _smallest_pending < 0 else _smallest_pending
		_smallest_pending = mini(smallest, table.max_size)


## Encodes one header list as a whole block.
func encode(headers: PackedStringArray) -> PackedByteArray:
	var block := PackedByteArray()
	if _smallest_pending >= 0:
		# When the size fell and rose again, the lowest point is announced first (section 4.2).
		if _smallest_pending < table.max_size:
			_put_integer(block, 0x20, 5, _smallest_pending)
		_put_integer(block, 0x20, 5, table.max_size)
		_announced = table.max_size
		_smallest_pending = -1
	for place in range(0, headers.size(), 2):
		_put_header(block, headers[place], headers[place + 1])
	return block


func _put_header(block: PackedByteArray, name: String, value: String) -> void:
	var is_secret := name in SECRET
	var index := table.find(name, value)
	if index > 0 and not is_secret:
		_put_integer(block, 0x80, 7, index)
		return
	var name_index := absi(index)
	if is_secret:
		_put_integer(block, 0x10, 4, name_index)
	elif name in VOLATILE:
		_put_integer(block, 0x00, 4, name_index)
	else:
		_put_integer(block, 0x40, 6, name_index)
		table.add(name, value)
	if name_index == 0:
		_put_string(block, name)
	_put_string(block, value)


func _put_integer(block: PackedByteArray, pattern: int, prefix: int, value: int) -> void:
	var mask := (1 << prefix) - 1
	if value < mask:
		block.append(pattern | value)
		return
	block.append(pattern | mask)
	value -= mask
	while value >= 0x80:
		block.append((value & 0x7F) | 0x80)
		value >>= 7
	block.append(value)


func _put_string(block: PackedByteArray, text: String) -> void:
	var octets := PackedByteArray()
	octets.resize(text.length())
	for place in text.length():
		octets[place] = text.unicode_at(place) & 0xFF
	if _huffman.encoded_size(octets) < octets.size():
		octets = _huffman.encode(octets)
		_put_integer(block, 0x80, 7, octets.size())
	else:
		_put_integer(block, 0x00, 7, octets.size())
	block.append_array(octets)
