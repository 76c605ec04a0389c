"""The Python client: `Runtime` for ordinary code, `AsyncRuntime` for asyncio.

from townsfolk.client import Persona, Runtime

with Runtime.launch() as runtime:
npc = runtime.npc(Persona(name="Mira", description="The innkeeper of the Salted Herring."))
for piece in npc.say("Hello! What is your name?"):
print(piece, end="", flush=True)
"""

from townsfolk.client.actions import ActionRefusedError, action
from townsfolk.client.aio import AsyncRuntime
from townsfolk.client.choice import Choice, ChoiceOptions
from townsfolk.client.contrast import contrast
from townsfolk.client.episode import Act, AsyncEpisode, Episode, EpisodeOptions
from townsfolk.client.errors import (
    AlreadyExistsError,
    DeadlineExceededError,
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
    ResourceExhaustedError,
    RuntimeFaultError,
    RuntimeUnavailableError,
    TownsfolkError,
    UnauthenticatedError,
    VersionMismatchError,
)
from townsfolk.client.grammars import choices, json_schema, lark, regex
from townsfolk.client.lines import happened, heard, spoken
from townsfolk.client.npc import AsyncNpc
from townsfolk.client.npc_options import NpcOptions
from townsfolk.client.options import TurnOptions
from townsfolk.client.process import RuntimeProcess
from townsfolk.client.speech import speech
from townsfolk.client.sync import Runtime
from townsfolk.client.sync_npc import Npc, Turn
from townsfolk.client.turn import AsyncTurn
from townsfolk.v1.dialogue_pb2 import (
    ActionParameter,
    ActionsNow,
    ActionSpec,
    Lore,
    Persona,
    PersonaContrast,
    PersonaField,
    SessionConfig,
    SessionEvent,
    SpeechSettings,
    TranscriptEntry,
)
from townsfolk.v1.sampling_pb2 import FinishReason, Grammar, SamplingParams, Usage

__all__ = [
    "Act",
    "ActionParameter",
    "ActionRefusedError",
    "ActionSpec",
    "ActionsNow",
    "AlreadyExistsError",
    "AsyncEpisode",
    "AsyncNpc",
    "AsyncRuntime",
    "AsyncTurn",
    "Choice",
    "ChoiceOptions",
    "DeadlineExceededError",
    "Episode",
    "EpisodeOptions",
    "FailedPreconditionError",
    "FinishReason",
    "Grammar",
    "InvalidArgumentError",
    "Lore",
    "NotFoundError",
    "Npc",
    "NpcOptions",
    "Persona",
    "PersonaContrast",
    "PersonaField",
    "ResourceExhaustedError",
    "Runtime",
    "RuntimeFaultError",
    "RuntimeProcess",
    "RuntimeUnavailableError",
    "SamplingParams",
    "SessionConfig",
    "SessionEvent",
    "SpeechSettings",
    "TownsfolkError",
    "TranscriptEntry",
    "Turn",
    "TurnOptions",
    "UnauthenticatedError",
    "Usage",
    "VersionMismatchError",
    "action",
    "choices",
    "contrast",
    "happened",
    "heard",
    "json_schema",
    "lark",
    "regex",
    "speech",
    "spoken",
]
