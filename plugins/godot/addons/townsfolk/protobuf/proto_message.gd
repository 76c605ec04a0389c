## Base of all generated messages.
##
## Write with [method to_bytes], read with [method parse]. A message field that is not set is null;
## a scalar that is not set has its default. An enum value that is not known here stays its int.
@tool
extends RefCounted

const ProtoReader := preload("proto_reader.gd")
const ProtoWriter := preload("proto_writer.gd")


## The message in wire format.
func to_bytes() -> PackedByteArray:
	var writer := ProtoWriter.new()
	write_fields(writer)
	return writer.bytes


## Reads the message from wire format into this one, over what is already set: all bytes, or those
## from start to stop. Returns an empty string, or what is wrong; the message is then half read.
func parse(bytes: PackedByteArray, start := 0, stop := -1) -> String:
	var reader := ProtoReader.new(bytes, start, bytes.size() if stop < 0 else stop)
	read_fields(reader)
	return reader.error


## Reads fields until the reader's limit; generated.
func read_fields(reader: ProtoReader) -> void:
	while reader.position < reader.limit:
		reader.skip(reader.read_tag())


## Writes all fields that are set; generated.
func write_fields(_writer: ProtoWriter) -> void:
	pass
