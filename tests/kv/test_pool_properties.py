"""The pool, the index and the tables together, under random use."""

import random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from townsfolk.kv import BlockPool, BlockTable, OutOfBlocksError

NAMESPACES = ("tavern", "forge")


class Memory:
    """Stands for the cache's tensors: a slot keeps all the tokens that its content depends on."""

    def __init__(self, num_blocks: int, block_size: int) -> None:
        self.slots = [[None] * block_size for _ in range(num_blocks)]
        self.pool = BlockPool(num_blocks, block_size, self.copy)

    def copy(self, source: int, target: int) -> None:
        self.slots[target] = list(self.slots[source])


class Sequence:
    """A request's use of its table: open, then write, commit and grow, then release."""

    def __init__(self, memory: Memory, namespace: str, tokens: list[int]) -> None:
        self.memory, self.namespace, self.tokens = memory, namespace, tokens
        self.table = BlockTable(memory.pool, namespace)

    def open(self) -> bool:
        before = self.memory.pool.num_available
        try:
            cached = self.table.open(
                self.tokens, capacity=len(self.tokens), reuse=len(self.tokens) - 1
            )
        except OutOfBlocksError:
            assert self.memory.pool.num_available == before
            return False
        assert cached < len(self.tokens)
        self.check_content()
        self.write(len(self.tokens))
        return True

    def write(self, until: int) -> None:
        size = self.memory.pool.block_size
        start = self.table.num_tokens
        for position in range(start, until):
            block_id = self.table.block_ids[position // size]
            assert self.memory.pool.holders(block_id) == 1, "a shared block is written"
            content = (self.namespace, tuple(self.tokens[: position + 1]))
            self.memory.slots[block_id][position % size] = content
        self.table.commit(self.tokens[start:until])

    def append(self, token: int) -> bool:
        held = list(self.table.block_ids)
        try:
            self.table.grow(len(self.tokens) + 1)
        except OutOfBlocksError:
            assert self.table.block_ids == held
            return False
        self.tokens.append(token)
        self.write(len(self.tokens))
        return True

    def check_content(self) -> None:
        size = self.memory.pool.block_size
        for position in range(self.table.num_tokens):
            slot = self.memory.slots[self.table.block_ids[position // size]][position % size]
            assert slot == (self.namespace, tuple(self.tokens[: position + 1]))


def check(memory: Memory, sequences: list[Sequence]) -> None:
    memory.pool.check()
    held: dict[int, set[str]] = {}
    for sequence in sequences:
        sequence.check_content()
        assert len(set(sequence.table.block_ids)) == len(sequence.table.block_ids)
        for block_id in sequence.table.block_ids:
            held.setdefault(block_id, set()).add(sequence.namespace)
    assert len(held) == memory.pool.num_used
    assert all(len(namespaces) == 1 for namespaces in held.values())
    for block_id in held:
        holders = sum(block_id in sequence.table.block_ids for sequence in sequences)
        assert memory.pool.holders(block_id) == holders


class PoolMachine(RuleBasedStateMachine):
    """Hypothesis chooses what the requests do."""

    @initialize(num_blocks=st.integers(1, 12), block_size=st.integers(1, 4))
    def start(self, num_blocks: int, block_size: int) -> None:
        self.memory = Memory(num_blocks, block_size)
        self.sequences: list[Sequence] = []

    @rule(
        namespace=st.sampled_from(NAMESPACES),
        tokens=st.lists(st.integers(0, 1), min_size=1, max_size=16),
    )
    def open(self, namespace: str, tokens: list[int]) -> None:
        sequence = Sequence(self.memory, namespace, tokens)
        if sequence.open():
            self.sequences.append(sequence)

    @rule(choice=st.integers(0, 99), token=st.integers(0, 1))
    def append(self, choice: int, token: int) -> None:
        if self.sequences:
            self.sequences[choice % len(self.sequences)].append(token)

    @rule(choice=st.integers(0, 99))
    def publish(self, choice: int) -> None:
        if self.sequences:
            self.sequences[choice % len(self.sequences)].table.publish()

    @rule(choice=st.integers(0, 99))
    def release(self, choice: int) -> None:
        if self.sequences:
            self.sequences.pop(choice % len(self.sequences)).table.release()

    @invariant()
    def holds(self) -> None:
        if hasattr(self, "memory"):
            check(self.memory, self.sequences)

    def teardown(self) -> None:
        if hasattr(self, "memory"):
            for sequence in self.sequences:
                sequence.table.release()
            assert self.memory.pool.num_available == self.memory.pool.num_blocks


TestPoolMachine = PoolMachine.TestCase
TestPoolMachine.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)


@pytest.mark.parametrize("seed", [1, 2])
def test_all_blocks_return_after_ten_thousand_random_operations(seed: int) -> None:
    choose = random.Random(seed)
    memory = Memory(num_blocks=64, block_size=4)
    sequences: list[Sequence] = []
    hits = 0
    for operation in range(10_000):
        kind = choose.random()
        if kind < 0.2:
            shared = [7] * choose.randrange(20)
            tail = [choose.randrange(3) for _ in range(choose.randrange(1, 20))]
            sequence = Sequence(memory, choose.choice(NAMESPACES), shared + tail)
            if sequence.open():
                sequences.append(sequence)
        elif kind < 0.25 and sequences:
            # The next turn of a dialogue: all of the last one is found, but for what no step wrote.
            done = sequences.pop(choose.randrange(len(sequences)))
            done.table.release()
            again = Sequence(memory, done.namespace, [*done.tokens, choose.randrange(3)])
            if again.open():
                sequences.append(again)
                hits += 1
        elif kind < 0.8 and sequences:
            choose.choice(sequences).append(choose.randrange(3))
        elif sequences:
            sequences.pop(choose.randrange(len(sequences))).table.release()
        if operation % 50 == 0:
            check(memory, sequences)
    assert hits > 100
    for sequence in sequences:
        sequence.table.release()
    memory.pool.check()
    assert memory.pool.num_used == 0
    assert memory.pool.num_available == 64
