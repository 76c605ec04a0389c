from townsfolk.v1 import dialogue_pb2 as _dialogue_pb2
from townsfolk.v1 import sampling_pb2 as _sampling_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EpisodeConfig(_message.Message):
    __slots__ = ("episode_id", "task", "group", "session", "speech_tokens")
    EPISODE_ID_FIELD_NUMBER: _ClassVar[int]
    TASK_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    SPEECH_TOKENS_FIELD_NUMBER: _ClassVar[int]
    episode_id: str
    task: str
    group: str
    session: _dialogue_pb2.SessionConfig
    speech_tokens: int
    def __init__(self, episode_id: _Optional[str] = ..., task: _Optional[str] = ..., group: _Optional[str] = ..., session: _Optional[_Union[_dialogue_pb2.SessionConfig, _Mapping]] = ..., speech_tokens: _Optional[int] = ...) -> None: ...

class Observation(_message.Message):
    __slots__ = ("text", "speaker", "actions")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    SPEAKER_FIELD_NUMBER: _ClassVar[int]
    ACTIONS_FIELD_NUMBER: _ClassVar[int]
    text: str
    speaker: str
    actions: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, text: _Optional[str] = ..., speaker: _Optional[str] = ..., actions: _Optional[_Iterable[str]] = ...) -> None: ...

class DrawnToken(_message.Message):
    __slots__ = ("token_id", "logprob")
    TOKEN_ID_FIELD_NUMBER: _ClassVar[int]
    LOGPROB_FIELD_NUMBER: _ClassVar[int]
    token_id: int
    logprob: float
    def __init__(self, token_id: _Optional[int] = ..., logprob: _Optional[float] = ...) -> None: ...

class DrawnText(_message.Message):
    __slots__ = ("prompt_ids", "tokens", "grammar", "temperature")
    PROMPT_IDS_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    GRAMMAR_FIELD_NUMBER: _ClassVar[int]
    TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    prompt_ids: _containers.RepeatedScalarFieldContainer[int]
    tokens: _containers.RepeatedCompositeFieldContainer[DrawnToken]
    grammar: _sampling_pb2.Grammar
    temperature: float
    def __init__(self, prompt_ids: _Optional[_Iterable[int]] = ..., tokens: _Optional[_Iterable[_Union[DrawnToken, _Mapping]]] = ..., grammar: _Optional[_Union[_sampling_pb2.Grammar, _Mapping]] = ..., temperature: _Optional[float] = ...) -> None: ...

class EpisodeAct(_message.Message):
    __slots__ = ("number", "action", "arguments_json", "speech", "drawn", "observation", "reward")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_JSON_FIELD_NUMBER: _ClassVar[int]
    SPEECH_FIELD_NUMBER: _ClassVar[int]
    DRAWN_FIELD_NUMBER: _ClassVar[int]
    OBSERVATION_FIELD_NUMBER: _ClassVar[int]
    REWARD_FIELD_NUMBER: _ClassVar[int]
    number: int
    action: str
    arguments_json: str
    speech: str
    drawn: _containers.RepeatedCompositeFieldContainer[DrawnText]
    observation: Observation
    reward: float
    def __init__(self, number: _Optional[int] = ..., action: _Optional[str] = ..., arguments_json: _Optional[str] = ..., speech: _Optional[str] = ..., drawn: _Optional[_Iterable[_Union[DrawnText, _Mapping]]] = ..., observation: _Optional[_Union[Observation, _Mapping]] = ..., reward: _Optional[float] = ...) -> None: ...

