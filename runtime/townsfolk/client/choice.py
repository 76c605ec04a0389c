"""What a character, or a prompt, makes of authored texts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from townsfolk.client.arguments import message
from townsfolk.v1 import townsfolk_pb2 as pb


class Choice:
    """A choice among texts.

    Attributes:
        index: the number of the chosen text.
        options: all texts, in the order in which they were given: `text`, `logprob`,
            `logprob_per_token`, `probability` and `tokens` of each.
        response: the message that says so.
    """

    def __init__(self, response: pb.ChooseResponse) -> None:
        """Take the runtime's answer."""
        self.response = response
        self.index = response.chosen
        self.options = tuple(response.options)

    @property
    def text(self) -> str:
        """The chosen text."""
        return self.options[self.index].text

    @property
    def probability(self) -> float:
        """Its probability among the options."""
        return self.options[self.index].probability

    def __repr__(self) -> str:
        return f"Choice({self.text!r}, probability={self.probability:.3f})"


def choose_request(
    options: Iterable[str],
    per_token: bool,
    draw: bool,
    temperature: float | None,
    seed: int | None,
    **fields: Any,
) -> pb.ChooseRequest:
    """Return the request for a choice; a seed asks for a draw.

    Raises:
        InvalidArgumentError: A field can't hold its value.
    """
    return message(
        pb.ChooseRequest,
        options=list(options),
        score=pb.CHOICE_SCORE_PER_TOKEN if per_token else pb.CHOICE_SCORE_TOTAL,
        draw=draw or seed is not None,
        temperature=temperature,
        seed=seed,
        **fields,
    )
