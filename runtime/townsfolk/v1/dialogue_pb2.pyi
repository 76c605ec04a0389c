from townsfolk.v1 import sampling_pb2 as _sampling_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class OverflowPolicy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OVERFLOW_POLICY_UNSPECIFIED: _ClassVar[OverflowPolicy]
    OVERFLOW_POLICY_DROP_OLDEST: _ClassVar[OverflowPolicy]

class EntryKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ENTRY_KIND_UNSPECIFIED: _ClassVar[EntryKind]
    ENTRY_KIND_HEARD: _ClassVar[EntryKind]
    ENTRY_KIND_SPOKE: _ClassVar[EntryKind]
    ENTRY_KIND_EVENT: _ClassVar[EntryKind]

class ParameterType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PARAMETER_TYPE_UNSPECIFIED: _ClassVar[ParameterType]
    PARAMETER_TYPE_STRING: _ClassVar[ParameterType]
    PARAMETER_TYPE_INTEGER: _ClassVar[ParameterType]
    PARAMETER_TYPE_NUMBER: _ClassVar[ParameterType]
    PARAMETER_TYPE_BOOLEAN: _ClassVar[ParameterType]

class ActionPlacement(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ACTION_PLACEMENT_UNSPECIFIED: _ClassVar[ActionPlacement]
    ACTION_PLACEMENT_AFTER: _ClassVar[ActionPlacement]
    ACTION_PLACEMENT_BETWEEN: _ClassVar[ActionPlacement]

class StageDirections(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STAGE_DIRECTIONS_UNSPECIFIED: _ClassVar[StageDirections]
    STAGE_DIRECTIONS_KEEP: _ClassVar[StageDirections]
    STAGE_DIRECTIONS_APART: _ClassVar[StageDirections]
    STAGE_DIRECTIONS_DROP: _ClassVar[StageDirections]
    STAGE_DIRECTIONS_SPEAK: _ClassVar[StageDirections]

class DirectionMark(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DIRECTION_MARK_UNSPECIFIED: _ClassVar[DirectionMark]
    DIRECTION_MARK_ASTERISKS: _ClassVar[DirectionMark]
    DIRECTION_MARK_PARENTHESES: _ClassVar[DirectionMark]
    DIRECTION_MARK_BRACKETS: _ClassVar[DirectionMark]
    DIRECTION_MARK_TAGS: _ClassVar[DirectionMark]

class PersonaField(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PERSONA_FIELD_UNSPECIFIED: _ClassVar[PersonaField]
    PERSONA_FIELD_DESCRIPTION: _ClassVar[PersonaField]
    PERSONA_FIELD_GOALS: _ClassVar[PersonaField]
    PERSONA_FIELD_SPEAKING_STYLE: _ClassVar[PersonaField]
    PERSONA_FIELD_TABOOS: _ClassVar[PersonaField]
    PERSONA_FIELD_EXAMPLE_LINES: _ClassVar[PersonaField]

class TurnCue(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TURN_CUE_UNSPECIFIED: _ClassVar[TurnCue]
    TURN_CUE_SAID: _ClassVar[TurnCue]
    TURN_CUE_EVENT: _ClassVar[TurnCue]
    TURN_CUE_NONE: _ClassVar[TurnCue]

class ErrorCode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ERROR_CODE_UNSPECIFIED: _ClassVar[ErrorCode]
    ERROR_CODE_INVALID_ARGUMENT: _ClassVar[ErrorCode]
    ERROR_CODE_NOT_FOUND: _ClassVar[ErrorCode]
    ERROR_CODE_RESOURCE_EXHAUSTED: _ClassVar[ErrorCode]
    ERROR_CODE_FAILED_PRECONDITION: _ClassVar[ErrorCode]
    ERROR_CODE_DEADLINE_EXCEEDED: _ClassVar[ErrorCode]
    ERROR_CODE_INTERNAL: _ClassVar[ErrorCode]
    ERROR_CODE_ALREADY_EXISTS: _ClassVar[ErrorCode]
OVERFLOW_POLICY_UNSPECIFIED: OverflowPolicy
OVERFLOW_POLICY_DROP_OLDEST: OverflowPolicy
ENTRY_KIND_UNSPECIFIED: EntryKind
ENTRY_KIND_HEARD: EntryKind
ENTRY_KIND_SPOKE: EntryKind
ENTRY_KIND_EVENT: EntryKind
PARAMETER_TYPE_UNSPECIFIED: ParameterType
PARAMETER_TYPE_STRING: ParameterType
PARAMETER_TYPE_INTEGER: ParameterType
PARAMETER_TYPE_NUMBER: ParameterType
PARAMETER_TYPE_BOOLEAN: ParameterType
ACTION_PLACEMENT_UNSPECIFIED: ActionPlacement
ACTION_PLACEMENT_AFTER: ActionPlacement
ACTION_PLACEMENT_BETWEEN: ActionPlacement
STAGE_DIRECTIONS_UNSPECIFIED: StageDirections
STAGE_DIRECTIONS_KEEP: StageDirections
STAGE_DIRECTIONS_APART: StageDirections
STAGE_DIRECTIONS_DROP: StageDirections
STAGE_DIRECTIONS_SPEAK: StageDirections
DIRECTION_MARK_UNSPECIFIED: DirectionMark
DIRECTION_MARK_ASTERISKS: DirectionMark
DIRECTION_MARK_PARENTHESES: DirectionMark
DIRECTION_MARK_BRACKETS: DirectionMark
DIRECTION_MARK_TAGS: DirectionMark
PERSONA_FIELD_UNSPECIFIED: PersonaField
PERSONA_FIELD_DESCRIPTION: PersonaField
PERSONA_FIELD_GOALS: PersonaField
PERSONA_FIELD_SPEAKING_STYLE: PersonaField
PERSONA_FIELD_TABOOS: PersonaField
PERSONA_FIELD_EXAMPLE_LINES: PersonaField
TURN_CUE_UNSPECIFIED: TurnCue
TURN_CUE_SAID: TurnCue
TURN_CUE_EVENT: TurnCue
TURN_CUE_NONE: TurnCue
ERROR_CODE_UNSPECIFIED: ErrorCode
ERROR_CODE_INVALID_ARGUMENT: ErrorCode
ERROR_CODE_NOT_FOUND: ErrorCode
ERROR_CODE_RESOURCE_EXHAUSTED: ErrorCode
ERROR_CODE_FAILED_PRECONDITION: ErrorCode
ERROR_CODE_DEADLINE_EXCEEDED: ErrorCode
ERROR_CODE_INTERNAL: ErrorCode
ERROR_CODE_ALREADY_EXISTS: ErrorCode

class Persona(_message.Message):
    __slots__ = ("name", "description", "goals", "speaking_style", "taboos", "example_lines")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    GOALS_FIELD_NUMBER: _ClassVar[int]
    SPEAKING_STYLE_FIELD_NUMBER: _ClassVar[int]
    TABOOS_FIELD_NUMBER: _ClassVar[int]
    EXAMPLE_LINES_FIELD_NUMBER: _ClassVar[int]
    name: str
    description: str
    goals: _containers.RepeatedScalarFieldContainer[str]
    speaking_style: str
    taboos: _containers.RepeatedScalarFieldContainer[str]
    example_lines: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., description: _Optional[str] = ..., goals: _Optional[_Iterable[str]] = ..., speaking_style: _Optional[str] = ..., taboos: _Optional[_Iterable[str]] = ..., example_lines: _Optional[_Iterable[str]] = ...) -> None: ...

class Lore(_message.Message):
    __slots__ = ("lore_id", "text")
    LORE_ID_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    lore_id: str
    text: str
    def __init__(self, lore_id: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...

class TranscriptEntry(_message.Message):
    __slots__ = ("kind", "speaker", "text", "cut", "turn_id")
    KIND_FIELD_NUMBER: _ClassVar[int]
    SPEAKER_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    CUT_FIELD_NUMBER: _ClassVar[int]
    TURN_ID_FIELD_NUMBER: _ClassVar[int]
    kind: EntryKind
    speaker: str
    text: str
    cut: bool
    turn_id: str
    def __init__(self, kind: _Optional[_Union[EntryKind, str]] = ..., speaker: _Optional[str] = ..., text: _Optional[str] = ..., cut: _Optional[bool] = ..., turn_id: _Optional[str] = ...) -> None: ...

class ActionParameter(_message.Message):
    __slots__ = ("name", "description", "type", "options", "minimum", "maximum", "optional")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    MINIMUM_FIELD_NUMBER: _ClassVar[int]
    MAXIMUM_FIELD_NUMBER: _ClassVar[int]
    OPTIONAL_FIELD_NUMBER: _ClassVar[int]
    name: str
    description: str
    type: ParameterType
    options: _containers.RepeatedScalarFieldContainer[str]
    minimum: float
    maximum: float
    optional: bool
    def __init__(self, name: _Optional[str] = ..., description: _Optional[str] = ..., type: _Optional[_Union[ParameterType, str]] = ..., options: _Optional[_Iterable[str]] = ..., minimum: _Optional[float] = ..., maximum: _Optional[float] = ..., optional: _Optional[bool] = ...) -> None: ...

class ActionSpec(_message.Message):
    __slots__ = ("name", "description", "parameters", "json_schema", "condition")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    JSON_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    CONDITION_FIELD_NUMBER: _ClassVar[int]
    name: str
    description: str
    parameters: _containers.RepeatedCompositeFieldContainer[ActionParameter]
    json_schema: str
    condition: str
    def __init__(self, name: _Optional[str] = ..., description: _Optional[str] = ..., parameters: _Optional[_Iterable[_Union[ActionParameter, _Mapping]]] = ..., json_schema: _Optional[str] = ..., condition: _Optional[str] = ...) -> None: ...

class ActionsNow(_message.Message):
    __slots__ = ("names", "placement", "required", "most", "timeout_ms", "silent")
    NAMES_FIELD_NUMBER: _ClassVar[int]
    PLACEMENT_FIELD_NUMBER: _ClassVar[int]
    REQUIRED_FIELD_NUMBER: _ClassVar[int]
    MOST_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    SILENT_FIELD_NUMBER: _ClassVar[int]
    names: _containers.RepeatedScalarFieldContainer[str]
    placement: ActionPlacement
    required: bool
    most: int
    timeout_ms: int
    silent: bool
    def __init__(self, names: _Optional[_Iterable[str]] = ..., placement: _Optional[_Union[ActionPlacement, str]] = ..., required: _Optional[bool] = ..., most: _Optional[int] = ..., timeout_ms: _Optional[int] = ..., silent: _Optional[bool] = ...) -> None: ...

class ActionRequested(_message.Message):
    __slots__ = ("turn_id", "action_id", "name", "arguments_json", "offset")
    TURN_ID_FIELD_NUMBER: _ClassVar[int]
    ACTION_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_JSON_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    turn_id: str
    action_id: str
    name: str
    arguments_json: str
    offset: int
    def __init__(self, turn_id: _Optional[str] = ..., action_id: _Optional[str] = ..., name: _Optional[str] = ..., arguments_json: _Optional[str] = ..., offset: _Optional[int] = ...) -> None: ...

class ActionSettled(_message.Message):
    __slots__ = ("turn_id", "action_id", "accepted", "text")
    TURN_ID_FIELD_NUMBER: _ClassVar[int]
    ACTION_ID_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    turn_id: str
    action_id: str
    accepted: bool
    text: str
    def __init__(self, turn_id: _Optional[str] = ..., action_id: _Optional[str] = ..., accepted: _Optional[bool] = ..., text: _Optional[str] = ...) -> None: ...

class SpeechSettings(_message.Message):
    __slots__ = ("directions", "marks")
    DIRECTIONS_FIELD_NUMBER: _ClassVar[int]
    MARKS_FIELD_NUMBER: _ClassVar[int]
    directions: StageDirections
    marks: _containers.RepeatedScalarFieldContainer[DirectionMark]
    def __init__(self, directions: _Optional[_Union[StageDirections, str]] = ..., marks: _Optional[_Iterable[_Union[DirectionMark, str]]] = ...) -> None: ...

class PersonaContrast(_message.Message):
    __slots__ = ("fields", "strength")
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    STRENGTH_FIELD_NUMBER: _ClassVar[int]
    fields: _containers.RepeatedScalarFieldContainer[PersonaField]
    strength: float
    def __init__(self, fields: _Optional[_Iterable[_Union[PersonaField, str]]] = ..., strength: _Optional[float] = ...) -> None: ...

class SessionConfig(_message.Message):
    __slots__ = ("session_id", "persona", "lore_ids", "sampling", "priority", "history", "overflow_policy", "hesitation_entropy", "actions", "speech", "adapter", "contrast", "off_the_record")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    PERSONA_FIELD_NUMBER: _ClassVar[int]
    LORE_IDS_FIELD_NUMBER: _ClassVar[int]
    SAMPLING_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    OVERFLOW_POLICY_FIELD_NUMBER: _ClassVar[int]
    HESITATION_ENTROPY_FIELD_NUMBER: _ClassVar[int]
    ACTIONS_FIELD_NUMBER: _ClassVar[int]
    SPEECH_FIELD_NUMBER: _ClassVar[int]
    ADAPTER_FIELD_NUMBER: _ClassVar[int]
    CONTRAST_FIELD_NUMBER: _ClassVar[int]
    OFF_THE_RECORD_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    persona: Persona
    lore_ids: _containers.RepeatedScalarFieldContainer[str]
    sampling: _sampling_pb2.SamplingParams
    priority: int
    history: _containers.RepeatedCompositeFieldContainer[TranscriptEntry]
    overflow_policy: OverflowPolicy
    hesitation_entropy: float
    actions: _containers.RepeatedCompositeFieldContainer[ActionSpec]
    speech: SpeechSettings
    adapter: str
    contrast: PersonaContrast
    off_the_record: bool
    def __init__(self, session_id: _Optional[str] = ..., persona: _Optional[_Union[Persona, _Mapping]] = ..., lore_ids: _Optional[_Iterable[str]] = ..., sampling: _Optional[_Union[_sampling_pb2.SamplingParams, _Mapping]] = ..., priority: _Optional[int] = ..., history: _Optional[_Iterable[_Union[TranscriptEntry, _Mapping]]] = ..., overflow_policy: _Optional[_Union[OverflowPolicy, str]] = ..., hesitation_entropy: _Optional[float] = ..., actions: _Optional[_Iterable[_Union[ActionSpec, _Mapping]]] = ..., speech: _Optional[_Union[SpeechSettings, _Mapping]] = ..., adapter: _Optional[str] = ..., contrast: _Optional[_Union[PersonaContrast, _Mapping]] = ..., off_the_record: _Optional[bool] = ...) -> None: ...

class SavedGame(_message.Message):
    __slots__ = ("characters",)
    class CharactersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: SessionConfig
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[SessionConfig, _Mapping]] = ...) -> None: ...
    CHARACTERS_FIELD_NUMBER: _ClassVar[int]
    characters: _containers.MessageMap[str, SessionConfig]
    def __init__(self, characters: _Optional[_Mapping[str, SessionConfig]] = ...) -> None: ...

class Utterance(_message.Message):
    __slots__ = ("text", "speaker", "turn_id", "sampling", "deadline_ms", "grammar", "hesitation_entropy", "actions", "cue")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    SPEAKER_FIELD_NUMBER: _ClassVar[int]
    TURN_ID_FIELD_NUMBER: _ClassVar[int]
    SAMPLING_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_MS_FIELD_NUMBER: _ClassVar[int]
    GRAMMAR_FIELD_NUMBER: _ClassVar[int]
    HESITATION_ENTROPY_FIELD_NUMBER: _ClassVar[int]
    ACTIONS_FIELD_NUMBER: _ClassVar[int]
    CUE_FIELD_NUMBER: _ClassVar[int]
    text: str
    speaker: str
    turn_id: str
    sampling: _sampling_pb2.SamplingParams
    deadline_ms: int
    grammar: _sampling_pb2.Grammar
    hesitation_entropy: float
    actions: ActionsNow
    cue: TurnCue
    def __init__(self, text: _Optional[str] = ..., speaker: _Optional[str] = ..., turn_id: _Optional[str] = ..., sampling: _Optional[_Union[_sampling_pb2.SamplingParams, _Mapping]] = ..., deadline_ms: _Optional[int] = ..., grammar: _Optional[_Union[_sampling_pb2.Grammar, _Mapping]] = ..., hesitation_entropy: _Optional[float] = ..., actions: _Optional[_Union[ActionsNow, _Mapping]] = ..., cue: _Optional[_Union[TurnCue, str]] = ...) -> None: ...

class SessionOpened(_message.Message):
    __slots__ = ("session_id", "resumed", "system_tokens", "context_tokens")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    RESUMED_FIELD_NUMBER: _ClassVar[int]
    SYSTEM_TOKENS_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    resumed: bool
    system_tokens: int
    context_tokens: int
    def __init__(self, session_id: _Optional[str] = ..., resumed: _Optional[bool] = ..., system_tokens: _Optional[int] = ..., context_tokens: _Optional[int] = ...) -> None: ...

class TurnStarted(_message.Message):
    __slots__ = ("turn_id",)
    TURN_ID_FIELD_NUMBER: _ClassVar[int]
    turn_id: str
    def __init__(self, turn_id: _Optional[str] = ...) -> None: ...

class TextDelta(_message.Message):
    __slots__ = ("turn_id", "text", "tokens", "direction")
    TURN_ID_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    DIRECTION_FIELD_NUMBER: _ClassVar[int]
    turn_id: str
    text: str
    tokens: _containers.RepeatedCompositeFieldContainer[_sampling_pb2.Token]
    direction: bool
    def __init__(self, turn_id: _Optional[str] = ..., text: _Optional[str] = ..., tokens: _Optional[_Iterable[_Union[_sampling_pb2.Token, _Mapping]]] = ..., direction: _Optional[bool] = ...) -> None: ...

class DirectionGiven(_message.Message):
    __slots__ = ("turn_id", "speaker", "text", "mark", "offset", "length")
    TURN_ID_FIELD_NUMBER: _ClassVar[int]
    SPEAKER_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    MARK_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    LENGTH_FIELD_NUMBER: _ClassVar[int]
    turn_id: str
    speaker: str
    text: str
    mark: DirectionMark
    offset: int
    length: int
    def __init__(self, turn_id: _Optional[str] = ..., speaker: _Optional[str] = ..., text: _Optional[str] = ..., mark: _Optional[_Union[DirectionMark, str]] = ..., offset: _Optional[int] = ..., length: _Optional[int] = ...) -> None: ...

class SentenceCompleted(_message.Message):
    __slots__ = ("turn_id", "index", "text", "confidence", "speaker", "offset", "length")
    TURN_ID_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    SPEAKER_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    LENGTH_FIELD_NUMBER: _ClassVar[int]
    turn_id: str
    index: int
    text: str
    confidence: Confidence
    speaker: str
    offset: int
    length: int
    def __init__(self, turn_id: _Optional[str] = ..., index: _Optional[int] = ..., text: _Optional[str] = ..., confidence: _Optional[_Union[Confidence, _Mapping]] = ..., speaker: _Optional[str] = ..., offset: _Optional[int] = ..., length: _Optional[int] = ...) -> None: ...

class EntropyPeak(_message.Message):
    __slots__ = ("start", "length", "entropy")
    START_FIELD_NUMBER: _ClassVar[int]
    LENGTH_FIELD_NUMBER: _ClassVar[int]
    ENTROPY_FIELD_NUMBER: _ClassVar[int]
    start: int
    length: int
    entropy: float
    def __init__(self, start: _Optional[int] = ..., length: _Optional[int] = ..., entropy: _Optional[float] = ...) -> None: ...

class Confidence(_message.Message):
    __slots__ = ("mean_logprob", "peaks", "hesitated")
    MEAN_LOGPROB_FIELD_NUMBER: _ClassVar[int]
    PEAKS_FIELD_NUMBER: _ClassVar[int]
    HESITATED_FIELD_NUMBER: _ClassVar[int]
    mean_logprob: float
    peaks: _containers.RepeatedCompositeFieldContainer[EntropyPeak]
    hesitated: bool
    def __init__(self, mean_logprob: _Optional[float] = ..., peaks: _Optional[_Iterable[_Union[EntropyPeak, _Mapping]]] = ..., hesitated: _Optional[bool] = ...) -> None: ...

class TurnFinished(_message.Message):
    __slots__ = ("turn_id", "text", "finish_reason", "usage", "retries")
    TURN_ID_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    FINISH_REASON_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    RETRIES_FIELD_NUMBER: _ClassVar[int]
    turn_id: str
    text: str
    finish_reason: _sampling_pb2.FinishReason
    usage: _sampling_pb2.Usage
    retries: int
    def __init__(self, turn_id: _Optional[str] = ..., text: _Optional[str] = ..., finish_reason: _Optional[_Union[_sampling_pb2.FinishReason, str]] = ..., usage: _Optional[_Union[_sampling_pb2.Usage, _Mapping]] = ..., retries: _Optional[int] = ...) -> None: ...

class TurnInterrupted(_message.Message):
    __slots__ = ("turn_id", "text", "usage")
    TURN_ID_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    turn_id: str
    text: str
    usage: _sampling_pb2.Usage
    def __init__(self, turn_id: _Optional[str] = ..., text: _Optional[str] = ..., usage: _Optional[_Union[_sampling_pb2.Usage, _Mapping]] = ...) -> None: ...

class ContextTrimmed(_message.Message):
    __slots__ = ("turn_id", "dropped")
    TURN_ID_FIELD_NUMBER: _ClassVar[int]
    DROPPED_FIELD_NUMBER: _ClassVar[int]
    turn_id: str
    dropped: _containers.RepeatedCompositeFieldContainer[TranscriptEntry]
    def __init__(self, turn_id: _Optional[str] = ..., dropped: _Optional[_Iterable[_Union[TranscriptEntry, _Mapping]]] = ...) -> None: ...

class Notified(_message.Message):
    __slots__ = ("text",)
    TEXT_FIELD_NUMBER: _ClassVar[int]
    text: str
    def __init__(self, text: _Optional[str] = ...) -> None: ...

class Recorded(_message.Message):
    __slots__ = ("lines",)
    LINES_FIELD_NUMBER: _ClassVar[int]
    lines: _containers.RepeatedCompositeFieldContainer[TranscriptEntry]
    def __init__(self, lines: _Optional[_Iterable[_Union[TranscriptEntry, _Mapping]]] = ...) -> None: ...

class PriorityUpdated(_message.Message):
    __slots__ = ("priority",)
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    priority: int
    def __init__(self, priority: _Optional[int] = ...) -> None: ...

class Interrupted(_message.Message):
    __slots__ = ("turn_ids",)
    TURN_IDS_FIELD_NUMBER: _ClassVar[int]
    turn_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, turn_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class SessionError(_message.Message):
    __slots__ = ("code", "message", "turn_id")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    TURN_ID_FIELD_NUMBER: _ClassVar[int]
    code: ErrorCode
    message: str
    turn_id: str
    def __init__(self, code: _Optional[_Union[ErrorCode, str]] = ..., message: _Optional[str] = ..., turn_id: _Optional[str] = ...) -> None: ...

class SessionEvent(_message.Message):
    __slots__ = ("opened", "turn_started", "text_delta", "sentence_completed", "turn_finished", "turn_interrupted", "context_trimmed", "notified", "priority_updated", "error", "interrupted", "action_requested", "action_settled", "direction_given", "recorded")
    OPENED_FIELD_NUMBER: _ClassVar[int]
    TURN_STARTED_FIELD_NUMBER: _ClassVar[int]
    TEXT_DELTA_FIELD_NUMBER: _ClassVar[int]
    SENTENCE_COMPLETED_FIELD_NUMBER: _ClassVar[int]
    TURN_FINISHED_FIELD_NUMBER: _ClassVar[int]
    TURN_INTERRUPTED_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_TRIMMED_FIELD_NUMBER: _ClassVar[int]
    NOTIFIED_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_UPDATED_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    INTERRUPTED_FIELD_NUMBER: _ClassVar[int]
    ACTION_REQUESTED_FIELD_NUMBER: _ClassVar[int]
    ACTION_SETTLED_FIELD_NUMBER: _ClassVar[int]
    DIRECTION_GIVEN_FIELD_NUMBER: _ClassVar[int]
    RECORDED_FIELD_NUMBER: _ClassVar[int]
    opened: SessionOpened
    turn_started: TurnStarted
    text_delta: TextDelta
    sentence_completed: SentenceCompleted
    turn_finished: TurnFinished
    turn_interrupted: TurnInterrupted
    context_trimmed: ContextTrimmed
    notified: Notified
    priority_updated: PriorityUpdated
    error: SessionError
    interrupted: Interrupted
    action_requested: ActionRequested
    action_settled: ActionSettled
    direction_given: DirectionGiven
    recorded: Recorded
    def __init__(self, opened: _Optional[_Union[SessionOpened, _Mapping]] = ..., turn_started: _Optional[_Union[TurnStarted, _Mapping]] = ..., text_delta: _Optional[_Union[TextDelta, _Mapping]] = ..., sentence_completed: _Optional[_Union[SentenceCompleted, _Mapping]] = ..., turn_finished: _Optional[_Union[TurnFinished, _Mapping]] = ..., turn_interrupted: _Optional[_Union[TurnInterrupted, _Mapping]] = ..., context_trimmed: _Optional[_Union[ContextTrimmed, _Mapping]] = ..., notified: _Optional[_Union[Notified, _Mapping]] = ..., priority_updated: _Optional[_Union[PriorityUpdated, _Mapping]] = ..., error: _Optional[_Union[SessionError, _Mapping]] = ..., interrupted: _Optional[_Union[Interrupted, _Mapping]] = ..., action_requested: _Optional[_Union[ActionRequested, _Mapping]] = ..., action_settled: _Optional[_Union[ActionSettled, _Mapping]] = ..., direction_given: _Optional[_Union[DirectionGiven, _Mapping]] = ..., recorded: _Optional[_Union[Recorded, _Mapping]] = ...) -> None: ...
