## The way of one session's requests to the runtime, and of its events back.
@tool
extends RefCounted

## Something happened in the session.
signal event_received(event: Dialogue.SessionEvent)
## The runtime has answered an interruption that carried what was heard: it has cut these turns.
signal cut_answered(turn_ids: PackedStringArray, heard_characters: int)
## The way is over. The session may live on in the runtime.
signal finished(status: GrpcStatus)

const Dialogue := preload("../generated/dialogue.gd")
const GrpcCall := preload("../transport/grpc_call.gd")
const GrpcStatus := preload("../transport/grpc_status.gd")
const Townsfolk := preload("../generated/townsfolk.gd")

## See GrpcCall.take_answer.
var take_answer := Callable()

var _client: Townsfolk.TownsfolkServiceClient


func _init(client: Townsfolk.TownsfolkServiceClient) -> void:
	_client = client


## Sends one request; the first one opens the session.
func send(_request: Townsfolk.ConverseRequest) -> void:
	pass


## Ends the session; nothing is heard of it any more.
func close() -> void:
	pass


## Whether the runtime has yet to answer something, besides turns.
func is_busy() -> bool:
	return false
