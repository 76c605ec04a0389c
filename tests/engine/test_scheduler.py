"""The scheduler's decisions, without a model: tokens are made up when a step is taken back."""

import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from townsfolk.engine import waiting
from townsfolk.engine.pace import Pace
from townsfolk.engine.request import Request
from townsfolk.engine.scheduler import Scheduler
from townsfolk.engine.sequence import Sequence
from townsfolk.kv import BlockPool, BlockTable
from townsfolk.sampling import SamplingParams, TokenInfo

BLOCK = 4


def next_token(token_ids):
    """A token that depends on all before it, as a model's does."""
    return sum(token_ids) % 3


class World:
    """A scheduler with a pool, and what a loop and a runner would do with its plans."""

    def __init__(self, num_blocks=64, max_batch=4, budget=16, depth=1, pace=None, drafter=None):
        self.pool = BlockPool(num_blocks, BLOCK, lambda source, target: None)
        self.scheduler = Scheduler(self.pool, max_batch, budget, pace, drafter)
        self.tables = {}  # of slots, as a runner knows them
        self.known = {}  # tokens of slots, as a runner knows them
        self.max_batch, self.budget, self.depth = max_batch, budget, depth
        self.in_flight = []
        self.requests = []

    def request(self, prompt, new=4, priority=0, namespace=""):
        prompt = list(range(prompt)) if isinstance(prompt, int) else prompt
        request = Request(
            number=len(self.requests),
            prompt_ids=tuple(prompt),
            params=SamplingParams(max_new_tokens=new),
            seed=0,
            max_tokens=len(prompt) + new,
            priority=priority,
            namespace=namespace,
        )
        sequence = Sequence(request, BlockTable(self.pool, namespace))
        self.requests.append(sequence)
        self.scheduler.add(sequence)
        return sequence

    def plan(self):
        """The next step as {request number: tokens}, launched but not settled."""
        step = self.scheduler.plan()
        plan = step.plan
        assert pickle.loads(pickle.dumps(plan)) == plan  # it can be sent elsewhere
        assert sum(item.count for item in plan.items) <= self.budget
        assert len(plan.items) <= self.max_batch
        if plan.items:
            self.take_notice(plan)
        else:
            assert not plan.admitted
            assert not plan.grown
        for sequence, item in zip(step.sequences, plan.items, strict=True):
            assert item.count > 0
            assert item.slot == sequence.slot
            assert self.tables[item.slot] == sequence.table.block_ids
            assert len(self.tables[item.slot]) * BLOCK >= item.start + item.count
            known = sequence.token_ids[item.start : item.start + item.count]
            if item.drafts:
                known = [*known[:1], *item.token_ids[1:]]
            assert list(item.token_ids) in ([], known)
        if plan.items:
            self.in_flight.append(step)
        return {
            sequence.number: item.count
            for sequence, item in zip(step.sequences, plan.items, strict=True)
        }

    def take_notice(self, plan):
        """What a runner does first: it knows nothing but the plan."""
        for slot in plan.vacated:
            del self.tables[slot]
        for each in plan.admitted:
            assert each.sampling.slot not in self.tables
            self.tables[each.sampling.slot] = list(each.block_ids)
        for slot, first, blocks in plan.grown:
            assert len(self.tables[slot]) == first
            self.tables[slot] += blocks

    def settle(self):
        for sequence, item in self.in_flight.pop(0).live():
            assert sequence.table.num_tokens == item.start
            drawn = []
            if item.draws:
                drafts = list(item.token_ids[1:]) if item.drafts else []
                for draft in [*drafts, None]:
                    drawn.append(next_token([*sequence.token_ids, *drawn]))
                    if drawn[-1] != draft:
                        break
            self.scheduler.advance(sequence, item, [TokenInfo(token_id) for token_id in drawn])
            if len(sequence.token_ids) == sequence.max_tokens:
                self.scheduler.remove(sequence)
        self.scheduler.check()

    def step(self):
        """One turn of the loop; the plan, or None when there was nothing to do at all."""
        plan = self.plan()
        if self.in_flight and (len(self.in_flight) >= self.depth or not plan):
            self.settle()
            return plan
        return plan or None


def test_speech_goes_first_and_prompts_share_the_rest():
    world = World(budget=16)
    world.request(3, new=9)
    assert world.step() == {0: 3}
    world.request([9] * 40)
    world.request([8] * 40)
    assert world.step() == {0: 1, 1: 15}
    assert world.step() == {0: 1, 1: 15}
    assert world.step() == {0: 1, 1: 10, 2: 5}