class Trajectory(_message.Message):
    __slots__ = ("episode_id", "task", "group", "adapter", "acts", "reward", "truncated")
    EPISODE_ID_FIELD_NUMBER: _ClassVar[int]
    TASK_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    ADAPTER_FIELD_NUMBER: _ClassVar[int]
    ACTS_FIELD_NUMBER: _ClassVar[int]
    REWARD_FIELD_NUMBER: _ClassVar[int]
    TRUNCATED_FIELD_NUMBER: _ClassVar[int]
    episode_id: str
    task: str
    group: str
    adapter: str
    acts: _containers.RepeatedCompositeFieldContainer[EpisodeAct]
    reward: float
    truncated: bool
    def __init__(self, episode_id: _Optional[str] = ..., task: _Optional[str] = ..., group: _Optional[str] = ..., adapter: _Optional[str] = ..., acts: _Optional[_Iterable[_Union[EpisodeAct, _Mapping]]] = ..., reward: _Optional[float] = ..., truncated: _Optional[bool] = ...) -> None: ...

class OpenEpisodeRequest(_message.Message):
    __slots__ = ("config",)
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    config: EpisodeConfig
    def __init__(self, config: _Optional[_Union[EpisodeConfig, _Mapping]] = ...) -> None: ...

class OpenEpisodeResponse(_message.Message):
    __slots__ = ("episode_id",)
    EPISODE_ID_FIELD_NUMBER: _ClassVar[int]
    episode_id: str
    def __init__(self, episode_id: _Optional[str] = ...) -> None: ...

class ActRequest(_message.Message):
    __slots__ = ("episode_id", "observation")
    EPISODE_ID_FIELD_NUMBER: _ClassVar[int]
    OBSERVATION_FIELD_NUMBER: _ClassVar[int]
    episode_id: str
    observation: Observation
    def __init__(self, episode_id: _Optional[str] = ..., observation: _Optional[_Union[Observation, _Mapping]] = ...) -> None: ...

class ActResponse(_message.Message):
    __slots__ = ("act",)
    ACT_FIELD_NUMBER: _ClassVar[int]
    act: EpisodeAct
    def __init__(self, act: _Optional[_Union[EpisodeAct, _Mapping]] = ...) -> None: ...

class RewardEpisodeRequest(_message.Message):
    __slots__ = ("episode_id", "value")
    EPISODE_ID_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    episode_id: str
    value: float
    def __init__(self, episode_id: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...

class RewardEpisodeResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class EndEpisodeRequest(_message.Message):
    __slots__ = ("episode_id", "truncated", "drop")
    EPISODE_ID_FIELD_NUMBER: _ClassVar[int]
    TRUNCATED_FIELD_NUMBER: _ClassVar[int]
    DROP_FIELD_NUMBER: _ClassVar[int]
    episode_id: str
    truncated: bool
    drop: bool
    def __init__(self, episode_id: _Optional[str] = ..., truncated: _Optional[bool] = ..., drop: _Optional[bool] = ...) -> None: ...

class EndEpisodeResponse(_message.Message):
    __slots__ = ("reward",)
    REWARD_FIELD_NUMBER: _ClassVar[int]
    reward: float
    def __init__(self, reward: _Optional[float] = ...) -> None: ...

class TakeEpisodesRequest(_message.Message):
    __slots__ = ("task", "most", "wait_ms")
    TASK_FIELD_NUMBER: _ClassVar[int]
    MOST_FIELD_NUMBER: _ClassVar[int]
    WAIT_MS_FIELD_NUMBER: _ClassVar[int]
    task: str
    most: int
    wait_ms: int
    def __init__(self, task: _Optional[str] = ..., most: _Optional[int] = ..., wait_ms: _Optional[int] = ...) -> None: ...

class TakeEpisodesResponse(_message.Message):
    __slots__ = ("episodes", "left")
    EPISODES_FIELD_NUMBER: _ClassVar[int]
    LEFT_FIELD_NUMBER: _ClassVar[int]
    episodes: _containers.RepeatedCompositeFieldContainer[Trajectory]
    left: int
    def __init__(self, episodes: _Optional[_Iterable[_Union[Trajectory, _Mapping]]] = ..., left: _Optional[int] = ...) -> None: ...
