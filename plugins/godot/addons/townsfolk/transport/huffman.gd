## The Huffman code of HPACK (RFC 7541, section 5.2 and appendix B).
##
## The code is canonical: codes of one length follow each other in the order of their symbols, so the
## lengths alone give the whole table.
@tool
extends RefCounted

## Code length in bits of each octet; the end-of-string symbol (30 ones) is not in it.
const LENGTHS: Array[int] = [
	13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
	28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
	6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
	5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
	13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
	7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
	15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
	6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
	20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
	24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
	22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
	21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
	26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
	19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
	20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
	26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
]
const MIN_LENGTH := 5
const MAX_LENGTH := 30

static var _codes: PackedInt32Array  # [256], the code of each octet
static var _symbols: PackedByteArray  # [256], octets by length, then by value
static var _first_code: PackedInt32Array  # [31], the first code of each length
static var _first_symbol: PackedInt32Array  # [32], where each length begins in _symbols


static func _static_init() -> void:
	_codes.resize(LENGTHS.size())
	_first_code.resize(MAX_LENGTH + 1)
	_first_symbol.resize(MAX_LENGTH + 2)
	var code := 0
	for length in range(1, MAX_LENGTH + 1):
		code <<= 1
		_first_code[length] = code
		_first_symbol[length] = _symbols.size()
		for symbol in LENGTHS.size():
			if LENGTHS[symbol] == length:
				_codes[symbol] = code
				_symbols.append(symbol)
				code += 1
	_first_symbol[MAX_LENGTH + 1] = _symbols.size()


## The number of bytes that encode() gives.
static func encoded_size(octets: PackedByteArray) -> int:
	var bits := 0
	for octet in octets:
		bits += LENGTHS[octet]
	return (bits + 7) >> 3


## Encodes octets; the last byte is filled up with ones.
static func encode(octets: PackedByteArray) -> PackedByteArray:
	var encoded := PackedByteArray()
	var bits := 0
	var bit_count := 0
	for octet in octets:
		var length := LENGTHS[octet]
		bits = (bits << length) | _codes[octet]
		bit_count += length
		while bit_count >= 8:
			bit_count -= 8
			encoded.append((bits >> bit_count) & 0xFF)
		bits &= (1 << bit_count) - 1
	if bit_count > 0:
		encoded.append(((bits << (8 - bit_count)) | (0xFF >> bit_count)) & 0xFF)
	return encoded


## Decodes bytes. Returns [decoded: PackedByteArray, is_valid: bool].
static func decode(encoded: PackedByteArray) -> Array:
	var octets := PackedByteArray()
	var code := 0
	var length := 0
	for byte in encoded:
		for bit in range(7, -1, -1):
			code = (code << 1) | ((byte >> bit) & 1)
			length += 1
			if length < MIN_LENGTH:
				continue
			if length > MAX_LENGTH:
				return [octets, false]
			var symbol := _first_symbol[length] + code - _first_code[length]
			if symbol < _first_symbol[length + 1]:
				octets.append(_symbols[symbol])
				code = 0
				length = 0
	# What is left must be fewer than 8 bits, all ones: the beginning of the end-of-string symbol.
	return [octets, length < 8 and code == (1 << length) - 1]
