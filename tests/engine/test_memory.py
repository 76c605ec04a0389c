"""How the memory that is set is divided. What a GPU really takes is tested in tests/gpu."""

import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from townsfolk.config import EngineSettings
from townsfolk.engine import NotEnoughMemoryError, UnfitSettingError, memory
from townsfolk.engine.residency import Resident
from townsfolk.kv.cache import MIB, KvCache, block_bytes
from townsfolk.models import NAMED_SHAPES, Decoder, named_spec
from townsfolk_kernels import activation_dtype

CPU, GPU = torch.device("cpu"), torch.device("cuda")
ONE_B = named_spec("llama-3.2-1b")


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch):
    """As if there were a GPU on which CUDA takes 300 MiB."""
    monkeypatch.setattr(memory, "own_bytes", lambda device: 300 * MIB)


def plan(device=GPU, spec=ONE_B, **settings):
    settings = EngineSettings(**settings)
    return memory.MemoryPlan.make(spec, torch.bfloat16, device, settings)


def total(plan):
    return plan.weights + plan.work + plan.cuda + plan.kv


def test_weights_are_those_of_the_checkpoint():
    assert plan().weights == ONE_B.num_parameters * 2


def test_without_a_limit_conversations_get_512_mib():
    for device in (CPU, GPU):
        assert plan(device).kv == 512 * MIB
        assert plan(device, kv_memory_mib=64).kv == 64 * MIB
        assert plan(device).limit is None


def test_conversations_get_what_a_limit_leaves_and_no_more_than_is_set():
    found = plan(gpu_memory_mib=6000)
    assert 6000 * MIB - MIB < total(found) <= 6000 * MIB
    assert plan(gpu_memory_mib=6000, kv_memory_mib=64).kv == 64 * MIB


def test_on_the_cpu_the_limit_of_a_gpu_is_not_looked_at():
    assert plan(CPU, gpu_memory_mib=1) == plan(CPU)


def test_smaller_steps_and_batches_leave_more():
    roomy = plan(gpu_memory_mib=6000, max_batch=8, step_token_budget=256)
    assert roomy.work < plan(gpu_memory_mib=6000).work
    assert roomy.kv > plan(gpu_memory_mib=6000).kv


def test_steps_get_smaller_where_the_limit_is_tight():
    assert plan(gpu_memory_mib=20_000).step_tokens == 2048
    tight = plan(gpu_memory_mib=3600)
    assert 256 <= tight.step_tokens < 2048
    assert plan(gpu_memory_mib=3600, step_token_budget=2048).kv < tight.kv
    assert plan(CPU).step_tokens == 256
    assert plan(CPU, max_batch=300).step_tokens == 300


@given(
    limit=st.integers(1, 40_000),
    name=st.sampled_from(sorted(NAMED_SHAPES)),
    batch=st.integers(1, 256),
    context=st.integers(2, 8192),
)
def test_the_limit_holds_or_the_error_says_what_would_do(limit, name, batch, context):
    spec = named_spec(name)
    fields = {"max_batch": batch, "max_context": min(context, named_spec(name).context_length)}
    try:
        found = plan(spec=spec, gpu_memory_mib=limit, **fields)
    except NotEnoughMemoryError as error:
        numbers = re.search(r"at least ([\d,]+) \(([\d,]+) leaves", str(error)).groups()
        least, usual = (int(number.replace(",", "")) for number in numbers)
        assert limit < least < usual
        assert plan(spec=spec, gpu_memory_mib=least, **fields).context_length >= 2
        with pytest.raises(NotEnoughMemoryError):
            plan(spec=spec, gpu_memory_mib=least - 1, **fields)
        found = plan(spec=spec, gpu_memory_mib=usual, **fields)
        assert found.kv > 512 * MIB - block_bytes(spec, found.block_size, torch.bfloat16)
    else:
        assert total(found) <= limit * MIB
        assert found.context_length <= min(found.num_blocks * 16, context)


