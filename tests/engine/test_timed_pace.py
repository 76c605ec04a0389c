"""Chunks of prompts by time, on devices that are made up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from townsfolk.engine.timed_pace import TimedPace


class Device:
    """Steps take so long for each kind of work, in seconds."""

    def __init__(self, base, decode, token, pair):
        self.base, self.decode, self.token, self.pair = base, decode, token, pair

    def seconds(self, decodes, start, count):
        pairs = count * (start + count // 2)
        return self.base + self.decode * decodes + self.token * count + self.pair * pairs


# As llama-160m on two cores, and a model ten times as large on the same.
SMALL = Device(0.012, 0.0005, 0.0006, 8e-7)
LARGE = Device(0.12, 0.004, 0.006, 3e-6)


def read(pace, device, length, decodes=0, start=0, waiting=1):
    """Reads a prompt from some position on; positions, chunks and times of its steps."""
    steps = []
    while start < length:
        allowance = pace.allow(128 - decodes, decodes, waiting, lambda: length)
        count = allowance.take(start, length - start)
        assert 0 < count <= 128 - decodes
        seconds = device.seconds(decodes, start, count)
        pace.note(decodes, count, seconds, count * (start + count // 2))
        steps.append((start, count, seconds))
        start += count
    return steps


@pytest.mark.parametrize("device", [SMALL, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("decodes", [0, 1, 8])
def test_a_chunk_takes_as_long_far_back_as_at_the_beginning(device, decodes):
    pace = TimedPace()
    read(pace, device, 4000, decodes)
    fixed = device.base + device.decode * decodes
    allowed = max(0.05, 3 * fixed) if decodes else max(0.25, 12 * fixed)
    for start, count, seconds in read(pace, device, 16_000, decodes):
        assert seconds < 1.3 * allowed or count == 16, (start, count, seconds)


def test_a_fast_device_reads_whole_chunks_at_the_beginning():
    pace = TimedPace()
    read(pace, SMALL, 1000)
    assert [count for _, count, _ in read(pace, SMALL, 512)] == [128] * 4


def test_no_more_is_lost_than_weights_read_a_few_times_more_often():
    pace, whole = TimedPace(), 0.0
    read(pace, LARGE, 2000)
    taken = sum(seconds for _, _, seconds in read(pace, LARGE, 8000))
    whole = sum(LARGE.seconds(0, start, 128) for start in range(0, 8000, 128))
    assert taken < 1.15 * whole


def test_where_more_wait_than_speak_prompts_have_more():
    few, many = TimedPace(), TimedPace()
    for pace, waiting in ((few, 1), (many, 40)):
        read(pace, LARGE, 4000, decodes=2, waiting=waiting)
    alone = read(few, LARGE, 4100, 2, 4000)[0][1]
    assert read(many, LARGE, 4100, 2, 4000, waiting=40)[0][1] > alone


def test_several_prompts_share_the_time():
    pace = TimedPace()
    read(pace, LARGE, 4000, decodes=1)
    allowance = pace.allow(128, 1, 2, lambda: 200)
    first, second = allowance.take(3000, 100), allowance.take(0, 100)
    alone = pace.allow(128, 1, 2, lambda: 200).take(3000, 100)
    assert first == alone
    assert second <= 64


@given(
    st.lists(
        st.tuples(
            st.integers(0, 64), st.integers(0, 128), st.integers(0, 10**7),
            st.floats(0, 100, allow_subnormal=False),
        ),
        max_size=40,
    ),
    st.integers(1, 128), st.integers(0, 64), st.integers(1, 100),
    st.lists(st.tuples(st.integers(0, 10**5), st.integers(1, 10**4)), min_size=1, max_size=9),
)  # fmt: skip
def test_whatever_was_measured_somebody_gets_something(noted, budget, decodes, prompts, wanted):
    pace = TimedPace()
    for count, tokens, pairs, seconds in noted:
        pace.note(count, tokens, seconds, pairs)
    allowance = pace.allow(budget, decodes, prompts, lambda: sum(count for _, count in wanted))
    assert allowance.tokens <= budget
    given = [allowance.take(start, count) for start, count in wanted]
    assert given[0] > 0
    assert all(0 <= got <= want for got, (_, want) in zip(given, wanted, strict=True))
    assert sum(given) <= budget
