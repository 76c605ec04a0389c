"""Sampling settings of a session or a turn: what is not set comes from the level above."""

from collections.abc import Mapping
from dataclasses import replace

from pydantic import Field

from townsfolk.dialogue.errors import InvalidFieldError
from townsfolk.dialogue.outside import Outside
from townsfolk.sampling.params import InvalidSamplingError, SamplingParams


class SamplingOverrides(Outside):
    """The fields of `SamplingParams`; None and empty collections are not set."""

    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logit_bias: Mapping[int, float] = Field(default_factory=dict)
    stop: tuple[str, ...] = ()
    stop_token_ids: tuple[int, ...] = ()
    max_new_tokens: int | None = None
    min_new_tokens: int | None = None
    seed: int | None = None
    logprobs: int | None = None
    stop_repetition: bool | None = None
    retry_repetition: bool | None = None
    dry_multiplier: float | None = None
    dry_base: float | None = None
    dry_allowed_length: int | None = None
    dry_breakers: tuple[str, ...] = ()
    no_repeat_tokens: int | None = None
    repeat_window: int | None = None

    def over(self, base: SamplingParams) -> SamplingParams:
        """`base` with what is set here.

        Raises:
            InvalidFieldError: A value is out of its range.
        """
        given = {name: value for name, value in self if value not in (None, (), {})}
        try:
            return replace(base, **given)
        except InvalidSamplingError as error:
            raise InvalidFieldError(f"sampling.{error}") from None
