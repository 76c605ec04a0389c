"""The inputs of mixed steps, as graphs take them."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from townsfolk.engine.step import StepItem
from townsfolk.engine.step_inputs import (
    DECODES,
    LARGE_TOKENS,
    PREFILLS,
    TOKENS,
    StepInputs,
    StepShape,
    graph_sizes,
)


def item(row, start, count, *, samples, pending=False, prompt=None):
    length = start + count
    token_ids = [100 * row + position for position in range(length - pending)]
    return StepItem(row, start, count, token_ids[start:], samples, length - (prompt or length))


STEPS = st.tuples(
    st.integers(0, DECODES[-1]),
    st.lists(st.tuples(st.integers(1, 60), st.booleans()), max_size=PREFILLS),
)


@given(STEPS, st.sampled_from([TOKENS[-1], *LARGE_TOKENS]))
def test_every_step_that_fits_finds_all_of_it_in_its_place(step, most):
    speaking, lengths = step
    tokens = sum(count for count, _ in lengths)
    shape = StepShape.fitting(speaking, len(lengths), tokens, most)
    places = next(each for each in DECODES if each >= speaking)
    if shape is None:
        assert places + tokens > TOKENS[-1]
        large = [each for each in LARGE_TOKENS if each <= most]
        assert all((places if speaking else 0) + tokens > each for each in large)
        return
    if not speaking and places + tokens > TOKENS[-1]:
        places = 0
    assert shape.decodes == places
    sizes = (*TOKENS, *LARGE_TOKENS)
    assert shape.tokens == min(each for each in sizes if each >= places + tokens) <= most
    assert (shape.decodes, shape.tokens) in graph_sizes(most)
    speakers = [item(row, 30 + row, 1, samples=True, prompt=20) for row in range(speaking)]
    prompts = [
        item(200 + row, 7 * row, count, samples=samples, pending=samples and count > 1)
        for row, (count, samples) in enumerate(lengths)
    ]
    inputs = StepInputs.pack(shape, speakers, prompts)
    for name, size in zip(
        ("token_ids", "positions", "owners", "lengths", "slots", "last", "draws", "indices"),
        StepInputs.sizes(shape),
        strict=False,
    ):
        assert getattr(inputs, name).shape == (size,)
    assert (np.diff(inputs.starts) >= 0).all()
    for place, each in enumerate(speakers):
        assert inputs.token_ids[place] == -1 - each.slot
        assert inputs.positions[place] == each.start == inputs.lengths[place] - 1
        assert inputs.slots[place] == inputs.owners[place] == inputs.draws[place] == place
        assert inputs.indices[place] == each.start + 1 - 20
    assert (inputs.owners[speaking : shape.decodes] == -1).all()
    assert not inputs.lengths[speaking : shape.decodes].any()
    end = shape.decodes
    for number, each in enumerate(prompts, shape.decodes):
        row = each.slot
        assert inputs.starts[number] == end
        end += each.count
        own = slice(end - each.count, end)
        expected = [100 * row + p for p in range(each.start, each.start + each.count)]
        if each.draws and each.count > 1:
            expected[-1] = -1 - row  # not known to the host yet
        assert inputs.token_ids[own].tolist() == expected
        assert inputs.positions[own].tolist() == list(range(each.start, each.start + each.count))
        assert (inputs.owners[own] == row).all()
        assert inputs.slots[number] == row
        assert inputs.lengths[number] == each.start + each.count
        assert inputs.last[number] == end - 1
        assert inputs.draws[number] == (row if each.draws else -1)
    assert (inputs.starts[shape.decodes + len(prompts) :] == end).all()
    assert (inputs.owners[end:] == -1).all()
    assert (inputs.draws[shape.decodes + len(prompts) :] == -1).all()


def test_what_fits_into_no_graph():
    assert StepShape.fitting(DECODES[-1] + 1, 0, 0) is None
    assert StepShape.fitting(1, PREFILLS + 1, 20) is None
    assert StepShape.fitting(1, 1, TOKENS[-1]) is None
    assert StepShape.fitting(1, 1, LARGE_TOKENS[-1], LARGE_TOKENS[-1]) is None
    assert StepShape.fitting(0, 1, LARGE_TOKENS[-1], LARGE_TOKENS[-1]) is not None
    assert StepShape.fitting(DECODES[-1], 0, 0).chunk == 0


def test_a_batch_finds_the_tokens_drawn_last_and_its_pages():
    tables = torch.tensor([[3, 8, 0], [5, 1, 2], [7, 4, 6]], dtype=torch.int32)
    drawn = torch.tensor([10, 11, 12])
    speaker = item(2, 17, 1, samples=True, prompt=9)
    prompt = item(1, 15, 3, samples=True, pending=True)
    shape = StepShape.exact([speaker], [prompt])
    inputs = StepInputs.pack(shape, [speaker], [prompt])
    batch = inputs.to_batch(tables, drawn, 16, torch.device("cpu"))
    assert batch.token_ids.tolist() == [12, 115, 116, 11]
    assert batch.positions.tolist() == [17, 15, 16, 17]
    assert batch.slots.tolist() == [4 * 16 + 1, 5 * 16 + 15, 1 * 16, 1 * 16 + 1]
    assert batch.layout.query_starts.tolist() == [0, 1, 4]
    assert batch.layout.kv_lengths.tolist() == [18, 18]
    assert batch.layout.block_tables.tolist() == [[7, 4], [5, 1]]
    assert {batch.token_ids.dtype, batch.positions.dtype, batch.slots.dtype} == {torch.int64}
    assert {batch.layout.kv_lengths.dtype, batch.layout.block_tables.dtype} == {torch.int32}
