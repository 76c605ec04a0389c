# Answers questions from a Python test over a socket: {"op": ..., ...} in, a JSON object out,
# both with a length of 4 bytes before them. Run with: godot --headless -s oracle.gd -- PORT
extends SceneTree

const GrpcWebBody := preload("res://addons/townsfolk/transport/grpc_web_body.gd")
const HpackDecoder := preload("res://addons/townsfolk/transport/hpack_decoder.gd")
const HpackEncoder := preload("res://addons/townsfolk/transport/hpack_encoder.gd")
const Http2Connection := preload("res://addons/townsfolk/transport/http2_connection.gd")
const Huffman := preload("res://addons/townsfolk/transport/huffman.gd")
const Dialogue := preload("res://addons/townsfolk/generated/dialogue.gd")
const NpcTranscript := preload("res://addons/townsfolk/runtime/npc_transcript.gd")
const TextEvent := preload("res://addons/townsfolk/runtime/text_event.gd")

var _types: Dictionary[String, GDScript] = {}
var _decoder: HpackDecoder
var _encoder: HpackEncoder


func _initialize() -> void:
	var peer := StreamPeerTCP.new()
	peer.connect_to_host("127.0.0.1", OS.get_cmdline_user_args()[0].to_int())
	while peer.get_status() == StreamPeerTCP.STATUS_CONNECTING:
		peer.poll()
	while true:
		var header := peer.get_data(4)
		if header[0] != OK:
			break
		var length: int = (header[1] as PackedByteArray).decode_u32(0)
		var body := peer.get_data(length)
		if body[0] != OK:
			break
		var question: Dictionary = JSON.parse_string(
			(body[1] as PackedByteArray).get_string_from_utf8()
		)
		var answer: Dictionary = call("_op_" + str(question["op"]), question)
		var bytes := JSON.stringify(answer).to_utf8_buffer()
		var framed := PackedByteArray([0, 0, 0, 0])
		framed.encode_u32(0, bytes.size())
		peer.put_data(framed + bytes)
	quit()


# Parses bytes as a message; says what is in it and what it is when written again.
func _op_parse(question: Dictionary) -> Dictionary:
	var message: RefCounted = _type(question["type"]).new()
	var error: String = message.parse(str(question["bytes"]).hex_decode())
	if error != "":
		return {"error": error}
	return {"dump": _dump(message), "bytes": message.to_bytes().hex_encode()}


# Builds a message from a dump and writes it.
func _op_build(question: Dictionary) -> Dictionary:
	var message: RefCounted = _undump(question["dump"])
	return {"bytes": message.to_bytes().hex_encode()}


# Tells a transcript what happens in a case of tests/support/transcript_cases.json.
func _op_transcript(question: Dictionary) -> Dictionary:
	var transcript := NpcTranscript.new()
	transcript.character = "Mira"
	transcript.from_array(question["history"])
	var texts: Dictionary[String, String] = {}
	for step: Dictionary in question["steps"]:
		var kind: String = step.keys()[0]
		var content: Dictionary = step[kind]
		var turn_id: String = content.get("turn_id", "")
		match kind:
			"ask":
				var utterance := Dialogue.Utterance.new()
				utterance.turn_id = turn_id
				utterance.speaker = content.get("speaker", "")
				utterance.text = content.get("text", "")
				utterance.cue = int(content.get("cue", 0)) as Dialogue.TurnCue
				transcript.ask(utterance)
			"turn_started":
				transcript.start(turn_id)
				texts[turn_id] = ""
			"text_delta":
				texts[turn_id] += str(content["text"])
			"turn_finished", "turn_interrupted":
				var is_late: bool = content.get("finish_reason") == "FINISH_REASON_DEADLINE"
				var is_cut := is_late or kind == "turn_interrupted"
				transcript.end(turn_id, content.get("text", ""), is_cut)
			"notified":
				transcript.add_event(content["text"])
			"recorded":
				var lines := NpcTranscript.new()
				lines.from_array(content["lines"])
				transcript.add_lines(lines.entries)
			"context_trimmed":
				var dropped := NpcTranscript.new()
				dropped.from_array(content["dropped"])
				transcript.drop(dropped.entries)
			"error":
				transcript.break_off(turn_id, str(texts.get(turn_id, "")).strip_edges())
			"cut":
				if content["heard_characters"] != null:
					transcript.cut(content["turn_ids"], int(content["heard_characters"]))
			"lost":
				for speaking in texts:
					transcript.break_off(speaking, texts[speaking].strip_edges())
				transcript.forget_asked()
	return {"entries": transcript.to_array()}


func _op_huffman(question: Dictionary) -> Dictionary:
	var octets := str(question["octets"]).hex_decode()
	var huffman := Huffman.new()
	var encoded := huffman.encode(octets)
	var decoded := huffman.decode(str(question["encoded"]).hex_decode())
	return {
		"encoded": encoded.hex_encode(),
		"size": huffman.encoded_size(octets),
		"decoded": decoded[0].hex_encode(),
		"valid": decoded[1],
	}


func _op_hpack_reset(question: Dictionary) -> Dictionary:
	_decoder = HpackDecoder.new()
	_encoder = HpackEncoder.new()
	_decoder.table.max_size = int(question["table_size"])
	return {}


func _op_hpack_decode(question: Dictionary) -> Dictionary:
	var headers := _decoder.decode(str(question["block"]).hex_decode())
	# As hexadecimal: Godot writes control characters into JSON in a way of its own.
	var coded := Array(headers).map(
		func(t: String) -> String: return t.to_utf8_buffer().hex_encode()
	)
	return {"headers": coded, "error": _decoder.error, "size": _decoder.table.size}


