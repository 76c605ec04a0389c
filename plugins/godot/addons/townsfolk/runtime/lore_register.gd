## The world knowledge that a runtime was told of: each text once for each connection.
@tool
extends RefCounted

const Dialogue := preload("../generated/dialogue.gd")
const GrpcCall := preload("../transport/grpc_call.gd")
const LorePack := preload("../resources/lore_pack.gd")
const Townsfolk := preload("../generated/townsfolk.gd")

const TIMEOUT_SECONDS := 10.0

var _registered: Dictionary[String, GrpcCall] = {}  # by id and text
var _packs: Dictionary[String, LorePack] = {}  # the last one with each id


## Warns of two lore packs that share an id and differ; a runtime has one text for it.
func check_pack(pack: LorePack) -> void:
	var known: LorePack = _packs.get(pack.lore_id)
	if known != null and known != pack and known.text != pack.text:
		var names := [_name_of(known), _name_of(pack), pack.lore_id]
		push_warning(
			(
				(
					'Townsfolk: %s and %s have the same lore_id "%s" and different texts: each character '
					+ "knows the one that was sent last before it began to speak. Give one another lore_id."
				)
				% names
			)
		)
	_packs[pack.lore_id] = pack


## Forgets what was registered: the runtime is another one.
func start_over() -> void:
	_registered.clear()


## Registers lore unless that was done; returns an error message, or an empty string.
func register(client: Townsfolk.TownsfolkServiceClient, lore_id: String, text: String) -> String:
	var key := "%s\n%s" % [lore_id, text]
	if not _registered.has(key):
		var request := Townsfolk.RegisterLoreRequest.new()
		request.lore = Dialogue.Lore.new()
		request.lore.lore_id = lore_id
		request.lore.text = text
		_registered[key] = client.register_lore(request, TIMEOUT_SECONDS)
	var call := _registered[key]
	var status := await call.wait()
	if not status.is_ok() and _registered.get(key) == call:
		_registered.erase(key)
	return "" if status.is_ok() else status.message


## Forgets lore; who was opened with it keeps it. Returns an error message, or an empty string.
func remove(client: Townsfolk.TownsfolkServiceClient, lore_id: String) -> String:
	for key: String in _registered.keys():
		if key.begins_with(lore_id + "\n"):
			_registered.erase(key)
	var request := Townsfolk.RemoveLoreRequest.new()
	request.lore_id = lore_id
	var status := await client.remove_lore(request, TIMEOUT_SECONDS).wait()
	return "" if status.is_ok() else status.message


static func _name_of(pack: LorePack) -> String:
	return "a lore pack" if pack.resource_path == "" else pack.resource_path
