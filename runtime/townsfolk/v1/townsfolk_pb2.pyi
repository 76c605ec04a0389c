from townsfolk.v1 import dialogue_pb2 as _dialogue_pb2
from townsfolk.v1 import episode_pb2 as _episode_pb2
from townsfolk.v1 import sampling_pb2 as _sampling_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TurnState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TURN_STATE_UNSPECIFIED: _ClassVar[TurnState]
    TURN_STATE_ANSWERING: _ClassVar[TurnState]
    TURN_STATE_FINISHED: _ClassVar[TurnState]
    TURN_STATE_INTERRUPTED: _ClassVar[TurnState]
    TURN_STATE_FAILED: _ClassVar[TurnState]

class ChoiceScore(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CHOICE_SCORE_UNSPECIFIED: _ClassVar[ChoiceScore]
    CHOICE_SCORE_TOTAL: _ClassVar[ChoiceScore]
    CHOICE_SCORE_PER_TOKEN: _ClassVar[ChoiceScore]

class ModelState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MODEL_STATE_UNSPECIFIED: _ClassVar[ModelState]
    MODEL_STATE_LOADED: _ClassVar[ModelState]
    MODEL_STATE_RELEASED: _ClassVar[ModelState]
    MODEL_STATE_LOADING: _ClassVar[ModelState]

class ContractMajor(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CONTRACT_MAJOR_UNSPECIFIED: _ClassVar[ContractMajor]
    CONTRACT_MAJOR_CURRENT: _ClassVar[ContractMajor]

class ContractMinor(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CONTRACT_MINOR_UNSPECIFIED: _ClassVar[ContractMinor]
    CONTRACT_MINOR_CURRENT: _ClassVar[ContractMinor]

class PacePolicy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PACE_POLICY_UNSPECIFIED: _ClassVar[PacePolicy]
    PACE_POLICY_SMOOTH: _ClassVar[PacePolicy]
    PACE_POLICY_BALANCED: _ClassVar[PacePolicy]
    PACE_POLICY_FAST: _ClassVar[PacePolicy]
TURN_STATE_UNSPECIFIED: TurnState
TURN_STATE_ANSWERING: TurnState
TURN_STATE_FINISHED: TurnState
TURN_STATE_INTERRUPTED: TurnState
TURN_STATE_FAILED: TurnState
CHOICE_SCORE_UNSPECIFIED: ChoiceScore
CHOICE_SCORE_TOTAL: ChoiceScore
CHOICE_SCORE_PER_TOKEN: ChoiceScore
MODEL_STATE_UNSPECIFIED: ModelState
MODEL_STATE_LOADED: ModelState
MODEL_STATE_RELEASED: ModelState
MODEL_STATE_LOADING: ModelState
CONTRACT_MAJOR_UNSPECIFIED: ContractMajor
CONTRACT_MAJOR_CURRENT: ContractMajor
CONTRACT_MINOR_UNSPECIFIED: ContractMinor
CONTRACT_MINOR_CURRENT: ContractMinor
PACE_POLICY_UNSPECIFIED: PacePolicy
PACE_POLICY_SMOOTH: PacePolicy
PACE_POLICY_BALANCED: PacePolicy
PACE_POLICY_FAST: PacePolicy

class OpenSession(_message.Message):
    __slots__ = ("config", "resume")
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    RESUME_FIELD_NUMBER: _ClassVar[int]
    config: _dialogue_pb2.SessionConfig
    resume: bool
    def __init__(self, config: _Optional[_Union[_dialogue_pb2.SessionConfig, _Mapping]] = ..., resume: _Optional[bool] = ...) -> None: ...

class Interrupt(_message.Message):
    __slots__ = ("turn_id", "heard_characters")
    TURN_ID_FIELD_NUMBER: _ClassVar[int]
    HEARD_CHARACTERS_FIELD_NUMBER: _ClassVar[int]
    turn_id: str
    heard_characters: int
    def __init__(self, turn_id: _Optional[str] = ..., heard_characters: _Optional[int] = ...) -> None: ...

class RecordedLines(_message.Message):
    __slots__ = ("lines",)
    LINES_FIELD_NUMBER: _ClassVar[int]
    lines: _containers.RepeatedCompositeFieldContainer[_dialogue_pb2.TranscriptEntry]
    def __init__(self, lines: _Optional[_Iterable[_Union[_dialogue_pb2.TranscriptEntry, _Mapping]]] = ...) -> None: ...

class ConverseRequest(_message.Message):
    __slots__ = ("open", "say", "notify", "interrupt", "update_priority", "close", "record")
    OPEN_FIELD_NUMBER: _ClassVar[int]
    SAY_FIELD_NUMBER: _ClassVar[int]
    NOTIFY_FIELD_NUMBER: _ClassVar[int]
    INTERRUPT_FIELD_NUMBER: _ClassVar[int]
    UPDATE_PRIORITY_FIELD_NUMBER: _ClassVar[int]
    CLOSE_FIELD_NUMBER: _ClassVar[int]
    RECORD_FIELD_NUMBER: _ClassVar[int]
    open: OpenSession
    say: _dialogue_pb2.Utterance
    notify: str
    interrupt: Interrupt
    update_priority: int
    close: bool
    record: RecordedLines
    def __init__(self, open: _Optional[_Union[OpenSession, _Mapping]] = ..., say: _Optional[_Union[_dialogue_pb2.Utterance, _Mapping]] = ..., notify: _Optional[str] = ..., interrupt: _Optional[_Union[Interrupt, _Mapping]] = ..., update_priority: _Optional[int] = ..., close: _Optional[bool] = ..., record: _Optional[_Union[RecordedLines, _Mapping]] = ...) -> None: ...

class ConverseResponse(_message.Message):
    __slots__ = ("event",)
    EVENT_FIELD_NUMBER: _ClassVar[int]
    event: _dialogue_pb2.SessionEvent
    def __init__(self, event: _Optional[_Union[_dialogue_pb2.SessionEvent, _Mapping]] = ...) -> None: ...

class OpenSessionRequest(_message.Message):
    __slots__ = ("open",)
    OPEN_FIELD_NUMBER: _ClassVar[int]
    open: OpenSession
    def __init__(self, open: _Optional[_Union[OpenSession, _Mapping]] = ...) -> None: ...

class OpenSessionResponse(_message.Message):
    __slots__ = ("opened",)
    OPENED_FIELD_NUMBER: _ClassVar[int]
    opened: _dialogue_pb2.SessionOpened
    def __init__(self, opened: _Optional[_Union[_dialogue_pb2.SessionOpened, _Mapping]] = ...) -> None: ...

class SayRequest(_message.Message):
    __slots__ = ("session_id", "utterance")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    UTTERANCE_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    utterance: _dialogue_pb2.Utterance
    def __init__(self, session_id: _Optional[str] = ..., utterance: _Optional[_Union[_dialogue_pb2.Utterance, _Mapping]] = ...) -> None: ...

class SayResponse(_message.Message):
    __slots__ = ("event",)
    EVENT_FIELD_NUMBER: _ClassVar[int]
    event: _dialogue_pb2.SessionEvent
    def __init__(self, event: _Optional[_Union[_dialogue_pb2.SessionEvent, _Mapping]] = ...) -> None: ...

class InterruptSessionRequest(_message.Message):
    __slots__ = ("session_id", "interrupt")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    INTERRUPT_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    interrupt: Interrupt
    def __init__(self, session_id: _Optional[str] = ..., interrupt: _Optional[_Union[Interrupt, _Mapping]] = ...) -> None: ...

class InterruptSessionResponse(_message.Message):
    __slots__ = ("turn_ids",)
    TURN_IDS_FIELD_NUMBER: _ClassVar[int]
    turn_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, turn_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class AnswerActionRequest(_message.Message):
    __slots__ = ("session_id", "action_id", "accept", "reject")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    ACTION_ID_FIELD_NUMBER: _ClassVar[int]
    ACCEPT_FIELD_NUMBER: _ClassVar[int]
    REJECT_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    action_id: str
    accept: str
    reject: str
    def __init__(self, session_id: _Optional[str] = ..., action_id: _Optional[str] = ..., accept: _Optional[str] = ..., reject: _Optional[str] = ...) -> None: ...

class AnswerActionResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class NotifySessionRequest(_message.Message):
    __slots__ = ("session_id", "text")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    text: str
    def __init__(self, session_id: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...

class NotifySessionResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RecordLinesRequest(_message.Message):
    __slots__ = ("session_id", "recorded")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    RECORDED_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    recorded: RecordedLines
    def __init__(self, session_id: _Optional[str] = ..., recorded: _Optional[_Union[RecordedLines, _Mapping]] = ...) -> None: ...

class RecordLinesResponse(_message.Message):
    __slots__ = ("recorded",)
    RECORDED_FIELD_NUMBER: _ClassVar[int]
    recorded: _dialogue_pb2.Recorded
    def __init__(self, recorded: _Optional[_Union[_dialogue_pb2.Recorded, _Mapping]] = ...) -> None: ...

class UpdateSessionRequest(_message.Message):
    __slots__ = ("session_id", "priority")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    priority: int
    def __init__(self, session_id: _Optional[str] = ..., priority: _Optional[int] = ...) -> None: ...

class UpdateSessionResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetSessionRequest(_message.Message):
    __slots__ = ("session_id",)
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    def __init__(self, session_id: _Optional[str] = ...) -> None: ...

class GetSessionResponse(_message.Message):
    __slots__ = ("config", "current_turn_id", "queued_turns")
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    CURRENT_TURN_ID_FIELD_NUMBER: _ClassVar[int]
    QUEUED_TURNS_FIELD_NUMBER: _ClassVar[int]
    config: _dialogue_pb2.SessionConfig
    current_turn_id: str
    queued_turns: int
    def __init__(self, config: _Optional[_Union[_dialogue_pb2.SessionConfig, _Mapping]] = ..., current_turn_id: _Optional[str] = ..., queued_turns: _Optional[int] = ...) -> None: ...

class ListSessionsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class SessionSummary(_message.Message):
    __slots__ = ("session_id", "persona_name", "priority", "transcript_entries", "speaking")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    PERSONA_NAME_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    TRANSCRIPT_ENTRIES_FIELD_NUMBER: _ClassVar[int]
    SPEAKING_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    persona_name: str
    priority: int
    transcript_entries: int
    speaking: bool
    def __init__(self, session_id: _Optional[str] = ..., persona_name: _Optional[str] = ..., priority: _Optional[int] = ..., transcript_entries: _Optional[int] = ..., speaking: _Optional[bool] = ...) -> None: ...

class ListSessionsResponse(_message.Message):
    __slots__ = ("sessions",)
    SESSIONS_FIELD_NUMBER: _ClassVar[int]
    sessions: _containers.RepeatedCompositeFieldContainer[SessionSummary]
    def __init__(self, sessions: _Optional[_Iterable[_Union[SessionSummary, _Mapping]]] = ...) -> None: ...

class TurnReport(_message.Message):
    __slots__ = ("turn_id", "state", "asked_unix_ms", "queued_ms", "prompt_ms", "total_ms", "usage", "finish_reason", "retries")
    TURN_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    ASKED_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    QUEUED_MS_FIELD_NUMBER: _ClassVar[int]
    PROMPT_MS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_MS_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    FINISH_REASON_FIELD_NUMBER: _ClassVar[int]
    RETRIES_FIELD_NUMBER: _ClassVar[int]
    turn_id: str
    state: TurnState
    asked_unix_ms: int
    queued_ms: float
    prompt_ms: float
    total_ms: float
    usage: _sampling_pb2.Usage
    finish_reason: _sampling_pb2.FinishReason
    retries: int
    def __init__(self, turn_id: _Optional[str] = ..., state: _Optional[_Union[TurnState, str]] = ..., asked_unix_ms: _Optional[int] = ..., queued_ms: _Optional[float] = ..., prompt_ms: _Optional[float] = ..., total_ms: _Optional[float] = ..., usage: _Optional[_Union[_sampling_pb2.Usage, _Mapping]] = ..., finish_reason: _Optional[_Union[_sampling_pb2.FinishReason, str]] = ..., retries: _Optional[int] = ...) -> None: ...

class PromptReport(_message.Message):
    __slots__ = ("turn_id", "token_ids", "cached_tokens", "cached_text", "computed_text")
    TURN_ID_FIELD_NUMBER: _ClassVar[int]
    TOKEN_IDS_FIELD_NUMBER: _ClassVar[int]
    CACHED_TOKENS_FIELD_NUMBER: _ClassVar[int]
    CACHED_TEXT_FIELD_NUMBER: _ClassVar[int]
    COMPUTED_TEXT_FIELD_NUMBER: _ClassVar[int]
    turn_id: str
    token_ids: _containers.RepeatedScalarFieldContainer[int]
    cached_tokens: int
    cached_text: str
    computed_text: str
    def __init__(self, turn_id: _Optional[str] = ..., token_ids: _Optional[_Iterable[int]] = ..., cached_tokens: _Optional[int] = ..., cached_text: _Optional[str] = ..., computed_text: _Optional[str] = ...) -> None: ...

class ErrorReport(_message.Message):
    __slots__ = ("unix_ms", "code", "message", "method", "session_id", "turn_id")
    UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    TURN_ID_FIELD_NUMBER: _ClassVar[int]
    unix_ms: int
    code: str
    message: str
    method: str
    session_id: str
    turn_id: str
    def __init__(self, unix_ms: _Optional[int] = ..., code: _Optional[str] = ..., message: _Optional[str] = ..., method: _Optional[str] = ..., session_id: _Optional[str] = ..., turn_id: _Optional[str] = ...) -> None: ...

class InspectSessionRequest(_message.Message):
    __slots__ = ("session_id", "with_prompt")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    WITH_PROMPT_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    with_prompt: bool
    def __init__(self, session_id: _Optional[str] = ..., with_prompt: _Optional[bool] = ...) -> None: ...

class InspectSessionResponse(_message.Message):
    __slots__ = ("turns", "errors", "prompt", "queued_turns", "system_tokens")
    TURNS_FIELD_NUMBER: _ClassVar[int]
    ERRORS_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    QUEUED_TURNS_FIELD_NUMBER: _ClassVar[int]
    SYSTEM_TOKENS_FIELD_NUMBER: _ClassVar[int]
    turns: _containers.RepeatedCompositeFieldContainer[TurnReport]
    errors: _containers.RepeatedCompositeFieldContainer[ErrorReport]
    prompt: PromptReport
    queued_turns: int
    system_tokens: int
    def __init__(self, turns: _Optional[_Iterable[_Union[TurnReport, _Mapping]]] = ..., errors: _Optional[_Iterable[_Union[ErrorReport, _Mapping]]] = ..., prompt: _Optional[_Union[PromptReport, _Mapping]] = ..., queued_turns: _Optional[int] = ..., system_tokens: _Optional[int] = ...) -> None: ...

class ListErrorsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListErrorsResponse(_message.Message):
    __slots__ = ("errors",)
    ERRORS_FIELD_NUMBER: _ClassVar[int]
    errors: _containers.RepeatedCompositeFieldContainer[ErrorReport]
    def __init__(self, errors: _Optional[_Iterable[_Union[ErrorReport, _Mapping]]] = ...) -> None: ...

class CloseSessionRequest(_message.Message):
    __slots__ = ("session_id",)
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    def __init__(self, session_id: _Optional[str] = ...) -> None: ...

class CloseSessionResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RegisterLoreRequest(_message.Message):
    __slots__ = ("lore",)
    LORE_FIELD_NUMBER: _ClassVar[int]
    lore: _dialogue_pb2.Lore
    def __init__(self, lore: _Optional[_Union[_dialogue_pb2.Lore, _Mapping]] = ...) -> None: ...

class RegisterLoreResponse(_message.Message):
    __slots__ = ("tokens",)
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    tokens: int
    def __init__(self, tokens: _Optional[int] = ...) -> None: ...

class RemoveLoreRequest(_message.Message):
    __slots__ = ("lore_id",)
    LORE_ID_FIELD_NUMBER: _ClassVar[int]
    lore_id: str
    def __init__(self, lore_id: _Optional[str] = ...) -> None: ...

class RemoveLoreResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class TokenIds(_message.Message):
    __slots__ = ("ids",)
    IDS_FIELD_NUMBER: _ClassVar[int]
    ids: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, ids: _Optional[_Iterable[int]] = ...) -> None: ...

class GenerateRequest(_message.Message):
    __slots__ = ("text", "token_ids", "sampling", "echo", "priority", "grammar", "adapter")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    TOKEN_IDS_FIELD_NUMBER: _ClassVar[int]
    SAMPLING_FIELD_NUMBER: _ClassVar[int]
    ECHO_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    GRAMMAR_FIELD_NUMBER: _ClassVar[int]
    ADAPTER_FIELD_NUMBER: _ClassVar[int]
    text: str
    token_ids: TokenIds
    sampling: _sampling_pb2.SamplingParams
    echo: bool
    priority: int
    grammar: _sampling_pb2.Grammar
    adapter: str
    def __init__(self, text: _Optional[str] = ..., token_ids: _Optional[_Union[TokenIds, _Mapping]] = ..., sampling: _Optional[_Union[_sampling_pb2.SamplingParams, _Mapping]] = ..., echo: _Optional[bool] = ..., priority: _Optional[int] = ..., grammar: _Optional[_Union[_sampling_pb2.Grammar, _Mapping]] = ..., adapter: _Optional[str] = ...) -> None: ...

class GenerateResponse(_message.Message):
    __slots__ = ("prompt", "text", "finished")
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    FINISHED_FIELD_NUMBER: _ClassVar[int]
    prompt: EchoedPrompt
    text: GeneratedText
    finished: GenerationFinished
    def __init__(self, prompt: _Optional[_Union[EchoedPrompt, _Mapping]] = ..., text: _Optional[_Union[GeneratedText, _Mapping]] = ..., finished: _Optional[_Union[GenerationFinished, _Mapping]] = ...) -> None: ...

class EchoedPrompt(_message.Message):
    __slots__ = ("tokens",)
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    tokens: _containers.RepeatedCompositeFieldContainer[_sampling_pb2.Token]
    def __init__(self, tokens: _Optional[_Iterable[_Union[_sampling_pb2.Token, _Mapping]]] = ...) -> None: ...

class GeneratedText(_message.Message):
    __slots__ = ("text", "tokens")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    text: str
    tokens: _containers.RepeatedCompositeFieldContainer[_sampling_pb2.Token]
    def __init__(self, text: _Optional[str] = ..., tokens: _Optional[_Iterable[_Union[_sampling_pb2.Token, _Mapping]]] = ...) -> None: ...

class GenerationFinished(_message.Message):
    __slots__ = ("finish_reason", "usage", "stop_text")
    FINISH_REASON_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    STOP_TEXT_FIELD_NUMBER: _ClassVar[int]
    finish_reason: _sampling_pb2.FinishReason
    usage: _sampling_pb2.Usage
    stop_text: str
    def __init__(self, finish_reason: _Optional[_Union[_sampling_pb2.FinishReason, str]] = ..., usage: _Optional[_Union[_sampling_pb2.Usage, _Mapping]] = ..., stop_text: _Optional[str] = ...) -> None: ...

class ChooseRequest(_message.Message):
    __slots__ = ("session_id", "text", "token_ids", "options", "utterance", "remember", "score", "draw", "temperature", "seed", "priority", "adapter")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    TOKEN_IDS_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    UTTERANCE_FIELD_NUMBER: _ClassVar[int]
    REMEMBER_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    DRAW_FIELD_NUMBER: _ClassVar[int]
    TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    ADAPTER_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    text: str
    token_ids: TokenIds
    options: _containers.RepeatedScalarFieldContainer[str]
    utterance: _dialogue_pb2.Utterance
    remember: bool
    score: ChoiceScore
    draw: bool
    temperature: float
    seed: int
    priority: int
    adapter: str
    def __init__(self, session_id: _Optional[str] = ..., text: _Optional[str] = ..., token_ids: _Optional[_Union[TokenIds, _Mapping]] = ..., options: _Optional[_Iterable[str]] = ..., utterance: _Optional[_Union[_dialogue_pb2.Utterance, _Mapping]] = ..., remember: _Optional[bool] = ..., score: _Optional[_Union[ChoiceScore, str]] = ..., draw: _Optional[bool] = ..., temperature: _Optional[float] = ..., seed: _Optional[int] = ..., priority: _Optional[int] = ..., adapter: _Optional[str] = ...) -> None: ...

class ScoredOption(_message.Message):
    __slots__ = ("text", "logprob", "logprob_per_token", "probability", "tokens")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    LOGPROB_FIELD_NUMBER: _ClassVar[int]
    LOGPROB_PER_TOKEN_FIELD_NUMBER: _ClassVar[int]
    PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    text: str
    logprob: float
    logprob_per_token: float
    probability: float
    tokens: int
    def __init__(self, text: _Optional[str] = ..., logprob: _Optional[float] = ..., logprob_per_token: _Optional[float] = ..., probability: _Optional[float] = ..., tokens: _Optional[int] = ...) -> None: ...

class ChooseResponse(_message.Message):
    __slots__ = ("chosen", "options", "seed", "prompt_tokens", "cached_tokens", "turn_id")
    CHOSEN_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    PROMPT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    CACHED_TOKENS_FIELD_NUMBER: _ClassVar[int]
    TURN_ID_FIELD_NUMBER: _ClassVar[int]
    chosen: int
    options: _containers.RepeatedCompositeFieldContainer[ScoredOption]
    seed: int
    prompt_tokens: int
    cached_tokens: int
    turn_id: str
    def __init__(self, chosen: _Optional[int] = ..., options: _Optional[_Iterable[_Union[ScoredOption, _Mapping]]] = ..., seed: _Optional[int] = ..., prompt_tokens: _Optional[int] = ..., cached_tokens: _Optional[int] = ..., turn_id: _Optional[str] = ...) -> None: ...

class ContractVersion(_message.Message):
    __slots__ = ("major", "minor")
    MAJOR_FIELD_NUMBER: _ClassVar[int]
    MINOR_FIELD_NUMBER: _ClassVar[int]
    major: int
    minor: int
    def __init__(self, major: _Optional[int] = ..., minor: _Optional[int] = ...) -> None: ...

class GetRuntimeInfoRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetRuntimeInfoResponse(_message.Message):
    __slots__ = ("version", "model", "parameters", "device", "dtype", "context_tokens", "kv_memory_mib", "kv_capacity_tokens", "max_sessions", "max_batch", "max_message_bytes", "model_state", "memory_used_mib", "memory_limit_mib", "contract")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    DTYPE_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    KV_MEMORY_MIB_FIELD_NUMBER: _ClassVar[int]
    KV_CAPACITY_TOKENS_FIELD_NUMBER: _ClassVar[int]
    MAX_SESSIONS_FIELD_NUMBER: _ClassVar[int]
    MAX_BATCH_FIELD_NUMBER: _ClassVar[int]
    MAX_MESSAGE_BYTES_FIELD_NUMBER: _ClassVar[int]
    MODEL_STATE_FIELD_NUMBER: _ClassVar[int]
    MEMORY_USED_MIB_FIELD_NUMBER: _ClassVar[int]
    MEMORY_LIMIT_MIB_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_FIELD_NUMBER: _ClassVar[int]
    version: str
    model: str
    parameters: int
    device: str
    dtype: str
    context_tokens: int
    kv_memory_mib: int
    kv_capacity_tokens: int
    max_sessions: int
    max_batch: int
    max_message_bytes: int
    model_state: ModelState
    memory_used_mib: int
    memory_limit_mib: int
    contract: ContractVersion
    def __init__(self, version: _Optional[str] = ..., model: _Optional[str] = ..., parameters: _Optional[int] = ..., device: _Optional[str] = ..., dtype: _Optional[str] = ..., context_tokens: _Optional[int] = ..., kv_memory_mib: _Optional[int] = ..., kv_capacity_tokens: _Optional[int] = ..., max_sessions: _Optional[int] = ..., max_batch: _Optional[int] = ..., max_message_bytes: _Optional[int] = ..., model_state: _Optional[_Union[ModelState, str]] = ..., memory_used_mib: _Optional[int] = ..., memory_limit_mib: _Optional[int] = ..., contract: _Optional[_Union[ContractVersion, _Mapping]] = ...) -> None: ...

class WatchStatsRequest(_message.Message):
    __slots__ = ("interval_ms",)
    INTERVAL_MS_FIELD_NUMBER: _ClassVar[int]
    interval_ms: int
    def __init__(self, interval_ms: _Optional[int] = ...) -> None: ...

class WatchStatsResponse(_message.Message):
    __slots__ = ("running", "waiting", "tokens_per_second", "kv_blocks_used", "kv_blocks_cached", "kv_blocks_free", "ttft_p50_ms", "ttft_p99_ms", "sessions", "generated_tokens_total", "prompt_tokens_total", "cached_tokens_total", "requests_total", "preemptions_total", "model_state", "memory_used_mib", "pace", "decode_steps", "prompt_steps", "steps_total")
    RUNNING_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    TOKENS_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    KV_BLOCKS_USED_FIELD_NUMBER: _ClassVar[int]
    KV_BLOCKS_CACHED_FIELD_NUMBER: _ClassVar[int]
    KV_BLOCKS_FREE_FIELD_NUMBER: _ClassVar[int]
    TTFT_P50_MS_FIELD_NUMBER: _ClassVar[int]
    TTFT_P99_MS_FIELD_NUMBER: _ClassVar[int]
    SESSIONS_FIELD_NUMBER: _ClassVar[int]
    GENERATED_TOKENS_TOTAL_FIELD_NUMBER: _ClassVar[int]
    PROMPT_TOKENS_TOTAL_FIELD_NUMBER: _ClassVar[int]
    CACHED_TOKENS_TOTAL_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_TOTAL_FIELD_NUMBER: _ClassVar[int]
    PREEMPTIONS_TOTAL_FIELD_NUMBER: _ClassVar[int]
    MODEL_STATE_FIELD_NUMBER: _ClassVar[int]
    MEMORY_USED_MIB_FIELD_NUMBER: _ClassVar[int]
    PACE_FIELD_NUMBER: _ClassVar[int]
    DECODE_STEPS_FIELD_NUMBER: _ClassVar[int]
    PROMPT_STEPS_FIELD_NUMBER: _ClassVar[int]
    STEPS_TOTAL_FIELD_NUMBER: _ClassVar[int]
    running: int
    waiting: int
    tokens_per_second: float
    kv_blocks_used: int
    kv_blocks_cached: int
    kv_blocks_free: int
    ttft_p50_ms: float
    ttft_p99_ms: float
    sessions: int
    generated_tokens_total: int
    prompt_tokens_total: int
    cached_tokens_total: int
    requests_total: int
    preemptions_total: int
    model_state: ModelState
    memory_used_mib: int
    pace: FramePace
    decode_steps: StepTimes
    prompt_steps: StepTimes
    steps_total: int
    def __init__(self, running: _Optional[int] = ..., waiting: _Optional[int] = ..., tokens_per_second: _Optional[float] = ..., kv_blocks_used: _Optional[int] = ..., kv_blocks_cached: _Optional[int] = ..., kv_blocks_free: _Optional[int] = ..., ttft_p50_ms: _Optional[float] = ..., ttft_p99_ms: _Optional[float] = ..., sessions: _Optional[int] = ..., generated_tokens_total: _Optional[int] = ..., prompt_tokens_total: _Optional[int] = ..., cached_tokens_total: _Optional[int] = ..., requests_total: _Optional[int] = ..., preemptions_total: _Optional[int] = ..., model_state: _Optional[_Union[ModelState, str]] = ..., memory_used_mib: _Optional[int] = ..., pace: _Optional[_Union[FramePace, _Mapping]] = ..., decode_steps: _Optional[_Union[StepTimes, _Mapping]] = ..., prompt_steps: _Optional[_Union[StepTimes, _Mapping]] = ..., steps_total: _Optional[int] = ...) -> None: ...

class StepTimes(_message.Message):
    __slots__ = ("measured", "p50_ms", "p99_ms", "longest_ms")
    MEASURED_FIELD_NUMBER: _ClassVar[int]
    P50_MS_FIELD_NUMBER: _ClassVar[int]
    P99_MS_FIELD_NUMBER: _ClassVar[int]
    LONGEST_MS_FIELD_NUMBER: _ClassVar[int]
    measured: int
    p50_ms: float
    p99_ms: float
    longest_ms: float
    def __init__(self, measured: _Optional[int] = ..., p50_ms: _Optional[float] = ..., p99_ms: _Optional[float] = ..., longest_ms: _Optional[float] = ...) -> None: ...

class Frame(_message.Message):
    __slots__ = ("age_us", "busy_us")
    AGE_US_FIELD_NUMBER: _ClassVar[int]
    BUSY_US_FIELD_NUMBER: _ClassVar[int]
    age_us: int
    busy_us: int
    def __init__(self, age_us: _Optional[int] = ..., busy_us: _Optional[int] = ...) -> None: ...

class ReportFramesRequest(_message.Message):
    __slots__ = ("reporter", "clock_us", "target_us", "policy", "frames", "done")
    REPORTER_FIELD_NUMBER: _ClassVar[int]
    CLOCK_US_FIELD_NUMBER: _ClassVar[int]
    TARGET_US_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    reporter: str
    clock_us: int
    target_us: int
    policy: PacePolicy
    frames: _containers.RepeatedCompositeFieldContainer[Frame]
    done: bool
    def __init__(self, reporter: _Optional[str] = ..., clock_us: _Optional[int] = ..., target_us: _Optional[int] = ..., policy: _Optional[_Union[PacePolicy, str]] = ..., frames: _Optional[_Iterable[_Union[Frame, _Mapping]]] = ..., done: _Optional[bool] = ...) -> None: ...

class ReportFramesResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class FramePace(_message.Message):
    __slots__ = ("policy", "frame_ms", "budget_ms", "steps_delayed", "steps_forced", "estimates_missed", "frames_late", "reporters")
    POLICY_FIELD_NUMBER: _ClassVar[int]
    FRAME_MS_FIELD_NUMBER: _ClassVar[int]
    BUDGET_MS_FIELD_NUMBER: _ClassVar[int]
    STEPS_DELAYED_FIELD_NUMBER: _ClassVar[int]
    STEPS_FORCED_FIELD_NUMBER: _ClassVar[int]
    ESTIMATES_MISSED_FIELD_NUMBER: _ClassVar[int]
    FRAMES_LATE_FIELD_NUMBER: _ClassVar[int]
    REPORTERS_FIELD_NUMBER: _ClassVar[int]
    policy: PacePolicy
    frame_ms: float
    budget_ms: float
    steps_delayed: int
    steps_forced: int
    estimates_missed: int
    frames_late: int
    reporters: int
    def __init__(self, policy: _Optional[_Union[PacePolicy, str]] = ..., frame_ms: _Optional[float] = ..., budget_ms: _Optional[float] = ..., steps_delayed: _Optional[int] = ..., steps_forced: _Optional[int] = ..., estimates_missed: _Optional[int] = ..., frames_late: _Optional[int] = ..., reporters: _Optional[int] = ...) -> None: ...

class ReleaseRequest(_message.Message):
    __slots__ = ("until_warm",)
    UNTIL_WARM_FIELD_NUMBER: _ClassVar[int]
    until_warm: bool
    def __init__(self, until_warm: _Optional[bool] = ...) -> None: ...

class ReleaseResponse(_message.Message):
    __slots__ = ("memory_used_mib",)
    MEMORY_USED_MIB_FIELD_NUMBER: _ClassVar[int]
    memory_used_mib: int
    def __init__(self, memory_used_mib: _Optional[int] = ...) -> None: ...

class WarmRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class WarmResponse(_message.Message):
    __slots__ = ("memory_used_mib",)
    MEMORY_USED_MIB_FIELD_NUMBER: _ClassVar[int]
    memory_used_mib: int
    def __init__(self, memory_used_mib: _Optional[int] = ...) -> None: ...

class LoadAdapterRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class LoadAdapterResponse(_message.Message):
    __slots__ = ("adapter",)
    ADAPTER_FIELD_NUMBER: _ClassVar[int]
    adapter: Adapter
    def __init__(self, adapter: _Optional[_Union[Adapter, _Mapping]] = ...) -> None: ...

class UnloadAdapterRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class UnloadAdapterResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListAdaptersRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Adapter(_message.Message):
    __slots__ = ("name", "loaded", "rank", "memory_bytes")
    NAME_FIELD_NUMBER: _ClassVar[int]
    LOADED_FIELD_NUMBER: _ClassVar[int]
    RANK_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    name: str
    loaded: bool
    rank: int
    memory_bytes: int
    def __init__(self, name: _Optional[str] = ..., loaded: _Optional[bool] = ..., rank: _Optional[int] = ..., memory_bytes: _Optional[int] = ...) -> None: ...

class ListAdaptersResponse(_message.Message):
    __slots__ = ("adapters",)
    ADAPTERS_FIELD_NUMBER: _ClassVar[int]
    adapters: _containers.RepeatedCompositeFieldContainer[Adapter]
    def __init__(self, adapters: _Optional[_Iterable[_Union[Adapter, _Mapping]]] = ...) -> None: ...
