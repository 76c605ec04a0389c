"""Sequences with something of their own: an adapter, a contrast, lines that must not come again.

They leave the graphs, beside others who stay in them. Each says on a GPU what it says on a CPU.
"""

import asyncio
import random

import pytest
import torch
from family_models import VOCABULARY, make_model, write_model
from peft_adapters import adapt, save
from townsfolk.config import EngineSettings
from townsfolk.engine import Engine
from townsfolk.engine.rules import NO_RULES, Contrast, ReplyRules
from townsfolk.models import Decoder, open_source
from townsfolk.sampling import SamplingParams

GREEDY = {"temperature": 0, "max_new_tokens": 40, "min_new_tokens": 40}
KINDS = {
    "plain": {},
    "contrast": {"strength": 1.5},
    "drawn in contrast": {"strength": 0.5, "temperature": 0.7, "seed": 3},
    "no repeats": {"no_repeat_tokens": 2},
    "DRY": {"dry_multiplier": 3.0, "dry_base": 2.5, "dry_allowed_length": 1},
    "guard": {"adapter": "guard"},
    "smith": {"adapter": "smith"},
    "smith in contrast": {"adapter": "smith", "strength": 1.0},
    "guard without repeats": {"adapter": "guard", "no_repeat_tokens": 3},
}


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    folder = tmp_path_factory.mktemp("town")
    changes = {"max_position_embeddings": 512, "head_dim": 16}
    write_model("llama", folder / "model", **changes)
    for seed, (name, options) in enumerate([("guard", {}), ("smith", {"r": 8})]):
        adapted = adapt(make_model("llama", **changes), "llama", seed, **options)
        save(adapted, folder / "adapters" / name)
    return folder


def start(town, device):
    return Engine(
        Decoder.load(town / "model", torch.float32, device),
        None,
        EngineSettings(kv_memory_mib=64, adapters=town / "adapters"),
        name="tiny",
        architecture=open_source(town / "model").architecture(),
    )


def submit(engine, number, kind):
    choose = random.Random(number)
    prompt, other = ([choose.randrange(3, VOCABULARY) for _ in range(n)] for n in (30, 20))
    fields = GREEDY | kind
    strength, adapter = fields.pop("strength", None), fields.pop("adapter", "")
    rules = NO_RULES
    if strength is not None:
        rules = ReplyRules(contrast=Contrast((*prompt[:10], *other), strength))
    return engine.submit(prompt, SamplingParams(**fields), rules=rules, adapter=adapter)


async def said(town, device):
    """What all say at once, three times: before the graphs are there, and in them."""
    engine = start(town, device)
    for name in ("guard", "smith"):
        await engine.adapters.load(name)
    found = []
    for pause_s in (0, 4 if device == "cuda" else 0, 0):
        await asyncio.sleep(pause_s)
        asked = [submit(engine, number, kind) for number, kind in enumerate(KINDS.values())]
        asked += [submit(engine, 99, {}) for _ in range(5)]
        found.append([(await each.result()).token_ids for each in asked])
    await engine.check()
    await engine.aclose()
    return found


@pytest.fixture(scope="module")
def replies(town):
    return {device: asyncio.run(said(town, device)) for device in ("cpu", "cuda")}


@pytest.mark.parametrize("kind", KINDS)
def test_replies_are_those_of_the_cpu(replies, kind):
    place = list(KINDS).index(kind)
    expected = replies["cpu"][0][place]
    assert [found[place] for found in replies["cuda"]] == [expected] * 3


def test_others_notice_nothing(replies):
    expected = replies["cpu"][0][-1]
    assert [found[-5:] for found in replies["cuda"]] == [[expected] * 5] * 3
