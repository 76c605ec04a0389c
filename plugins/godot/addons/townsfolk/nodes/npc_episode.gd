## A character that plays and is rewarded, for [code]townsfolk learn[/code].
##
## [codeblock]
## var episode := NpcEpisode.new()
## episode.add_action(walk, "Walks a step.", "", {"to": ["left", "right"]})
## await episode.open(persona, "fetch")
## var act := await episode.act("The gold lies to the left.")
## await episode.reward(1.0 if act.arguments.get("to") == "left" else 0.0)
## await episode.end()
## [/codeblock]
## The methods of its actions say what the character can do; the game carries out what
## [method act] returns. [code]docs/learning.md[/code] has the rest.
class_name NpcEpisode
extends RefCounted

const Dialogue := preload("../generated/dialogue.gd")
const Episode := preload("../generated/episode.gd")
const NpcActions := preload("../runtime/npc_actions.gd")
const Sampling := preload("../generated/sampling.gd")
const Townsfolk := preload("../generated/townsfolk.gd")

const TIMEOUT_SECONDS := 120.0


## What the character did.
class Act:
	extends RefCounted

	## The name of the action; empty when it failed.
	var name := ""
	## The action's arguments.
	var arguments := {}
	## What the character said before it acted.
	var speech := ""
	## Why it did nothing; empty when all is well.
	var error := ""


## The episode's id; empty before it is open.
var id := ""
## All rewards together, once it has ended.
var total_reward := 0.0
## Tokens that the character says before it acts; 0 for none. To be set before [method open].
var speech_tokens := 0
## What the draws depend on; negative for chance. To be set before [method open].
var draw_seed := -1

var _actions := NpcActions.new()
var _runtime: Node


## Plays with the runtime of the game; [param runtime] is another [code]TownsfolkRuntime[/code].
func _init(runtime: Node = null) -> void:
	_runtime = runtime


## Makes a method something that the character can do, as [method NpcAgent.add_action] does. It is
## not called. Returns an error message, or an empty string.
func add_action(callable: Callable, description: String, condition := "", options := {}) -> String:
	return _actions.add(callable, description, condition, options)


## Opens the episode. Those of one [param group] began alike, and are compared with each other.
## Returns an error message, or an empty string.
func open(persona: NpcPersona, task: String, group := "") -> String:
	if _client() == null:
		return "no runtime is ready: wait for TownsfolkRuntime.ready_changed"
	var config := Episode.EpisodeConfig.new()
	config.task = task
	config.group = group
	config.speech_tokens = speech_tokens
	config.session = Dialogue.SessionConfig.new()
	config.session.persona = persona.to_message()
	config.session.adapter = persona.adapter
	config.session.actions.assign(_actions.messages)
	if draw_seed >= 0:
		config.session.sampling = Sampling.SamplingParams.new()
		config.session.sampling.seed = draw_seed
	var request := Episode.OpenEpisodeRequest.new()
	request.config = config
	var call := _client().open_episode(request, TIMEOUT_SECONDS)
	var answer := await call.response()
	if answer == null:
		return call.status.message
	id = answer.episode_id
	return ""


## Tells the character what it observes, and has it act. Without a speaker it is what happens;
## [param actions] are the names of those that it may take now, none for all.
func act(text: String, speaker := "", actions := PackedStringArray()) -> Act:
	var done := Act.new()
	if _client() == null:
		done.error = "no runtime is ready"
		return done
	var request := Episode.ActRequest.new()
	request.episode_id = id
	request.observation = Episode.Observation.new()
	request.observation.text = text
	request.observation.speaker = speaker
	request.observation.actions.assign(actions)
	var call := _client().act(request, TIMEOUT_SECONDS)
	var answer := await call.response()
	if answer == null:
		done.error = call.status.message
		return done
	done.name = answer.act.action
	done.arguments = JSON.parse_string(answer.act.arguments_json)
	done.speech = answer.act.speech
	return done


## Says how good the last act was. Returns an error message, or an empty string.
func reward(value: float) -> String:
	if _client() == null:
		return "no runtime is ready"
	var request := Episode.RewardEpisodeRequest.new()
	request.episode_id = id
	request.value = value
	var status := await _client().reward_episode(request, TIMEOUT_SECONDS).wait()
	return "" if status.is_ok() else status.message


## Ends the episode. It is truncated where the game breaks it off, and dropped where nobody is to
## learn from it. Returns an error message, or an empty string.
func end(truncated := false, drop := false) -> String:
	if _client() == null:
		return "no runtime is ready"
	var request := Episode.EndEpisodeRequest.new()
	request.episode_id = id
	request.truncated = truncated
	request.drop = drop
	var call := _client().end_episode(request, TIMEOUT_SECONDS)
	var answer := await call.response()
	if answer == null:
		return call.status.message
	total_reward = answer.reward
	return ""


func _client() -> Townsfolk.TownsfolkServiceClient:
	if _runtime == null:
		var tree := Engine.get_main_loop() as SceneTree
		_runtime = tree.root.get_node_or_null("TownsfolkRuntime")
	return null if _runtime == null else _runtime.client()