def test_the_error_says_what_takes_how_much():
    with pytest.raises(NotEnoughMemoryError) as caught:
        plan(gpu_memory_mib=2048)
    message = str(caught.value)
    assert "weights 2,358 MiB + work space" in message
    assert "leave nothing of gpu_memory_mib, 2,048 MiB, for conversations" in message


def test_too_little_kv_memory_is_an_error_of_its_own():
    size = activation_dtype(torch.bfloat16, CPU).itemsize  # 4 where a processor has no bf16
    with pytest.raises(NotEnoughMemoryError, match="kv_memory_mib holds 16 tokens"):
        plan(CPU, spec=named_spec("llama-3.1-8b"), kv_memory_mib=3 * size // 2)
    with pytest.raises(NotEnoughMemoryError, match="kv_memory_mib holds 16 tokens"):
        plan(spec=named_spec("llama-3.1-8b"), kv_memory_mib=3, gpu_memory_mib=30_000)


def test_steps_of_many_prompts_are_graphs_where_there_is_memory_for_them(monkeypatch):
    large, small = plan(), plan(gpu_memory_mib=20_000)
    assert (large.step_tokens, large.graph_tokens) == (2048, 2048)
    assert (small.step_tokens, small.graph_tokens) == (2048, 512)
    assert large.work > small.work
    for spare, expected in ((10, large), (-10, small)):
        free = large.weights + large.work + large.kv + spare * MIB
        monkeypatch.setattr(memory, "_free", lambda device, free=free: free)
        assert plan().graph_tokens == expected.graph_tokens
        assert plan().work == expected.work


@pytest.mark.parametrize(
    ("free", "said"),
    [
        (3400, "or set kv_memory_mib to"),
        (3000, "or take a smaller model"),
    ],
)
def test_what_other_programs_have_is_said(monkeypatch, free, said):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free * MIB, 8192 * MIB))
    found = plan()
    with pytest.raises(NotEnoughMemoryError, match=rf"{free:,} of 8,192 MiB free.*{said}"):
        found.check_free(GPU)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (5000 * MIB, 8192 * MIB))
    found.check_free(GPU)


def test_a_limit_that_others_leave_no_room_for_says_which_would_do(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (3800 * MIB, 8192 * MIB))
    with pytest.raises(NotEnoughMemoryError) as caught:
        plan(gpu_memory_mib=6000).check_free(GPU)
    least = int(re.search(r"set gpu_memory_mib to ([\d,]+)", str(caught.value))[1].replace(",", ""))
    plan(gpu_memory_mib=least).check_free(GPU)


def test_more_kv_than_the_machine_has_memory_is_refused_with_what_fits(monkeypatch):
    monkeypatch.setattr(memory, "total_bytes", lambda: 16_000 * MIB)
    monkeypatch.setattr(memory, "available_bytes", lambda: 12_000 * MIB)
    plan(CPU, kv_memory_mib=15_000).check_free(CPU)
    found = plan(CPU, kv_memory_mib=40_000)
    fits = (12_000 * MIB - found.weights) // MIB
    with pytest.raises(NotEnoughMemoryError, match="kv_memory_mib asks for 40,000 MiB") as error:
        found.check_free(CPU)
    assert f"12,000 MiB are free; set it to {fits + 1:,} or less" in str(error.value)


def test_memory_that_the_system_refuses_is_told(monkeypatch):
    def refuse(*_):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate")

    decoder = Decoder.random(named_spec("llama-tiny"), torch.float32, "cpu")
    monkeypatch.setattr(KvCache, "allocate", refuse)
    with pytest.raises(NotEnoughMemoryError, match="kv_memory_mib"):
        Resident.make(decoder, plan(CPU, decoder.spec), (), 1)


def test_more_context_than_the_model_has_is_refused():
    assert plan(max_context=ONE_B.context_length).context_length <= ONE_B.context_length
    with pytest.raises(UnfitSettingError, match=f"max_context.*{ONE_B.context_length}"):
        plan(max_context=ONE_B.context_length + 1)
