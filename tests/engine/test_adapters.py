"""Many adapters in one batch: each reply is that of the model with its adapter merged, by PEFT."""

import asyncio
import random
from functools import cache

import pytest
import pytest_asyncio
import torch
from family_models import VOCABULARY, make_model, write_model
from peft_adapters import adapt, save
from townsfolk.config import EngineSettings
from townsfolk.engine import Engine
from townsfolk.engine.errors import (
    AdapterMemoryError,
    AdapterNotFoundError,
    NoAdaptersError,
    UnusableAdapterError,
)
from townsfolk.models import Decoder, open_source
from townsfolk.sampling import SamplingParams

NEW = 24
GREEDY = SamplingParams(temperature=0, max_new_tokens=NEW, min_new_tokens=NEW)
TIGHT = {"kv_memory_mib": 1, "block_size": 4}
NAMES = ("", "guard", "smith", "witch")
CHANGES = {
    "guard": {"seed": 5},
    "smith": {"seed": 6, "r": 8, "target_modules": ["q_proj", "v_proj"]},
    "witch": {"seed": 7, "use_rslora": True, "layers_to_transform": [1]},
}


def greedy(model, prompt):
    """Greedy tokens after a prompt, by transformers; ends are not taken."""
    ids, kept = list(prompt), None
    for _ in range(NEW):
        with torch.inference_mode():
            out = model(
                torch.tensor([ids if kept is None else ids[-1:]]),
                past_key_values=kept,
                use_cache=True,
            )
        kept = out.past_key_values
        scores = out.logits[0, -1].clone()
        scores[2] = -torch.inf
        ids.append(int(scores.argmax()))
    return tuple(ids[len(prompt) :])


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    """A model, adapters of it, and what each says."""
    folder = tmp_path_factory.mktemp("town")
    plain = write_model("llama", folder / "model", max_position_embeddings=512)
    models = {"": plain}
    for name, changes in CHANGES.items():
        own = make_model("llama", max_position_embeddings=512)
        adapted = adapt(own, "llama", **changes)
        save(adapted, folder / "adapters" / name)
        models[name] = adapted.merge_and_unload()
    replies = {
        name: cache(lambda prompt, model=model: greedy(model, prompt))
        for name, model in models.items()
    }
    return folder, replies


@pytest_asyncio.fixture
async def start(town):
    """Starts engines; when the test is over, each must have all its blocks back."""
    engines = []

    def start(**settings):
        folder, _ = town
        fields = {"device": "cpu", "threads": 1, "kv_memory_mib": 8, "dtype": "float32"}
        fields = EngineSettings(**(fields | {"adapters": folder / "adapters"} | settings))
        decoder = Decoder.load(folder / "model", torch.float32)
        architecture = open_source(folder / "model").architecture()
        engine = Engine(
            decoder,
            None,
            fields,
            name="tiny",
            architecture=architecture,
            load=lambda report: Decoder.load(folder / "model", torch.float32),
        )
        engines.append(engine)
        return engine

    yield start
    for engine in engines:
        await engine.check()
        await engine.aclose()


def some(choose, count):
    return [choose.randrange(3, VOCABULARY) for _ in range(count)]


async def load_all(engine):
    await asyncio.gather(*(engine.adapters.load(name) for name in NAMES if name))


@pytest.mark.parametrize(
    ("settings", "preempts"), [({}, False), (TIGHT, True)], ids=["roomy", "tight"]
)
async def test_each_row_is_its_merged_model(town, start, settings, preempts):
    """Prefixes are shared within an adapter and never between two; or all are preempted."""
    _, replies = town
    choose = random.Random(3)
    shared = some(choose, 70)
    prompts = [some(choose, count) for count in (1, 16, 33, 100)]
    prompts += [shared[:cut] + some(choose, count) for cut, count in ((70, 9), (64, 1), (70, 0))]
    jobs = [(name, prompt) for prompt in prompts for name in NAMES]
    if preempts:
        jobs *= 2
    engine = start(**settings)
    await load_all(engine)

    async def say(number, name, prompt):
        if not preempts:
            await asyncio.sleep(0.01 * number)
        return await engine.generate(prompt, GREEDY, adapter=name)

    found = await asyncio.gather(*(say(n, *job) for n, job in enumerate(jobs)))
    for (name, prompt), reply in zip(jobs, found, strict=True):
        assert reply.token_ids == replies[name](tuple(prompt)), name
    assert len({replies[name](tuple(prompts[3])) for name in NAMES}) == len(NAMES)
    stats = engine.stats()
    assert (stats.preemptions_total > 0) is preempts
    if not preempts:
        again = await asyncio.gather(
            *(engine.generate(prompts[3], GREEDY, adapter=name) for name in NAMES)
        )
        assert [each.token_ids for each in again] == [replies[n](tuple(prompts[3])) for n in NAMES]
        assert engine.stats().cached_tokens_total > stats.cached_tokens_total


