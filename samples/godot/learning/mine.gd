## A mine in which a miner learns to walk to the gold: the game plays episodes with a runtime, and
## `townsfolk learn HOST:PORT --task mine` learns from them. Run it by run.py; see its README.
extends Node

const TILES := 5
const MOST_ACTS := 6
const PLACES: Array[String] = ["to the left", "right here", "to the right"]

var _miner := 0
var _gold := 0
var _last_reward := 0.0


func _ready() -> void:
	var arguments := OS.get_cmdline_user_args()
	var episodes := int(arguments[2]) if arguments.size() > 2 else 64
	TownsfolkRuntime.connect_to_runtime(arguments[0], OS.get_environment("TOWNSFOLK_AUTH_TOKEN"))
	while not TownsfolkRuntime.is_ready():
		if not TownsfolkRuntime.is_hopeful():
			printerr(TownsfolkRuntime.message)
			get_tree().quit(1)
			return
		await get_tree().process_frame
	var persona := NpcPersona.new()
	persona.name = "Gimli"
	persona.description = "You are a miner. Walk to the gold, and dig it."
	persona.adapter = arguments[1] if arguments.size() > 1 else ""
	var sum := 0.0
	for number in episodes:
		var problem := await _play(persona, floori(number / 8.0))  # eight begin alike
		if problem != "":
			printerr(problem)
			get_tree().quit(1)
			return
		sum += _last_reward
		if number % 32 == 31:
			print("%d episodes, mean reward of the last 32: %.3f" % [number + 1, sum / 32.0])
			sum = 0.0
	get_tree().quit()


## Walks a step; returns what that costs.
func walk(to: String) -> float:
	_miner = clampi(_miner + (1 if to == "right" else -1), 0, TILES - 1)
	return -0.05


## Digs; returns what the miner finds.
func dig() -> float:
	return 1.0 if _miner == _gold else -0.5


func _play(persona: NpcPersona, world: int) -> String:
	var rng := RandomNumberGenerator.new()
	rng.seed = world
	_miner = rng.randi_range(0, TILES - 1)
	_gold = rng.randi_range(0, TILES - 1)
	var episode := NpcEpisode.new()
	episode.add_action(walk, "Walks one step.", "", {"to": ["left", "right"]})
	episode.add_action(dig, "Digs where the miner stands.")
	var problem := await episode.open(persona, "mine", str(world))
	for number in MOST_ACTS:
		if problem != "":
			return problem
		var act := await episode.act("The gold lies %s." % PLACES[signi(_gold - _miner) + 1])
		if act.error != "":
			return act.error
		# Its arguments come in the order of the method's parameters.
		var gained: float = callv(act.name, act.arguments.values())
		problem = await episode.reward(gained)
		if act.name == "dig":
			break
	if problem == "":
		problem = await episode.end()
	_last_reward = episode.total_reward
	return problem
