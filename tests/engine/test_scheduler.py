"""The scheduler's decisions, without a model: tokens are made up when a step is taken back."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from townsfolk.engine.pace import Pace
from townsfolk.engine.request import Request
from townsfolk.engine.scheduler import Scheduler
from townsfolk.kv import BlockPool, BlockTable
from townsfolk.sampling import SamplingParams

BLOCK = 4


class World:
    """A scheduler with a pool, and what a loop and a runner would do with its plans."""

    def __init__(self, num_blocks=64, max_batch=4, budget=16, depth=1, pace=None):
        self.pool = BlockPool(num_blocks, BLOCK, lambda source, target: None)
        self.scheduler = Scheduler(self.pool, max_batch, budget, pace)
        self.max_batch, self.budget, self.depth = max_batch, budget, depth
        self.in_flight = []
        self.requests = []

    def request(self, prompt, new=4, priority=0):
        prompt = list(range(prompt)) if isinstance(prompt, int) else prompt
        request = Request(
            number=len(self.requests),
            params=SamplingParams(max_new_tokens=new),
            seed=0,
            prompt_length=len(prompt),
            token_ids=list(prompt),
            max_tokens=len(prompt) + new,
            table=BlockTable(self.pool, ""),
            reply=None,
            priority=priority,
            arrived=0.0,
            deadline=None,
            echo=False,
            event_loop=None,
        )
        self.requests.append(request)
        self.scheduler.add(request)
        return request

    def plan(self):
        """The next step as {request number: tokens}, launched but not settled."""
        plan = self.scheduler.plan()
        assert sum(item.count for item in plan.items) <= self.budget
        assert len(plan.items) <= self.max_batch
        for item in plan.items:
            assert item.count > 0
            assert len(item.request.table.block_ids) * BLOCK >= item.start + item.count
        if plan.items:
            self.in_flight.append(plan.items)
        return {item.request.number: item.count for item in plan.items}

    def settle(self):
        for item in self.in_flight.pop(0):
            if item.is_void:
                continue
            request = item.request
            assert request.table.num_tokens == item.start
            # A token that depends on all before it, as a model's does.
            token = sum(request.token_ids) % 3 if item.samples else None
            self.scheduler.advance(item, token)
            if len(request.token_ids) == request.max_tokens:
                self.scheduler.remove(request)
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
    assert last.row is None
    assert first.row is not None
    assert more_important.row is not None
    while world.step() is not None:
        pass
    assert all(len(request.token_ids) == request.max_tokens for request in world.requests)


def test_the_least_important_one_gives_way_itself():
    world = World(num_blocks=8, budget=64)
    first = world.request([9] * 11, new=20)
    last = world.request([8] * 10, new=20)
    while world.scheduler.num_preemptions == 0:
        world.step()
    assert last.row is None
    assert first.row is not None


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


@settings(deadline=None)
@given(
    wanted=st.lists(REQUESTS, min_size=1, max_size=12),
    num_blocks=st.integers(15, 40),
    max_batch=st.integers(1, 6),
    extra=st.integers(0, 20),
    depth=st.integers(1, 2),
)
def test_everyone_finishes_with_the_right_tokens(wanted, num_blocks, max_batch, extra, depth):
    world = World(num_blocks, max_batch, max_batch + extra, depth)
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
            expected.append(sum(expected) % 3)
        assert request.token_ids == expected
        if request not in cancelled:
            assert len(request.token_ids) == request.max_tokens
    assert world.pool.num_used == 0
