"""How a prompt is to be answered, besides how to sample: the options of `Engine.submit`."""

from __future__ import annotations

from typing import TypedDict

from townsfolk.engine.rules import ReplyRules
from townsfolk.grammar import CompiledGrammar


class RequestOptions(TypedDict, total=False):
    """What `submit` takes by name; each may be left out, and is 0, empty, False or None then."""

    priority: int
    """Larger goes first; -100 to 100."""
    deadline_s: float | None
    """Seconds from now after which the reply ends where it is."""
    namespace: str
    """Requests of different namespaces never share KV."""
    echo: bool
    """Report the prompt's tokens, with log-probabilities if the parameters ask for them."""
    rules: ReplyRules
    """What the reply is held to besides the parameters."""
    grammar: CompiledGrammar | None
    """From `compile`: what the reply must be."""
    scored_from: int | None
    """Draw nothing, but report the log-probabilities of the prompt's tokens from this one on, in
    `Completion.prompt_tokens`."""
    adapter: str
    """A loaded adapter, which answers; the model alone if not given. Requests with different
    adapters share no KV."""


def check_names(options: RequestOptions) -> None:
    """Raise TypeError for an option that there is not."""
    unknown = options.keys() - RequestOptions.__annotations__.keys()
    if unknown:
        raise TypeError(f"submit() has no option {', '.join(sorted(unknown))}")