async def test_an_adapter_comes_and_goes_while_others_speak(town, start):
    """Whoever speaks with it ends with it; others don't notice."""
    _, replies = town
    engine = start()
    prompt = tuple(range(20, 60))
    await engine.adapters.load("guard")
    speaking = [engine.submit(prompt, GREEDY, adapter=name) for name in ("", "guard", "")]
    readers = [aiter(each) for each in speaking]
    for reader in readers:
        await anext(reader)
    await engine.adapters.unload("guard")
    with pytest.raises(AdapterNotFoundError, match=r"'guard' is loaded \(loaded: none\)"):
        engine.submit(prompt, GREEDY, adapter="guard")
    await engine.adapters.load("witch")
    speaking.append(engine.submit(prompt, GREEDY, adapter="witch"))
    found = [await each.result() for each in speaking]
    expected = [replies[name](prompt) for name in ("", "guard", "", "witch")]
    assert [each.token_ids for each in found] == expected
    assert [info.name for info in engine.adapters.list() if info.is_loaded] == ["witch"]


async def test_an_adapter_that_is_loaded_again_finds_no_keys_of_the_old_one(town, start, tmp_path):
    """Its files have changed; who speaks with the old one ends with the old one."""
    folder, replies = town
    adapters = tmp_path / "adapters"
    copy(folder / "adapters" / "guard", adapters / "hero")
    engine = start(adapters=adapters)
    first = await engine.adapters.load("hero")
    prompt = tuple(range(20, 70))
    assert (await engine.generate(prompt, GREEDY, adapter="hero")).token_ids == replies["guard"](
        prompt
    )
    copy(folder / "adapters" / "smith", adapters / "hero")
    speaking = engine.submit(prompt, GREEDY, adapter="hero")
    await anext(aiter(speaking))
    second = await engine.adapters.load("hero")
    assert second.number > first.number
    replied = await engine.generate(prompt, GREEDY, adapter="hero")
    assert replied.token_ids == replies["smith"](prompt)
    assert (await speaking.result()).token_ids == replies["guard"](prompt)


def copy(source, target):
    target.mkdir(parents=True, exist_ok=True)
    for path in source.iterdir():
        (target / path.name).write_bytes(path.read_bytes())


async def test_memory_is_given_back_once_nobody_speaks(town, start):
    engine = start(adapter_memory_mib=1)
    nbytes = (await engine.adapters.load("guard")).nbytes
    count = 3 * (1 << 20) // nbytes
    for _ in range(count):  # each takes the place of the one before
        await engine.adapters.load("guard")
    assert count > 10
    assert (await engine.adapters.load("guard")).number == count + 2


async def test_memory_has_a_limit(town, start, monkeypatch):
    engine = start(adapter_memory_mib=1)
    nbytes = (await engine.adapters.load("guard")).nbytes
    monkeypatch.setattr(engine.adapters, "_memory", nbytes + 10)
    with pytest.raises(AdapterMemoryError, match=r"'witch' takes .* unload one"):
        await engine.adapters.load("witch")
    await engine.adapters.unload("guard")
    await engine.adapters.load("witch")


async def test_those_who_need_one_load_it_once(start):
    engine = start()
    found = await asyncio.gather(*(engine.adapters.need("smith") for _ in range(20)))
    assert {info.number for info in found} == {1}


async def test_a_released_model_has_its_adapters_again(town, start):
    _, replies = town
    engine = start()
    await engine.adapters.load("guard")
    prompt = tuple(range(20, 60))
    speaking = engine.submit(prompt, GREEDY, adapter="guard")
    await anext(aiter(speaking))
    await engine.release()
    await engine.adapters.load("smith")
    other = engine.generate(prompt, GREEDY, adapter="smith")
    assert (await other).token_ids == replies["smith"](prompt)
    assert (await speaking.result()).token_ids == replies["guard"](prompt)


async def test_only_what_is_in_the_folder_can_be_loaded(town, start, tmp_path):
    engine = start()
    for name in ("../model", "..", ".", "", "/etc", "guard/../smith", "nobody", "g\0", "a" * 300):
        with pytest.raises(AdapterNotFoundError, match="it has: guard, smith, witch"):
            await engine.adapters.load(name)
    with pytest.raises(AdapterNotFoundError):
        await engine.adapters.unload("smith")
    engine = start(adapters=None)
    with pytest.raises(NoAdaptersError, match="--adapters"):
        await engine.adapters.load("guard")
    assert engine.adapters.list() == []


async def test_what_is_no_adapter_of_this_model_is_refused(start, tmp_path):
    other = adapt(make_model("llama", num_hidden_layers=5), "llama")
    save(other, tmp_path / "other")
    save(adapt(make_model("llama"), "llama", target_modules=["lm_head"]), tmp_path / "head")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "adapter_config.json").write_text("{")
    engine = start(adapters=tmp_path)
    for name, message in (
        ("other", "another model"),
        ("head", "output projection .* --adapter"),
        ("broken", "cannot be read"),
    ):
        with pytest.raises(UnusableAdapterError, match=message):
            await engine.adapters.load(name)
    assert not any(info.is_loaded for info in engine.adapters.list())
    assert len(engine.adapters.list()) == 3
