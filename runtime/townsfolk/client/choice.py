"""What a character, or a prompt, makes of authored texts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypedDict

from townsfolk.client.arguments import check_options, message
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


class ChoiceOptions(TypedDict, total=False):
    """How a text is chosen; each may be left out."""

    per_token: bool
    """Compare the mean log-probability of the tokens: for texts of unlike length."""
    draw: bool
    """Draw one by its probability instead of taking the likeliest."""
    temperature: float | None
    """Divides the scores before they become probabilities."""
    seed: int | None
    """Of the draw."""


def choose_request(texts: Iterable[str], how: ChoiceOptions, **fields: Any) -> pb.ChooseRequest:
    """Return the request for a choice; a seed asks for a draw.

    Raises:
        InvalidArgumentError: A field can't hold its value.
        TypeError: There is no such option.
    """
    check_options("a choice", how, ChoiceOptions)
    seed = how.get("seed")
    return message(
        pb.ChooseRequest,
        options=list(texts),
        score=pb.CHOICE_SCORE_PER_TOKEN if how.get("per_token") else pb.CHOICE_SCORE_TOTAL,
        draw=how.get("draw") or seed is not None,
        temperature=how.get("temperature"),
        seed=seed,
        **fields,
    )
