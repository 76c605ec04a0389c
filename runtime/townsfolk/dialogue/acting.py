"""The actions of one answer: what is asked of the game, and what it makes of it."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, replace

from townsfolk.dialogue.actions import ActionBook, ActionCall, ActionsNow, Outcome, Placement
from townsfolk.dialogue.events import ActionRequested, ActionSettled
from townsfolk.dialogue.turn import Turn
from townsfolk.sampling.params import SamplingParams

MAX_ACTION_TOKENS = 256
# What is said anew has the next seed, and acts of an episode are another such number apart.
_STRIDE = 0xD1B54A32D192ED03


@dataclass(frozen=True, slots=True)
class Acting:
    """What a turn may do.

    Attributes:
        book: The session's actions.
        names: Those that the turn may take.
        now: How.
        settle: Has the character learn what came of one; gives the line that says so.
    """

    book: ActionBook
    names: tuple[str, ...]
    now: ActionsNow
    settle: Callable[[ActionCall, Outcome], str]

    @property
    def begins(self) -> str:
        """What a reply shows when it begins to act."""
        return self.book.format.begins

    def goes_on(self, outcome: Outcome) -> bool:
        """Return whether the character speaks on behind an action."""
        return not self.now.silent and (
            self.now.placement is Placement.BETWEEN
            or not outcome.is_accepted
            or bool(outcome.text.strip())
        )


def action_params(params: SamplingParams, number: int = 0) -> SamplingParams:
    """Return how an action's JSON is drawn: as speech is, but for what concerns speech alone.

    It has random numbers of its own, which follow from the speech's seed: with the same ones, what
    is done would hang on how it was said.

    Args:
        params: Of the speech.
        number: Of the action in its turn.
    """
    return replace(
        params,
        seed=None if params.seed is None else (params.seed + (number + 1) * _STRIDE) % 2**64,
        stop=(),
        stop_token_ids=(),
        min_new_tokens=0,
        max_new_tokens=MAX_ACTION_TOKENS,
        logprobs=None,
        repetition_penalty=1.0,
        presence_penalty=0.0,
        frequency_penalty=0.0,
        dry_multiplier=0.0,
        no_repeat_tokens=0,
    )


async def ask(turn: Turn, acting: Acting, call: ActionCall) -> Outcome | None:
    """Tell the game of an action and wait for its answer; None where there is none in time."""
    loop = asyncio.get_running_loop()
    turn.actions_taken += 1
    action_id = f"{turn.id}/{turn.actions_taken}"
    answer: asyncio.Future[Outcome | None] = loop.create_future()
    turn.awaited = (action_id, answer)
    arguments = json.dumps(call.arguments, ensure_ascii=False)
    turn.send(ActionRequested(turn.id, action_id, call.name, arguments, len(turn.text)))
    left = acting.now.timeout_s
    if turn.deadline is not None:
        left = min(left, max(turn.deadline - loop.time(), 0))
    try:
        outcome = await asyncio.wait_for(answer, left)
    except TimeoutError:
        outcome = Outcome(False, "no answer came in time")
    finally:
        turn.awaited = None
    if outcome is not None:
        line = acting.settle(call, outcome)
        turn.send(ActionSettled(turn.id, action_id, outcome.is_accepted, line))
    return outcome
