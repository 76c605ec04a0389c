"""A runtime without a model, for the tests of a game: characters say what a script has them say."""

from townsfolk.fake.engine import ScriptedEngine
from townsfolk.fake.script import Script, ScriptError

__all__ = ["Script", "ScriptError", "ScriptedEngine"]
