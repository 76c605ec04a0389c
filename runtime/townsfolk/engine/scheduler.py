"""Which request computes how many tokens in the next step."""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain

from townsfolk.engine.pace import Pace
from townsfolk.engine.request import Request
from townsfolk.kv import BlockPool, OutOfBlocksError

# So many prompts are under way at once even if one alone could fill the steps: a short one that
# comes later need not wait for the end of a long one.
PROMPTS = 8


@dataclass(slots=True, eq=False)  # frozen would take three times as long to make
class StepItem:
    """One request's part in a step. Nobody changes it.

    Attributes:
        request: the request.
        epoch: the request's epoch when this was planned.
        start: position of the first token.
        count: tokens.
        samples: whether the last of them is the request's latest, so that a new one is drawn.
    """

    request: Request
    epoch: int
    start: int
    count: int
    samples: bool

    @property
    def is_void(self) -> bool:
        """Whether the request has left the batch since."""
        return self.epoch != self.request.epoch


@dataclass(slots=True)
class StepPlan:
    """What the next step does.

    Attributes:
        items: who computes what.
        vacated: rows whose requests have left the batch since the last step.
        admitted: requests that join it, in rows that may be among those.
    """

    items: list[StepItem] = field(default_factory=list)
    vacated: list[int] = field(default_factory=list)
    admitted: list[Request] = field(default_factory=list)


