## Which runtimes this add-on understands, and who is to be upgraded where it does not: see
## docs/upgrading.md. A version is a Vector2i of major and minor.
@tool
extends RefCounted

const Townsfolk := preload("../generated/townsfolk.gd")

## The add-on's own version.
const VERSION := "0.1.0"
## The metadata with which each call says the version of the contract.
const HEADER := "townsfolk-contract"
## The contract that the add-on speaks.
const OWN := Vector2i(Townsfolk.ContractMajor.CURRENT, Townsfolk.ContractMinor.CURRENT)
## That of runtimes which say none.
const UNSAID := Vector2i(1, 0)


## What goes with every call.
static func metadata() -> Dictionary[String, String]:
	return {HEADER: written(OWN)}


## A version as it is written.
static func written(version: Vector2i) -> String:
	return "%d.%d" % [version.x, version.y]


## The contract of a runtime.
static func of_runtime(info: Townsfolk.GetRuntimeInfoResponse) -> Vector2i:
	return UNSAID if info.contract == null else Vector2i(info.contract.major, info.contract.minor)


## Whether a client and a runtime of these versions understand each other.
static func works(client: Vector2i, runtime: Vector2i) -> bool:
	return client.x == runtime.x


## Who is to be upgraded: "runtime", "client", or nobody.
static func upgrade(client: Vector2i, runtime: Vector2i) -> String:
	if runtime < client:
		return "runtime"
	return "" if works(client, runtime) else "client"


## What to do about a runtime: empty when nothing need be done.
static func advice(info: Townsfolk.GetRuntimeInfoResponse) -> String:
	var theirs := of_runtime(info)
	var add_on := "this add-on %s (contract %s)" % [VERSION, written(OWN)]
	var runtime := "the runtime %s (contract %s)" % [info.version, written(theirs)]
	if not works(OWN, theirs):
		var who := "the runtime" if upgrade(OWN, theirs) == "runtime" else "the add-on"
		return (
			"%s and %s don't understand each other: upgrade %s; docs/upgrading.md says how"
			% [add_on, runtime, who]
		)
	if upgrade(OWN, theirs) == "":
		return ""
	return (
		(
			"%s is older than %s: what is new in the add-on is refused; upgrade the runtime; "
			+ "docs/upgrading.md says how"
		)
		% [runtime, add_on]
	)
