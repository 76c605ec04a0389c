"""Which sequence computes how many tokens in the next step."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence as Items
from itertools import chain, islice

from townsfolk.engine.pace import Pace, Pacing
from townsfolk.engine.pacing import Demand, StepLimit
from townsfolk.engine.scheduled_step import ScheduledStep, StepDraft
from townsfolk.engine.sequence import Sequence
from townsfolk.engine.step import StepItem
from townsfolk.engine.waiting import Waiting, rank
from townsfolk.kv import BlockPool, OutOfBlocksError
from townsfolk.sampling import TokenInfo

# So many prompts are under way at once even if one alone could fill the steps: a short one that
# comes later need not wait for the end of a long one.
PROMPTS_AT_ONCE = 8

_COUNTED = 64  # sequences whose prompts are added up, at most

Drafter = Callable[[list[int]], list[int]]
"""Guesses which tokens come after some."""


class Scheduler:
    """Owns the sequences and decides each step as `{sequence: number of tokens}` under one budget.

    Sequences that decode go first, one token each; what is left of the budget, or less if the pace
    says so, goes to prompts in chunks, to the shortest first, so that a question gets through
    beside a long prompt. More important sequences come before others everywhere, and when blocks
    run out the least important one gives up its own: it waits, and later computes again what the
    cache no longer has. The most important sequence can always go on, so all of them end.
    """

    def __init__(
        self,
        pool: BlockPool,
        max_batch: int,
        step_token_budget: int,
        pace: Pacing | None = None,
        drafter: Drafter | None = None,
    ) -> None:
        """Make an empty scheduler.

        Args:
            pool: the blocks.
            max_batch: sequences that run at once.
            step_token_budget: tokens of a step, at least `max_batch`.
            pace: how much of that prompts may have; as much as is left if not given.
            drafter: guesses tokens, which are verified where the budget has room; none if not
                given.
        """
        if step_token_budget < max_batch:
            raise ValueError("the step's token budget must be at least the batch")
        self.running: list[Sequence] = []
        self.waiting = Waiting(pool.block_size)
        self.num_preemptions = 0
        self.pace = pace or Pace()
        self._pool = pool
        self._drafter = drafter
        self._max_batch = max_batch
        self._turns = 0  # that sequences had of steps in which not all had one
        self._is_sorted = True  # whether `running` has the most important first
        self._budget = step_token_budget
        self._free_slots = list(reversed(range(max_batch)))
        self._vacated: list[int] = []
        # The sequence that last found no room; the blocks available and how many ran then.
        self._blocked: tuple[Sequence, int, int] | None = None

    def add(self, sequence: Sequence) -> None:
        """Let a sequence wait for its turn."""
        self.waiting.add(sequence)

    def remove(self, sequence: Sequence) -> None:
        """Let go of a sequence that has ended, and of its blocks."""
        if sequence.slot is None:
            self.waiting.remove(sequence)
        else:
            self._vacate(sequence)

    def set_priority(self, sequence: Sequence, priority: int) -> None:
        """Change a sequence's rank from the next step on."""
        waits = sequence in self.waiting
        if waits:
            self.waiting.remove(sequence)
        for each in sequence.members:
            each.priority = priority
        self._is_sorted = False
        if waits:
            self.waiting.add(sequence)

    def demand(self) -> Demand:
        """Return what there is to compute."""
        decoding, prompts = self._split_running()
        wanted = islice(chain(prompts, self.waiting), _COUNTED)
        return Demand(len(decoding), sum(sequence.num_computable for sequence in wanted))

    def suspend(self) -> None:
        """Have all sequences wait; what was computed of them is computed again later."""
        draft = StepDraft()
        while self.running:
            self._preempt(self.running[-1], draft)

    def plan(self, limit: StepLimit | None = None) -> ScheduledStep:
        """Decide the next step; it has no items when there is nothing to compute now.

        Args:
            limit: what it may compute at most, and then its time is taken; anything if not given.
        """
        draft, size = StepDraft(), self._pool.block_size
        decoding, prompts = self._split_running()
        if limit is not None and limit.decodes < len(decoding):
            decoding = self._first_turns(decoding, limit.decodes)
        for sequence in decoding:
            has_room = sequence.num_launched < len(sequence.table.block_ids) * size
            if has_room or self._make_room(sequence, 1, draft):
                draft.compute(sequence, 1)
        budget = self._budget - len(draft.items)
        if limit is not None:
            budget = min(budget, limit.prompt_tokens)
        elif self._drafter is not None:
            budget -= self._add_drafts(draft, budget)
        if budget > 0 and (prompts or self.waiting):
            self._add_prompts(draft, budget, prompts)
        step = ScheduledStep(draft.plan(self._vacated), list(draft.items))
        if step.sequences:
            step.plan.timed = limit is not None
            self._vacated = []
            step.epochs = [each.epoch for each in step.sequences]
            step.is_masked, step.has_prompts = draft.is_masked, draft.has_prompts
        return step

    def advance(self, sequence: Sequence, item: StepItem, tokens: Items[TokenInfo]) -> None:
        """Note that a step has run: KV of its tokens is valid, and it may have drawn some.

        Args:
            sequence: whose part in the step it was.
            item: what it computed.
            tokens: what it has drawn: one token if the item draws, and one more for each draft
                that was kept.
        """
        end = item.start + item.count
        if tokens:
            sequence.num_pending -= 1
            sequence.token_ids.append(tokens[0].token_id)
            if sequence.partner is not None:
                sequence.partner.num_pending -= 1
                sequence.partner.token_ids.append(tokens[0].token_id)
            if item.drafts:
                sequence.token_ids += [token.token_id for token in tokens[1:]]
                # What follows the last draft that was kept is not of this text.
                end += len(tokens) - 1 - item.drafts
                sequence.num_launched = end
                sequence.num_drafted = 0
        sequence.table.commit(sequence.token_ids[item.start : end])
        if end == sequence.prompt_length:
            sequence.table.publish()  # others with the same prompt can use it from now on

    def skip_draw(self, sequence: Sequence) -> None:
        """Note that its latest step draws nothing after all; see `extend`."""
        for each in sequence.members:
            each.num_pending -= 1

    def extend(self, sequence: Sequence, token_id: int) -> None:
        """Have a sequence that draws nothing go on by a token."""
        for each in sequence.members:
            each.token_ids.append(token_id)
            each.is_extended = True

    def replace_last(self, sequence: Sequence, token_ids: Items[int]) -> None:
        """Have a sequence end with other tokens than the one drawn last; nothing comes of them."""
        sequence.token_ids[-1:] = token_ids

    def note_scored(self, sequence: Sequence, count: int) -> None:
        """Note that so many tokens of its prompt have their log-probabilities."""
        sequence.num_scored = count

    def check(self) -> None:
        """Check that slots and blocks are held by the sequences that run, and by nothing else.

        Raises:
            RuntimeError: it is not so.
        """
        self._pool.check()
        slots = [sequence.slot for sequence in self.running] + self._free_slots
        if len(set(slots)) != len(slots) or len(slots) != self._max_batch:
            raise RuntimeError(f"slots are lost or given twice: {slots}")
        held = {block_id for sequence in self.running for block_id in sequence.table.block_ids}
        if len(held) != self._pool.num_used:
            raise RuntimeError(f"{self._pool.num_used} KV blocks are used, but {len(held)} held")

    def _first_turns(self, decoding: list[Sequence], count: int) -> list[Sequence]:
        """Return the most important decodes; among equals those whose last turn is oldest."""
        decoding.sort(key=lambda each: (-each.priority, each.leader.last_turn, each.number))
        first = decoding[:count]
        last = first[-1:]
        if last and last[0].partner is not None and last[0].partner not in first:
            first.append(last[0].partner)  # else a pair would never have a turn of one
        for sequence in first:
            self._turns += 1
            sequence.leader.last_turn = self._turns
        return sorted(first, key=rank)

    def _add_prompts(self, draft: StepDraft, budget: int, prompts: list[Sequence]) -> None:
        """Have prompts computed, as much of them as the pace allows."""
        wanted = islice(chain(prompts, self.waiting), _COUNTED)
        allowance = self.pace.allow(
            budget,
            len(draft.items),
            len(prompts) + len(self.waiting),
            lambda: sum(sequence.num_computable for sequence in wanted),
        )
        for sequence in self._prompts(allowance.tokens, draft, prompts):
            count = allowance.take(sequence.num_launched, sequence.num_computable)
            if count > 0 and self._make_room(sequence, count, draft):
                draft.compute(sequence, count)

    def _add_drafts(self, draft: StepDraft, budget: int) -> int:
        """Have guesses verified for sequences that decode, as far as there is room for them."""
        assert self._drafter is not None
        added = 0
        for sequence in draft.items:
            most = min(budget - added, sequence.max_tokens - len(sequence.token_ids) - 1)
            # Beyond one, its latest token is not known yet.
            if most <= 0 or sequence.num_pending > 1 or sequence.is_masked:
                continue
            guesses = self._drafter(sequence.token_ids)[:most]
            end = sequence.num_launched + len(guesses)
            capacity = len(sequence.table.block_ids) * self._pool.block_size
            if not guesses or (end > capacity and not self._has_room(sequence, end, draft)):
                continue
            draft.verify(sequence, guesses)
            added += len(guesses)
        return added

    def _has_room(self, sequence: Sequence, capacity: int, draft: StepDraft) -> bool:
        """Return whether there are blocks for more tokens, which it then owns; preempt none."""
        known = len(sequence.table.block_ids)
        try:
            sequence.table.grow(capacity)
        except OutOfBlocksError:
            return False
        draft.note_growth(sequence, known)
        return True

    def _make_room(self, sequence: Sequence, count: int, draft: StepDraft) -> bool:
        """Give a running sequence blocks for `count` more tokens; False if it was preempted."""
        capacity = sequence.num_launched + count
        if capacity <= len(sequence.table.block_ids) * self._pool.block_size:
            return sequence.slot is not None
        while sequence.slot is not None:
            if self._has_room(sequence, capacity, draft):
                return True
            self._preempt(max(self.running, key=rank), draft)
        return False

    def _split_running(self) -> tuple[list[Sequence], list[Sequence]]:
        """Running sequences that decode next, and those with more to compute, in order."""
        if not self._is_sorted:
            self.running.sort(key=rank)
            self._is_sorted = True
        decoding: list[Sequence] = []
        prompts: list[Sequence] = []
        for sequence in self.running:
            # As `num_remaining`, without a call for each in each step.
            length = len(sequence.token_ids) + sequence.num_pending
            last = sequence.max_tokens - 1
            remaining = (length if length < last else last) - sequence.num_launched
            if remaining == 1:
                can = sequence.partner is None or sequence.num_computable
                if can and not sequence.num_drafted:
                    decoding.append(sequence)
            elif remaining > 1:
                prompts.append(sequence)
        return decoding, prompts

    def _prompts(self, budget: int, draft: StepDraft, running: list[Sequence]) -> list[Sequence]:
        """Yield sequences with prompts to compute, `running` and newcomers, in order."""
        prompts = [sequence for sequence in running if sequence.slot is not None]
        wanted = sum(sequence.num_computable for sequence in prompts)
        while budget > 0 and (len(prompts) < PROMPTS_AT_ONCE or wanted < budget):
            newcomer = self._admit(draft)
            if newcomer is None:
                break
            prompts += newcomer.members
            wanted += sum(each.num_computable for each in newcomer.members)
        prompts.sort(key=lambda each: (-each.priority, each.num_remaining, each.number))
        return prompts

    def _admit(self, draft: StepDraft) -> Sequence | None:
        """Let the first waiting sequence join, if there is room or can be made."""
        if not self.waiting:
            return None
        least = None if self._free_slots else min(each.priority for each in self.running)
        computing = [r for r in self.running if r.table.num_tokens < r.prompt_length]
        sequence = self.waiting.first(computing, least)
        if sequence is None:
            return None
        while not self._seat(sequence):
            lesser = [r for r in self.running if r.priority < sequence.priority]
            held = sum(len(r.table.block_ids) for r in lesser)
            if not lesser or held + self._pool.num_available < self._blocks_wanted(sequence):
                return None
            self._preempt(max(lesser, key=rank), draft)
        self.waiting.admit(sequence)
        self._is_sorted = False
        for each in sequence.members:
            self.running.append(each)
            each.slot = self._free_slots.pop()
            draft.admit(each)
        return sequence

    def _seat(self, sequence: Sequence) -> bool:
        """Take a place in the batch and blocks for all tokens so far, or nothing."""
        if len(self._free_slots) < len(sequence.members):
            return False
        available, running = self._pool.num_available, len(self.running)
        if self._blocked is not None:
            blocked, available_then, running_then = self._blocked
            if blocked is sequence and available <= available_then and running >= running_then:
                return False
        try:
            for each in sequence.members:
                self._open(each, running)
        except OutOfBlocksError:
            for each in sequence.members:
                each.table.release()
            self._blocked = (sequence, available, running)
            return False
        self._blocked = None
        for each in sequence.members:
            if each.waits:
                each.waits = False
                each.cached_tokens = each.num_launched
        return True

    def _open(self, sequence: Sequence, spare: int) -> None:
        """Take blocks for all tokens of a sequence so far.

        Args:
            sequence: has none.
            spare: blocks that must be left: else the newcomer would be the next victim.

        Raises:
            OutOfBlocksError: there are too few.
        """
        capacity = min(len(sequence.token_ids) + 1, sequence.max_tokens - 1)
        sequence.num_launched = sequence.table.open(
            sequence.token_ids, capacity, sequence.reusable_tokens, spare=spare
        )

    def _blocks_wanted(self, sequence: Sequence) -> int:
        size = self._pool.block_size
        return sum(-(-(len(each.token_ids) + 1) // size) for each in sequence.members)

    def _preempt(self, sequence: Sequence, draft: StepDraft) -> None:
        for each in sequence.members:
            draft.drop(each)
        self._vacate(sequence)
        self.waiting.add(sequence.leader)
        self.num_preemptions += 1

    def _vacate(self, sequence: Sequence) -> None:
        """Let go of the place and the blocks of a sequence, and of its partner's."""
        for each in sequence.members:
            assert each.slot is not None
            self.running.remove(each)
            self._free_slots.append(each.slot)
            self._vacated.append(each.slot)
            each.leave()
