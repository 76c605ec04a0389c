"""The inputs of mixed steps, as graphs take them."""

from types import SimpleNamespace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from townsfolk.engine.scheduler import StepItem
from townsfolk.engine.step_shape import PROMPTS, SPEAKERS, TOKENS, StepInputs, StepShape


def item(row, start, count, *, samples, pending=False, prompt=None):
    length = start + count
    token_ids = [100 * row + position for position in range(length - pending)]
    request = SimpleNamespace(row=row, token_ids=token_ids, prompt_length=prompt or length)
    return StepItem(request, 0, start, count, samples)


STEPS = st.tuples(
    st.integers(0, SPEAKERS[-1]),
    st.lists(st.tuples(st.integers(1, 60), st.booleans()), max_size=PROMPTS),
)


@given(STEPS)
def test_every_step_that_fits_finds_all_of_it_in_its_place(step):
    speaking, lengths = step
    tokens = sum(count for count, _ in lengths)
    shape = StepShape.fitting(speaking, len(lengths), tokens)
    places = next(each for each in SPEAKERS if each >= speaking)
    if shape is None:
        assert places + tokens > TOKENS[-1]
        return
    assert shape.speakers == places
    assert shape.tokens == min(each for each in TOKENS if each >= places + tokens)
    speakers = [item(row, 30 + row, 1, samples=True, prompt=20) for row in range(speaking)]
    prompts = [
        item(200 + row, 7 * row, count, samples=samples, pending=samples and count > 1)
        for row, (count, samples) in enumerate(lengths)
    ]
    inputs = StepInputs(StepInputs.pack(shape, speakers, prompts), shape)
    for name, size in zip(
        ("token_ids", "positions", "owners", "lengths", "rows", "last", "draws", "indices"),
        StepInputs.sizes(shape),
        strict=False,
    ):
        assert getattr(inputs, name).shape == (size,)
    assert (np.diff(inputs.starts) >= 0).all()
    for place, each in enumerate(speakers):
        assert inputs.token_ids[place] == -1 - each.request.row
        assert inputs.positions[place] == each.start == inputs.lengths[place] - 1
        assert inputs.rows[place] == inputs.owners[place] == inputs.draws[place] == place
        assert inputs.indices[place] == each.start + 1 - 20
    assert (inputs.owners[speaking : shape.speakers] == -1).all()
    assert not inputs.lengths[speaking : shape.speakers].any()
    end = shape.speakers
    for number, each in enumerate(prompts, shape.speakers):
        row = each.request.row
        assert inputs.starts[number] == end
        end += each.count
        own = slice(end - each.count, end)
        expected = [100 * row + p for p in range(each.start, each.start + each.count)]
        if each.samples and each.count > 1:
            expected[-1] = -1 - row  # not known to the host yet
        assert inputs.token_ids[own].tolist() == expected
        assert inputs.positions[own].tolist() == list(range(each.start, each.start + each.count))
        assert (inputs.owners[own] == row).all()
        assert inputs.rows[number] == row
        assert inputs.lengths[number] == each.start + each.count
        assert inputs.last[number] == end - 1
        assert inputs.draws[number] == (row if each.samples else -1)
    assert (inputs.starts[shape.speakers + len(prompts) :] == end).all()
    assert (inputs.owners[end:] == -1).all()
    assert (inputs.draws[shape.speakers + len(prompts) :] == -1).all()


def test_what_fits_into_no_graph():
    assert StepShape.fitting(SPEAKERS[-1] + 1, 0, 0) is None
    assert StepShape.fitting(1, PROMPTS + 1, 20) is None
    assert StepShape.fitting(1, 1, TOKENS[-1]) is None
    assert StepShape.fitting(SPEAKERS[-1], 0, 0).chunk == 0
