## The actions of one character, and the methods behind them.
@tool
extends RefCounted

const Dialogue := preload("../generated/dialogue.gd")

const TYPES := {
	TYPE_STRING: Dialogue.ParameterType.STRING,
	TYPE_STRING_NAME: Dialogue.ParameterType.STRING,
	TYPE_INT: Dialogue.ParameterType.INTEGER,
	TYPE_FLOAT: Dialogue.ParameterType.NUMBER,
	TYPE_BOOL: Dialogue.ParameterType.BOOLEAN,
}

## As a session takes them.
var messages: Array[Dialogue.ActionSpec] = []

var _methods: Dictionary[String, Dictionary] = {}  # how the engine describes them
var _callables: Dictionary[String, Callable] = {}


## Takes a method. Returns what is wrong with it, or an empty string.
func add(callable: Callable, description: String, condition: String, options: Dictionary) -> String:
	var method := _describe(callable)
	if method.is_empty():
		return "an action must be a method of an object, with typed parameters; a lambda is none"
	var action := Dialogue.ActionSpec.new()
	action.name = callable.get_method()
	action.description = description
	action.condition = condition
	var parameters: Array = method["args"]
	var required: int = parameters.size() - method["default_args"].size()
	for place in parameters.size():
		var type: int = parameters[place]["type"]
		if type not in TYPES:
			return (
				"%s has the parameter %s, which must be a String, int, float or bool"
				% [action.name, parameters[place]["name"]]
			)
		var parameter := Dialogue.ActionParameter.new()
		parameter.name = parameters[place]["name"]
		parameter.type = TYPES[type]
		parameter.optional = place >= required
		parameter.options.assign(options.get(parameter.name, []))
		action.parameters.append(parameter)
	remove(action.name)
	messages.append(action)
	_methods[action.name] = method
	_callables[action.name] = callable
	return ""


## Takes an action without a method; the schema is the JSON Schema of its arguments.
func add_schema(name: String, description: String, schema: Dictionary, condition: String) -> void:
	var action := Dialogue.ActionSpec.new()
	action.name = name
	action.description = description
	action.condition = condition
	action.json_schema = "" if schema.is_empty() else JSON.stringify(schema)
	remove(action.name)
	messages.append(action)


## Forgets an action.
func remove(name: String) -> void:
	messages = messages.filter(
		func(action: Dialogue.ActionSpec) -> bool: return action.name != name
	)
	_methods.erase(name)
	_callables.erase(name)


## Which of the actions one turn may take; null as names means all.
func select(names: Variant, acts_between: bool, must_act: bool) -> Dialogue.ActionsNow:
	var now := Dialogue.ActionsNow.new()
	if names == null:
		for action in messages:
			now.names.append(action.name)
	else:
		now.names.assign(names)
	if acts_between:
		now.placement = Dialogue.ActionPlacement.BETWEEN
	now.required = must_act
	return now


## Whether a method is behind an action.
func has_method_of(name: String) -> bool:
	return _callables.has(name) and _callables[name].is_valid()


## Calls the method of an action, and answers for it.
func run(action: NpcAction) -> void:
	var method := _methods[action.name]
	var parameters: Array = method["args"]
	var defaults: Array = method["default_args"]
	var values: Array = []
	for place in parameters.size():
		var name: String = parameters[place]["name"]
		if action.arguments.has(name):
			values.append(type_convert(action.arguments[name], parameters[place]["type"]))
		else:
			values.append(defaults[place - parameters.size() + defaults.size()])
	var result: Variant = await _callables[action.name].callv(values)
	if result is NpcAction.Refusal:
		action.reject(result.reason)
	elif result is bool and not result:
		action.reject()
	else:
		action.accept("" if result == null or result is bool else str(result))


static func _describe(callable: Callable) -> Dictionary:
	if callable.is_custom() or callable.get_object() == null:
		return {}
	for method: Dictionary in callable.get_object().get_method_list():
		if method["name"] == callable.get_method():
			return method
	return {}