def test_while_someone_speaks_a_prompt_has_what_the_pace_allows():
    world = World(budget=16, pace=Pace([(2, 8)]))
    world.request(3, new=3)
    assert world.step() == {0: 3}
    world.request([9] * 32, new=1)
    assert world.step() == {0: 1, 1: 6}
    assert world.step() == {0: 1, 1: 6}
    assert world.step() == {1: 16}


def test_a_short_prompt_gets_through_beside_a_long_one():
    world = World(budget=16)
    world.request([9] * 100)
    assert world.step() == {0: 16}
    world.request([8] * 6)
    assert world.step() == {1: 6, 0: 10}
    assert world.step() == {1: 1, 0: 15}


def test_prompts_that_begin_alike_wait_for_the_first_to_compute_that():
    world = World(budget=16)
    lore = [9] * 40
    for number in range(3):
        world.request([*lore, number, number, number], new=8)
    other = world.request([7] * 4, new=1)
    assert world.step() == {3: 4, 0: 12}
    assert len(other.token_ids) == other.max_tokens
    assert world.step() == {0: 16}
    assert world.step() == {0: 15}
    assert world.step() == {0: 1, 1: 3, 2: 3}
    assert [request.cached_tokens for request in world.requests[1:3]] == [40, 40]


def test_the_more_important_prompt_goes_first():
    world = World(budget=16)
    world.request([9] * 20)
    world.request([8] * 20, priority=1)
    assert world.step() == {1: 16}
    assert world.step() == {1: 4, 0: 12}


def test_no_more_run_than_there_are_rows():
    world = World(max_batch=2, budget=64)
    for number in range(3):
        world.request([number] * 5, new=2)
    assert world.step() == {0: 5, 1: 5}
    assert world.step() == {0: 1, 1: 1}
    assert world.step() == {2: 5}


def admissions(world):
    """The numbers of all requests, in the order in which they join the batch."""
    order = []
    while (plan := world.step()) is not None:
        order += sorted(set(plan) - set(order))
    return order


def test_namespaces_take_turns_and_each_keeps_its_order():
    world = World(max_batch=1)
    for number in range(6):
        world.request([number], new=2, namespace="one")
    world.step()  # the first one's turn has come already
    for number in range(6, 9):
        world.request([number], new=2, namespace="other")
    assert admissions(world) == [0, 6, 1, 7, 2, 8, 3, 4, 5]


def test_whoever_was_silent_has_no_turns_left_over():
    world = World(max_batch=1)
    for number in range(4):
        world.request([number], new=2, namespace="one")
    assert len(admissions(world)) == 4
    for number in range(4, 7):
        world.request([number], new=2, namespace="other")
        world.request([number + 10], new=2, namespace="one")
    assert admissions(world) == [4, 5, 6, 7, 8, 9]


def test_the_more_important_request_goes_first_in_any_namespace():
    world = World(max_batch=1)
    world.request([0], new=2, namespace="one")
    world.request([1], new=2, namespace="one")
    world.request([2], new=2, priority=1, namespace="one")
    world.request([3], new=2, namespace="other")
    assert admissions(world) == [2, 0, 3, 1]


def test_a_prompt_that_is_cached_is_not_computed_again():
    world = World(budget=64)
    world.request(30, new=1)
    assert world.step() == {0: 30}
    request = world.request(33, new=1)
    assert world.step() == {1: 3}
    assert request.cached_tokens == 30


def test_a_newcomer_waits_until_there_is_room_for_all_of_it():
    world = World(num_blocks=8, budget=64)
    world.request([9] * 16, new=8)  # five blocks and one to spare
    world.request([8] * 12, new=1)
    assert world.step() == {0: 16}
    for _ in range(7):
        assert world.step() == {0: 1}
    assert world.step() == {1: 12}


def test_exhaustion_takes_from_the_least_important():
    world = World(num_blocks=12, budget=64)
    first = world.request([9] * 8, new=16)
    last = world.request([8] * 8, new=16)
    more_important = world.request([7] * 3, new=16, priority=1)
    while world.scheduler.num_preemptions == 0:
        assert world.step()
    assert last.slot is None
    assert first.slot is not None
    assert more_important.slot is not None
    while world.step() is not None:
        pass
    assert all(len(request.token_ids) == request.max_tokens for request in world.requests)


def test_the_least_important_one_gives_way_itself():
    world = World(num_blocks=8, budget=64)
    first = world.request([9] * 11, new=20)
    last = world.request([8] * 10, new=20)
    while world.scheduler.num_preemptions == 0:
        world.step()
    assert last.slot is None
    assert first.slot is not None