func _op_hpack_encode(question: Dictionary) -> Dictionary:
	if question.has("table_size"):
		_encoder.limit_table(int(question["table_size"]))
	var block := _encoder.encode(PackedStringArray(question["headers"]))
	return {"block": block.hex_encode(), "size": _encoder.table.size}


# Feeds bytes to a fresh connection with one open stream, in pieces, and tells what happened.
func _op_http2(question: Dictionary) -> Dictionary:
	var connection := Http2Connection.new()
	var events: Array[String] = []
	connection.closed.connect(func(message: String) -> void: events.append("closed " + message))
	var stream := connection.open_stream([":method", "POST"])
	stream.headers_received.connect(
		func(headers: PackedStringArray) -> void: events.append("headers " + ",".join(headers))
	)
	stream.take_data = func(buffer: PackedByteArray, start: int, stop: int) -> void:
		events.append("data " + buffer.slice(start, stop).hex_encode())
	stream.closed.connect(
		func(code: int, message: String) -> void: events.append("end %d %s" % [code, message])
	)
	connection.take_output()
	if question.has("send"):
		stream.send(str(question["send"]).hex_decode(), true)
	for piece: String in question["pieces"]:
		connection.receive(piece.hex_decode())
		while connection.process(0):
			pass
	return {
		"events": events,
		"error": connection.error,
		"output": connection.take_output().hex_encode(),
		"streams": connection.stream_count(),
	}


# Feeds the pieces of a gRPC-Web answer's body and tells what they were.
func _op_grpc_web(question: Dictionary) -> Dictionary:
	var body := GrpcWebBody.new()
	var messages := PackedByteArray()
	for piece: String in question["pieces"]:
		messages.append_array(body.push(piece.hex_decode()))
	body.finish()
	return {
		"messages": messages.hex_encode(),
		"trailers": body.trailers,
		"error": body.error,
		"whole": body.is_whole,
	}


# Reads a piece of text straight from its bytes, which stand inside a buffer.
func _op_text_event(question: Dictionary) -> Dictionary:
	var buffer := PackedByteArray([0, 0, 0, 0, 5])
	var start := buffer.size()
	buffer.append_array(str(question["bytes"]).hex_decode())
	var stop := buffer.size()
	buffer.append_array([0xFF, 0])
	return {"text": TextEvent.read(buffer, start, stop).to_utf8_buffer().hex_encode()}


func _type(path: String) -> GDScript:
	if path not in _types:
		var found: GDScript = load("res://generated_for_tests/everything.gd")
		for name in path.split("."):
			found = found.get_script_constant_map()[name]
		_types[path] = found
	return _types[path]


func _dump(value: Variant) -> Variant:
	match typeof(value):
		TYPE_BOOL, TYPE_NIL:
			return value
		TYPE_INT:
			return "i:%d" % value
		TYPE_FLOAT:
			return "f:" + ("nan" if is_nan(value) else _double_bits(value))
		TYPE_STRING:
			return "s:" + (value as String).to_utf8_buffer().hex_encode()
		TYPE_PACKED_BYTE_ARRAY:
			return "b:" + (value as PackedByteArray).hex_encode()
		TYPE_ARRAY:
			return (value as Array).map(_dump)
		TYPE_DICTIONARY:
			var pairs: Array = []
			for key: Variant in value:
				pairs.append([_dump(key), _dump(value[key])])
			return {"map": pairs}
		_:
			return _dump_message(value)


func _dump_message(message: RefCounted) -> Dictionary:
	var fields := {}
	var names: Array[String] = []
	for property in message.get_property_list():
		if property.usage & PROPERTY_USAGE_SCRIPT_VARIABLE:
			names.append(property.name)
	var hidden := {}
	for name in names:
		if name.ends_with("_case"):
			var oneof := name.trim_suffix("_case")
			var script: GDScript = message.get_script()
			var cases: Dictionary = script.get_script_constant_map()[
				oneof.to_pascal_case() + "Case"
			]
			for case: String in cases:
				if cases[case] != message.get(name):
					hidden[case.to_lower()] = true
		elif name.begins_with("has_") and not message.get(name):
			hidden[name.trim_prefix("has_")] = true
	for name in names:
		var is_field := not (
			name.begins_with("_") or name.begins_with("has_") or name.ends_with("_case")
		)
		if is_field and not hidden.has(name) and message.get(name) != null:
			fields[name] = _dump(message.get(name))
	return fields


func _undump(dump: Variant) -> Variant:
	if dump is bool:
		return dump
	if dump is String:
		var text := (dump as String).substr(2)
		match (dump as String)[0]:
			"i":
				return text.to_int()
			"f":
				return NAN if text == "nan" else text.hex_decode().decode_double(0)
			"s":
				return text.hex_decode().get_string_from_utf8()
			_:
				return text.hex_decode()
	var message: RefCounted = _type(dump["type"]).new()
	for name: String in dump["fields"]:
		var value: Variant = dump["fields"][name]
		if value is Array:
			for element: Variant in value:
				message.get(name).append(_undump(element))
		elif value is Dictionary and value.has("map"):
			for pair: Array in value["map"]:
				message.get(name)[_undump(pair[0])] = _undump(pair[1])
		else:
			message.set(name, _undump(value))
	return message


func _double_bits(value: float) -> String:
	var bits := PackedByteArray()
	bits.resize(8)
	bits.encode_double(0, value)
	return bits.hex_encode()
