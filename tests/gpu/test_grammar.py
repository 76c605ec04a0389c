"""Replies under grammars on a GPU: in graphs and without, beside others who are under none."""

import asyncio
import json
import logging

import pytest
import torch
from townsfolk.bench.checkpoint import write_checkpoint
from townsfolk.config import EngineSettings
from townsfolk.engine import Engine, eager_runner
from townsfolk.engine.outputs import FinishReason
from townsfolk.grammar import Grammar
from townsfolk.models import NAMED_SHAPES
from townsfolk.sampling import SamplingParams

SCHEMA = {
    "type": "object",
    "properties": {
        "mood": {"enum": ["calm", "angry"]},
        "line": {"type": "string", "maxLength": 40},
        "gold": {"type": "integer", "minimum": 0, "maximum": 500},
    },
    "required": ["mood", "line", "gold"],
}
PROMPT = "The innkeeper of the Salted Herring writes down what she sees: "
PARAMS = (
    SamplingParams(seed=1, max_new_tokens=90),
    SamplingParams(seed=2, max_new_tokens=90, temperature=1.5, top_k=0, top_p=1.0),
    SamplingParams(seed=3, max_new_tokens=90, top_k=200, repetition_penalty=1.2),
    SamplingParams(seed=4, max_new_tokens=90, temperature=0.0, logprobs=2),
    SamplingParams(seed=5, max_new_tokens=90, top_k=0, top_p=0.9),
)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    directory = tmp_path_factory.mktemp("llama")
    write_checkpoint(directory, NAMED_SHAPES["llama-tiny"], torch.float32, torch.device("cpu"))
    return directory


@pytest.fixture(autouse=True)
def _settings(caplog, monkeypatch):
    caplog.set_level(logging.INFO, "townsfolk")
    # The CPU's replies are what is expected: operation by operation, as to compile its steps takes
    # a minute where nobody did before; and every token drawn, as on a GPU.
    monkeypatch.setattr(eager_runner, "compile_steps", lambda *_: None)
    monkeypatch.setattr(eager_runner.EagerRunner, "least_forced", None)


async def replies(model, device, count, *, mixed=True, ready=None):
    """Texts of so many at once; when the graphs are made, with `ready`: what is logged."""
    settings = EngineSettings(
        device=device, dtype="float32", kv_memory_mib=256, max_batch=max(count, 8)
    )
    engine = Engine.from_pretrained(model, settings)
    if ready is not None:
        async with asyncio.timeout(90):
            while "graphs are ready" not in ready.text:
                await asyncio.sleep(0.05)
    grammar = Grammar.json_schema(SCHEMA)
    found = await asyncio.gather(
        *(
            engine.generate(
                PROMPT * (1 + n % 7),
                PARAMS[n % len(PARAMS)],
                grammar=None if mixed and n % 3 == 2 else grammar,
            )
            for n in range(count)
        )
    )
    await engine.check()
    await engine.aclose()
    return found


@pytest.mark.parametrize(("count", "ready"), [(1, True), (12, True), (40, True), (40, False)])
async def test_they_are_documents_and_others_are_not_concerned(model, caplog, count, ready):
    expected = await replies(model, "cpu", count)
    found = await replies(model, "cuda", count, ready=caplog if ready else None)
    for n, reply in enumerate(found):
        if n % 3 != 2:
            assert json.loads(reply.text).keys() == {"mood", "line", "gold"}
            assert reply.finish_reason in (FinishReason.END, FinishReason.LENGTH)
    equal = sum(a.token_ids == b.token_ids for a, b in zip(expected, found, strict=True))
    print(count, ready, "equal", equal)
    assert equal >= 0.9 * count  # the others part where two tokens are closer than rounding


async def test_more_than_a_graph_holds(model, caplog):
    found = await replies(model, "cuda", 200, mixed=False, ready=caplog)
    assert all(json.loads(reply.text)["mood"] in ("calm", "angry") for reply in found)
