## The Huffman code of HPACK (RFC 7541, section 5.2 and appendix B).
##
## The code is canonical: codes of one length follow each other in the order of their symbols, so
## the lengths alone give the whole table.
@tool
extends RefCounted

## Code length in bits of each octet, in hexadecimal. The end-of-string symbol (30 ones) is not
## in it.
const LENGTHS := (
	"0d171c1c1c1c1c1c1c181e1c1c1e1c1c1c1c1c1c1c1c1e1c1c1c1c1c1c1c1c1c"
	+ "060a0a0c0d06080b0a0a080b080606060505050606060606060607080f060c0a"
	+ "0d06070707070707070707070707070707070707070707070807080d130d0e06"
	+ "0f05060506050606060507070606060506070605050607070707070f0b0e0d1c"
	+ "1416141416161617161717171717181718181617181717171715161716171718"
	+ "1615141616171715171616181516171715151615171617171416161617161617"
	+ "1a1a1413161716191a1a1a1b1b1a181913151a1b1b1a1b1815151a1a1c1b1b1b"
	+ "14181415161515171616191918181a171a1b1a1a1b1b1b1b1b1c1b1b1b1b1b1a"
)
const MIN_LENGTH := 5
const MAX_LENGTH := 30

var _lengths := LENGTHS.hex_decode()  # [256], code length of each octet
var _codes := PackedInt32Array()  # [256], the code of each octet
var _symbols := PackedByteArray()  # [256], octets by length, then by value
var _first_code := PackedInt32Array()  # [31], the first code of each length
var _first_symbol := PackedInt32Array()  # [32], where each length begins in _symbols


# No static tables: a script with static variables is reported as leaked when the game ends.
func _init() -> void:
	var by_length: Array[PackedByteArray] = []
	by_length.resize(MAX_LENGTH + 1)
	for symbol in _lengths.size():
		by_length[_lengths[symbol]].append(symbol)
	_codes.resize(_lengths.size())
	_first_code.resize(MAX_LENGTH + 1)
	_first_symbol.resize(MAX_LENGTH + 2)
	var code := 0
	for length in range(1, MAX_LENGTH + 1):
		code <<= 1
		_first_code[length] = code
		_first_symbol[length] = _symbols.size()
		for symbol in by_length[length]:
			_codes[symbol] = code
			code += 1
		_symbols.append_array(by_length[length])
	_first_symbol[MAX_LENGTH + 1] = _symbols.size()


## The number of bytes that encode() gives.
func encoded_size(octets: PackedByteArray) -> int:
	var bits := 0
	for octet in octets:
		bits += _lengths[octet]
	return (bits + 7) >> 3


## Encodes octets; the last byte is filled up with ones.
func encode(octets: PackedByteArray) -> PackedByteArray:
	var encoded := PackedByteArray()
	var bits := 0
	var bit_count := 0
	for octet in octets:
		var length := _lengths[octet]
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
func decode(encoded: PackedByteArray) -> Array:
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
