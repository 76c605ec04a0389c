## What can be seen of a runtime at one moment: all its sessions, and one of them in full.
@tool
extends RefCounted

const Townsfolk := preload("../generated/townsfolk.gd")

const TIMEOUT_SECONDS := 10.0

var sessions: Array[Townsfolk.SessionSummary] = []
## By session id: how its turns went, and of the chosen one its last prompt.
var seen: Dictionary[String, Townsfolk.InspectSessionResponse] = {}
## The session that is looked into; empty when none is open.
var chosen := ""
## What a saved game keeps of that one; null when none is open.
var saved: Townsfolk.GetSessionResponse
## What failed of all calls.
var errors: Array[Townsfolk.ErrorReport] = []


## Looks at a runtime; null where it can't be reached. The wanted session is looked into, or the
## first one where that is not open.
static func take(client: Townsfolk.TownsfolkServiceClient, wanted: String) -> RefCounted:
	var look := new()
	var listing := client.list_sessions(Townsfolk.ListSessionsRequest.new(), TIMEOUT_SECONDS)
	var failing := client.list_errors(Townsfolk.ListErrorsRequest.new(), TIMEOUT_SECONDS)
	var listed: Townsfolk.ListSessionsResponse = await listing.response()
	var failed: Townsfolk.ListErrorsResponse = await failing.response()
	if listed == null or failed == null:
		return null
	look.errors = failed.errors
	for summary in listed.sessions:
		if look.chosen == "" or summary.session_id == wanted:
			look.chosen = summary.session_id
	for summary in listed.sessions:
		await look._see(client, summary)
	return look


## How the chosen session's turns went; null when none is open.
func chosen_seen() -> Townsfolk.InspectSessionResponse:
	return seen.get(chosen)


## What failed of the chosen session and of all calls, newest first.
func all_errors() -> Array[Townsfolk.ErrorReport]:
	var all := errors.duplicate()
	if chosen_seen() != null:
		all.append_array(chosen_seen().errors)
	all.sort_custom(
		func(one: Townsfolk.ErrorReport, other: Townsfolk.ErrorReport) -> bool:
			return one.unix_ms > other.unix_ms
	)
	return all


# A session that has ended meanwhile is left out.
func _see(client: Townsfolk.TownsfolkServiceClient, summary: Townsfolk.SessionSummary) -> void:
	var request := Townsfolk.InspectSessionRequest.new()
	request.session_id = summary.session_id
	request.with_prompt = summary.session_id == chosen
	var answer := await client.inspect_session(request, TIMEOUT_SECONDS).response()
	if answer == null:
		return
	sessions.append(summary)
	seen[summary.session_id] = answer
	if summary.session_id == chosen:
		var asked := Townsfolk.GetSessionRequest.new()
		asked.session_id = chosen
		saved = await client.get_session(asked, TIMEOUT_SECONDS).response()