class Scheduler:
    """Owns the requests and decides each step as `{request: number of tokens}` under one budget.

    Requests that decode go first, one token each; what is left of the budget, or less if the pace
    says so, goes to prompts in chunks, to the shortest first, so that a question gets through
    beside a long prompt. More
    important requests come before others everywhere, and when blocks run out the least important
    one gives up its own: it waits, and later computes again what the cache no longer has. The most
    important request can always go on, so all of them end.
    """

    def __init__(
        self, pool: BlockPool, max_batch: int, step_token_budget: int, pace: Pace | None = None
    ) -> None:
        """Makes an empty scheduler.

        Args:
            pool: the blocks.
            max_batch: requests that run at once.
            step_token_budget: tokens of a step, at least `max_batch`.
            pace: how much of that prompts may have; as much as is left if not given.
        """
        if step_token_budget < max_batch:
            raise ValueError("the step's token budget must be at least the batch")
        self.running: list[Request] = []
        self.waiting: list[Request] = []  # the most important first
        self.num_preemptions = 0
        self.pace = pace or Pace()
        self._pool = pool
        self._max_batch = max_batch
        self._is_sorted = True  # whether `running` has the most important first
        self._budget = step_token_budget
        self._free_rows = list(reversed(range(max_batch)))
        self._vacated: list[int] = []
        # The request that last found no room; the blocks available and the requests running then.
        self._blocked: tuple[Request, int, int] | None = None

    def add(self, request: Request) -> None:
        """Lets a request wait for its turn."""
        insort(self.waiting, request, key=_rank)

    def remove(self, request: Request) -> None:
        """Lets go of a request that has ended, and of its blocks."""
        if request.row is None:
            self.waiting.remove(request)
        else:
            self._vacate(request)

    def set_priority(self, request: Request, priority: int) -> None:
        """Changes a request's rank from the next step on."""
        waits = request in self.waiting
        if waits:
            self.waiting.remove(request)
        request.priority = priority
        self._is_sorted = False
        if waits:
            self.add(request)

    def plan(self) -> StepPlan:
        """Decides the next step; it has no items when there is nothing to compute now."""
        plan = StepPlan()
        items: dict[Request, StepItem] = {}
        budget = self._budget
        speaking, prompts = self._split_running()
        for request in speaking:
            if self._make_room(request, 1, items):
                budget -= 1
                items[request] = self._item(request, 1)
        if items:
            most = self.pace.prompt_tokens(len(items), len(prompts) + len(self.waiting))
        else:
            wanted = sum(request.num_remaining for request in chain(prompts, self.waiting))
            most = self.pace.undisturbed_tokens(wanted)
        budget = budget if most is None else min(budget, most)
        for request in self._prompts(budget, plan, items, prompts):
            count = min(request.num_remaining, budget)
            if count > 0 and self._make_room(request, count, items):
                budget -= count
                items[request] = self._item(request, count)
        plan.items = list(items.values())
        if plan.items:
            plan.vacated, self._vacated = self._vacated, []
        return plan

    def advance(self, item: StepItem, token_id: int | None) -> None:
        """Notes that a step has run: its tokens' KV is valid, and it may have drawn a token."""
        request = item.request
        end = item.start + item.count
        request.table.commit(request.token_ids[item.start : end])
        if end == request.prompt_length:
            request.table.publish()  # others with the same prompt can use it from now on
        if token_id is not None:
            request.num_pending -= 1
            request.token_ids.append(token_id)

    def check(self) -> None:
        """Checks that rows and blocks are held by the requests that run, and by nothing else.

        Raises:
            RuntimeError: it is not so.
        """
        self._pool.check()
        rows = [request.row for request in self.running] + self._free_rows
        if len(set(rows)) != len(rows) or len(rows) != self._max_batch:
            raise RuntimeError(f"rows are lost or given twice: {rows}")
        held = {block_id for request in self.running for block_id in request.table.block_ids}
        if len(held) != self._pool.num_used:
            raise RuntimeError(f"{self._pool.num_used} KV blocks are used, but {len(held)} held")

    def _item(self, request: Request, count: int) -> StepItem:
        start = request.num_launched
        samples = start + count == len(request.token_ids) + request.num_pending
        request.num_launched += count
        request.num_pending += samples
        return StepItem(request, request.epoch, start, count, samples)

    def _make_room(self, request: Request, count: int, items: dict[Request, StepItem]) -> bool:
        """Gives a running request blocks for `count` more tokens; False if it was preempted."""
        while request.row is not None:
            try:
                request.table.grow(request.num_launched + count)
                return True
            except OutOfBlocksError:
                victim = max(self.running, key=_rank)
                self._preempt(victim, items)
        return False

    def _split_running(self) -> tuple[list[Request], list[Request]]:
        """Running requests that decode next, and those with more to compute, in order."""
        if not self._is_sorted:
            self.running.sort(key=_rank)
            self._is_sorted = True
        speaking: list[Request] = []
        prompts: list[Request] = []
        for request in self.running:
            remaining = request.num_remaining
            if remaining == 1:
                speaking.append(request)
            elif remaining > 1:
                prompts.append(request)
        return speaking, prompts

    def _prompts(
        self,
        budget: int,
        plan: StepPlan,
        items: dict[Request, StepItem],
        running: Sequence[Request],
    ) -> list[Request]:
        """Requests with prompts to compute, `running` and newcomers, in order."""
        prompts = [request for request in running if request.row is not None]  # not preempted
        wanted = sum(request.num_remaining for request in prompts)
        while budget > 0 and (len(prompts) < PROMPTS or wanted < budget):
            newcomer = self._admit(plan, items)
            if newcomer is None:
                break
            prompts.append(newcomer)
            wanted += newcomer.num_remaining
        prompts.sort(key=lambda request: (-request.priority, request.num_remaining, request.number))
        return prompts

    def _admit(self, plan: StepPlan, items: dict[Request, StepItem]) -> Request | None:
        """Lets the first waiting request join, if there is room or can be made."""
        request = self._next()
        if request is None:
            return None
        while not self._seat(request):
            lesser = [r for r in self.running if r.priority < request.priority]
            held = sum(len(r.table.block_ids) for r in lesser)
            if not lesser or held + self._pool.num_available < self._blocks_wanted(request):
                return None
            self._preempt(max(lesser, key=_rank), items)
        self.waiting.remove(request)
        self.running.append(request)
        self._is_sorted = False
        request.row = self._free_rows.pop()
        plan.admitted.append(request)
        return request

    def _next(self) -> Request | None:
        """The most important waiting request that need not wait for another's prompt.

        When many come at once whose prompts begin alike, as with shared lore, the first one
        computes that beginning and the others then find it in the cache.
        """
        if not self.waiting:
            return None
        if not self._free_rows:
            least = min(request.priority for request in self.running)
            if least >= self.waiting[0].priority:
                return None
        computing = [r for r in self.running if r.table.num_tokens < r.prompt_length]
        for request in self.waiting:
            if not any(self._will_help(other, request) for other in computing):
                return request
        return None

    def _will_help(self, running: Request, request: Request) -> bool:
        """Whether a running request is about to compute two blocks or more that another needs."""
        soon = running.table.num_tokens + 2 * self._pool.block_size
        return (
            running.priority >= request.priority
            and running.table.namespace == request.table.namespace
            and soon <= min(running.prompt_length, request.reusable_tokens)
            and running.token_ids[:soon] == request.token_ids[:soon]
        )

    def _seat(self, request: Request) -> bool:
        """Takes a place in the batch and blocks for all tokens so far, or nothing."""
        if not self._free_rows:
            return False
        available, running = self._pool.num_available, len(self.running)
        if self._blocked is not None:
            blocked, available_then, running_then = self._blocked
            if blocked is request and available <= available_then and running >= running_then:
                return False
        capacity = min(len(request.token_ids) + 1, request.max_tokens - 1)
        try:
            # A block to spare for everyone who runs: else the newcomer would be the next victim.
            cached = request.table.open(
                request.token_ids, capacity, request.reusable_tokens, spare=running
            )
        except OutOfBlocksError:
            self._blocked = (request, available, running)
            return False
        self._blocked = None
        request.num_launched = cached
        if request.waits:
            request.waits = False
            request.cached_tokens = cached
        return True

    def _blocks_wanted(self, request: Request) -> int:
        return -(-(len(request.token_ids) + 1) // self._pool.block_size)

    def _preempt(self, request: Request, items: dict[Request, StepItem]) -> None:
        items.pop(request, None)
        self._vacate(request)
        self.add(request)
        self.num_preemptions += 1

    def _vacate(self, request: Request) -> None:
        assert request.row is not None
        self.running.remove(request)
        self._free_rows.append(request.row)
        self._vacated.append(request.row)
        request.table.release()
        request.row = None
        request.num_launched = 0
        request.num_pending = 0
        request.epoch += 1


def _rank(request: Request) -> tuple[int, int]:
    """Sorts the most important request first; of equals, the one that came first."""
    return -request.priority, request.number