def test_a_request_is_not_pushed_out_in_vain():
    world = World(num_blocks=8, budget=64)
    world.request([9] * 16, new=8, priority=5)
    world.request([8] * 4, new=8)
    assert world.step() == {0: 16, 1: 4}
    world.request([7] * 24, new=2, priority=1)  # needs more than the lesser one could give
    assert world.step() == {0: 1, 1: 1}
    assert world.scheduler.num_preemptions == 0


def test_a_budget_below_the_batch_is_refused():
    with pytest.raises(ValueError, match="at least the batch"):
        Scheduler(BlockPool(4, 4, lambda source, target: None), max_batch=4, step_token_budget=3)


REQUESTS = st.tuples(
    st.lists(st.integers(0, 1), min_size=1, max_size=40),  # prompts that often begin alike
    st.integers(1, 20),
    st.integers(-1, 1),
    st.integers(0, 10),  # steps until it comes
    st.none() | st.integers(0, 20),  # steps until it is cancelled
)


def drafter_of(count):
    """Guesses that many tokens, wrong ones among them; None for a scheduler without drafts."""

    def guess(token_ids):
        guessed = list(token_ids)
        for number in range(count):
            guessed.append(next_token(guessed) if len(guessed) % 5 else number)
        return guessed[len(token_ids) :]

    return guess if count else None


def test_drafts_that_are_right_are_kept_and_what_follows_a_wrong_one_is_not():
    world = World(budget=64, drafter=lambda token_ids: [next_token(token_ids), 7, 7])
    sequence = world.request([1, 1], new=9)
    world.step()
    lengths = []
    while world.step() is not None:
        lengths.append(len(sequence.token_ids))
    assert lengths == [5, 7, 9, 11]  # the draft and what is drawn after it, in each step
    expected = [1, 1]
    while len(expected) < 11:
        expected.append(next_token(expected))
    assert sequence.token_ids == expected


def test_who_waits_for_anothers_prompt_is_not_compared_again_and_again(monkeypatch):
    world = World(num_blocks=600, max_batch=64, budget=64)
    lore = [9] * 1000
    looked = []
    alike = waiting._alike
    monkeypatch.setattr(waiting, "_alike", lambda *args: looked.append(1) or alike(*args))
    for number in range(50):
        world.request([*lore, number], new=1)
    steps = 0
    while world.step() is not None:
        steps += 1
    assert steps > 15
    assert len(looked) < 2 * 50
    assert [each.cached_tokens for each in world.requests[1:]] == [1000] * 49


def test_one_step_looks_at_few_of_those_who_wait(monkeypatch):
    world = World(num_blocks=600, max_batch=64, budget=64)
    looked = []
    alike = waiting._alike
    monkeypatch.setattr(waiting, "_alike", lambda *args: looked.append(1) or alike(*args))
    for number in range(500):
        world.request([9] * 1000 + [number], new=1)
    world.step()
    assert len(looked) <= 40


@settings(deadline=None)
@given(
    wanted=st.lists(REQUESTS, min_size=1, max_size=12),
    num_blocks=st.integers(15, 40),
    max_batch=st.integers(1, 6),
    extra=st.integers(0, 20),
    depth=st.integers(1, 2),
    drafts=st.integers(0, 4),
)
def test_everyone_finishes_with_the_right_tokens(
    wanted, num_blocks, max_batch, extra, depth, drafts
):
    world = World(num_blocks, max_batch, max_batch + extra, depth, None, drafter_of(drafts))
    coming = sorted(wanted, key=lambda each: each[3])
    cancelled = {}
    for step in range(10_000):
        while coming and coming[0][3] <= step:
            prompt, new, priority, _, until = coming.pop(0)
            request = world.request(prompt, new, priority)
            if until is not None:
                cancelled[request] = step + until
        for request, when in cancelled.items():
            ended = len(request.token_ids) == request.max_tokens
            if when == step and not ended:
                world.scheduler.remove(request)
        if world.step() is None and not coming:
            break
    else:
        pytest.fail("they never finish")
    assert not world.scheduler.running
    assert not world.scheduler.waiting
    for request in world.requests:
        expected = list(request.token_ids[: request.prompt_length])
        while len(expected) < len(request.token_ids):
            expected.append(next_token(expected))
        assert request.token_ids == expected
        if request not in cancelled:
            assert len(request.token_ids) == request.max_tokens
    assert world.pool.num_used == 0
