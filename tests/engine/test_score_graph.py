"""What a graph of scores launches, on a CPU: Triton's interpreter runs the kernels."""

from types import SimpleNamespace

import pytest
import torch
import triton_interpreter  # noqa: F401  before a kernel runs
from townsfolk.engine import score_graph
from townsfolk.engine.cuda_graphs import GraphResources
from townsfolk.engine.mixed_step import StepResources
from townsfolk.engine.prompt_scores import score_chunks
from townsfolk.engine.score_graph import Scored, ScoreGraph, score_in_graphs
from townsfolk.kv import KvCache
from townsfolk.models import Decoder, ModelBatch
from townsfolk.models.batch import Chunk
from townsfolk_kernels.register import register
from townsfolk_kernels.registry import Implementations

CPU = torch.device("cpu")
BLOCK, SHARED = 4, 10  # two full blocks, and a begun one


@pytest.fixture(scope="module")
def decoder(directory):
    return Decoder.load(directory, torch.float32, CPU)


@pytest.fixture
def kv(decoder):
    """Pages with a prompt of `SHARED` tokens in blocks 1 to 3."""
    kv = KvCache.allocate(decoder.spec, 64, BLOCK, torch.float32, CPU)
    for pages in (*kv.k, *kv.v):
        pages.zero_()
    prompt = Chunk(range(5, 5 + SHARED), 0, (1, 2, 3))
    decoder.forward(ModelBatch.build([prompt], BLOCK), kv)
    return kv


@pytest.fixture
def graphs(decoder, kv, monkeypatch):
    """Graphs of 12 tokens and 3 texts whose replays launch what they would have captured."""
    monkeypatch.setattr(score_graph, "TOKENS", (4, 12))
    monkeypatch.setattr(score_graph, "SEQUENCES", 3)
    register()
    reference = Implementations.pick
    monkeypatch.setattr(Implementations, "pick", lambda self, _: reference(self, "cuda"))
    tables = SimpleNamespace(blocks=torch.zeros(1, 32, dtype=torch.int32))
    step = StepResources(decoder, kv, tables, None, None)
    made = {}

    def get(shape):
        if shape not in made:
            made[shape] = ScoreGraph(shape, GraphResources(step, None, None, None, None))
            made[shape]._graph = SimpleNamespace(replay=made[shape].compute)
        return made[shape]

    return SimpleNamespace(get=get, made=made)


def scored(lengths, begun):
    """Texts of so many tokens, each behind the prompt's last, in blocks from 8 on."""
    choose = torch.Generator().manual_seed(3)
    free, chunks, next_ids = 8, [], []
    for length in lengths:
        ids = torch.randint(5, 100, (length + 1,), generator=choose).tolist()
        own = range(free, free + -(-(SHARED % BLOCK + length) // BLOCK))
        free = own.stop
        chunks.append(Chunk(ids[:-1], SHARED, (1, 2, *own)))
        next_ids += ids[1:]
    return Scored(begun, chunks, next_ids)


def test_scores_are_those_of_an_eager_pass(decoder, kv, graphs, monkeypatch):
    asked = scored([1, 2, 1, 9, 2], begun=3)  # one pass of four tokens, one of twelve
    found = score_in_graphs(graphs, asked)
    assert len(graphs.made) == 2
    monkeypatch.undo()
    batch = ModelBatch.build(asked.chunks, BLOCK)
    expected = score_chunks(decoder, kv, 3, asked.chunks, batch, asked.next_ids)
    assert found == pytest.approx(expected, abs=1e-4)


def test_texts_of_which_one_is_too_long_go_through_no_graph(graphs):
    assert score_in_graphs(graphs, scored([2, 13], begun=3)) is None


def test_a_graph_that_is_missing_is_no_fault():
    asked = scored([2, 3], begun=3)
    assert score_in_graphs(SimpleNamespace(get=lambda shape: None), asked) is None


def test_parts_hold_what_fits_and_are_all_of_it(monkeypatch):
    monkeypatch.setattr(score_graph, "TOKENS", (12,))
    monkeypatch.setattr(score_graph, "SEQUENCES", 3)
    asked = scored([1, 2, 1, 9, 2, 13, 1, 12], begun=None)
    parts = [*asked.parts()]
    assert [[len(each.token_ids) for each in part.chunks] for part in parts] == [
        [1, 2, 1], [9, 2], [13], [1], [12],
    ]  # fmt: skip
    assert [chunk for part in parts for chunk in part.chunks] == asked.chunks
    assert [token for part in parts for token in part.next_ids] == asked.next_ids
