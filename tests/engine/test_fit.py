"""What fits into so much memory, and which model `auto` takes."""

import re
from pathlib import Path

import pytest
import torch
from townsfolk.config import EngineSettings
from townsfolk.engine import model_choice
from townsfolk.engine.fit import LEAST_TOKENS, Machine, ModelFootprint, characters
from townsfolk.engine.model_choice import choose, largest
from townsfolk.kv.cache import MIB
from townsfolk.library import DownloadError, ModelNotFoundError, NoRoomError, catalogue
from townsfolk.library.places import starter_folder

CPU = torch.device("cpu")
GPU = torch.device("cuda:0")
MODELS = catalogue()


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch):
    """Plan for a GPU that is not here, on every machine."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.fixture
def hub(monkeypatch):
    """What is here, and what resolving does; by name."""
    here: dict[str, Path] = {}
    asked: list[str] = []
    failures: dict[str, ModelNotFoundError] = {}

    def resolve(name):
        if name == "starter":
            return starter_folder()
        asked.append(name)
        if name in failures:
            raise failures[name]
        return Path(f"{name}.gguf")

    monkeypatch.setattr(model_choice, "find_known", lambda model: here.get(model.name))
    monkeypatch.setattr(model_choice, "resolve", resolve)
    return here, asked, failures


def gpu(mib: int) -> Machine:
    return Machine.of(GPU, EngineSettings(gpu_memory_mib=mib))


def test_more_memory_never_means_a_smaller_model():
    sizes = [0]
    for mib in range(1000, 40_000, 1000):
        model = largest(gpu(mib))
        sizes.append(model.parameters if model else 0)
    assert sizes == sorted(sizes)
    assert sizes[-1] == max(model.parameters for model in MODELS.values())


@pytest.mark.parametrize("mib", [2500, 4000, 6000, 8000, 12_000])
def test_what_is_chosen_fits_with_its_conversation_and_the_next_does_not(mib):
    machine = gpu(mib)
    model = largest(machine)
    plan = ModelFootprint.of_known(model, GPU).plan(GPU, machine.settings)
    assert plan.weights + plan.work + plan.cuda + plan.kv <= mib * MIB
    assert plan.num_blocks * plan.block_size >= LEAST_TOKENS
    larger = list(MODELS.values())[list(MODELS).index(model.name) + 1 :]
    assert all(machine.misfit(ModelFootprint.of_known(each, GPU)) for each in larger)


def test_auto_takes_what_is_here_without_asking_the_hub(hub):
    here, asked, _ = hub
    settings = EngineSettings(gpu_memory_mib=6000)
    name = largest(gpu(6000)).name
    here[name] = Path("here.gguf")
    found = choose("auto", GPU, settings)
    assert (found.name, found.path) == (name, Path("here.gguf"))
    assert f"{name} is the largest that is to be had and fits into 6,000 MiB" in found.why
    assert not asked


def test_auto_fetches_the_largest_that_fits(hub):
    _, asked, _ = hub
    found = choose("auto", GPU, EngineSettings(gpu_memory_mib=6000))
    assert asked == [found.name] == [largest(gpu(6000)).name]


def test_without_a_network_auto_asks_once_and_takes_the_largest_that_is_here(hub):
    here, asked, failures = hub
    wanted = largest(gpu(6000)).name
    failures[wanted] = DownloadError(f"{wanted} can't be fetched: there is no network")
    here["llama-3.2-1b"], here["gemma-3-270m"] = Path("1b.gguf"), Path("270m.gguf")
    found = choose("auto", GPU, EngineSettings(gpu_memory_mib=6000))
    assert found.name == "llama-3.2-1b"
    assert asked == [wanted]
    assert "there is no network" in found.why


def test_a_full_disk_leaves_room_for_smaller_ones(hub):
    _, asked, failures = hub
    for name in list(MODELS)[2:]:
        failures[name] = NoRoomError(f"{name} can't be fetched: the disk is full")
    found = choose("auto", GPU, EngineSettings(gpu_memory_mib=6000))
    assert found.name == list(MODELS)[1]
    assert len(asked) > 2


def test_where_nothing_is_to_be_had_there_is_the_starter_model(hub):
    _, _, failures = hub
    failures |= {name: DownloadError(f"{name}: no network") for name in MODELS}
    found = choose("auto", GPU, EngineSettings(gpu_memory_mib=6000))
    assert (found.name, found.path) == ("starter", starter_folder())
    assert "no network" not in choose("auto", GPU, EngineSettings(gpu_memory_mib=500)).why
    assert "does not fit" in choose("auto", GPU, EngineSettings(gpu_memory_mib=500)).why


def test_a_name_is_what_it_says(hub, tmp_path):
    path = tmp_path / "model.gguf"
    path.touch()
    assert choose("llama-3.2-1b", CPU, EngineSettings()).path == Path("llama-3.2-1b.gguf")


def test_a_cpu_takes_no_model_that_it_reads_too_slowly(monkeypatch):
    monkeypatch.setattr("townsfolk.engine.fit.available_bytes", lambda: 10**12)
    machine = Machine.of(CPU, EngineSettings())
    model = largest(machine)
    assert model.bytes < 2 * 1024**3
    assert "too slow on a CPU" in machine.misfit(ModelFootprint.of_known(MODELS["qwen3-14b"], CPU))
    # Half of it is for the model, however large a one this processor reads fast enough.
    monkeypatch.setattr("townsfolk.engine.fit.available_bytes", lambda: 2 * model.bytes)
    smaller = largest(Machine.of(CPU, EngineSettings()))
    assert smaller is None or smaller.parameters < model.parameters


def test_the_least_memory_of_a_context_is_enough_for_it():
    for model in MODELS.values():
        footprint = ModelFootprint.of_known(model, GPU)
        least = gpu(6000).bytes_at(LEAST_TOKENS, footprint)
        settings = EngineSettings(gpu_memory_mib=-(-least // MIB), step_token_budget=256)
        plan = footprint.plan(GPU, settings)
        assert plan.num_blocks * plan.block_size >= LEAST_TOKENS, model.name


def test_characters_share_what_there_is():
    footprint = ModelFootprint.of_known(MODELS["llama-3.2-1b"], GPU)
    plan = footprint.plan(GPU, EngineSettings(gpu_memory_mib=4000))
    text = characters(plan)
    tokens = plan.num_blocks * plan.block_size
    assert text.startswith(f"{tokens:,} tokens of conversation: ")
    shares = re.findall(r"([\d,]+) with ([\d,]+) tokens", text)
    assert shares
    for count, each in shares:
        count, each = int(count.replace(",", "")), int(each.replace(",", ""))
        assert count * each <= tokens < (count + 1) * each
    short = footprint.plan(GPU, EngineSettings(gpu_memory_mib=4000, max_context=1500))
    assert re.findall(r"with ([\d,]+) tokens", characters(short)) == ["1,024"]
