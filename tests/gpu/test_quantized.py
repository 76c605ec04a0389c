"""Quantised weights on the GPU: from a file to tokens, within the memory that was planned."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from townsfolk.bench.gguf_checkpoint import write_gguf
from townsfolk.config import EngineSettings
from townsfolk.engine import Engine
from townsfolk.engine.cuda_graphs import mixed_workspace
from townsfolk.kv import KvCache
from townsfolk.models import Chunk, Decoder, ModelBatch, named_spec, open_source
from townsfolk.models.decode_step import DecodeInputs
from townsfolk.models.mixes import MIXES
from townsfolk.models.outline import WeightOutline
from townsfolk.models.step_choice import choose_step
from townsfolk.sampling import SamplingParams
from townsfolk_kernels import PagedLayout, use_reference
from townsfolk_kernels.quantized.blocks import BlockFormat, dequantize
from townsfolk_kernels.quantized.matrix import quantized_matrix
from townsfolk_kernels.quantized.random_blocks import random_blocks

DEVICE, CPU = torch.device("cuda:0"), torch.device("cpu")
MIB = 2**20
BLOCK_SIZE, ROWS, BLOCKS = 16, 64, 8
STORM = Path(__file__).parent.parent / "support" / "memory_storm.py"
formats = pytest.mark.parametrize("block_format", BlockFormat, ids=lambda f: f.name)
# Relative to fp64 of the same inputs: values and results are rounded once, and summed in fp32.
BOUNDS = {torch.bfloat16: 6e-3, torch.float16: 1e-3}


def error(found, expected):
    return ((found.double() - expected.double()).norm() / expected.double().norm()).item()


def filled(block_format, rows, columns):
    """A matrix in the device's layout, filled in two runs of rows; and its values."""
    generator = torch.Generator(DEVICE).manual_seed(int(torch.randint(99, ())))
    raw = random_blocks(block_format, rows, columns, 0.05, generator)
    matrix = quantized_matrix(block_format, rows, columns, DEVICE)
    matrix.fill(rows // 3, raw[rows // 3 :].clone())
    matrix.fill(0, raw[: rows // 3].clone())
    return matrix, dequantize(raw, block_format, torch.float32)


@formats
@pytest.mark.parametrize("columns", [256, 2048])
def test_values_are_those_of_the_blocks(block_format, columns):
    matrix, expected = filled(block_format, 301, columns)
    # A layout may round what is added to values to fp16, as well as their scales.
    rounding = 2e-3 * expected.abs().amax(1, keepdim=True)
    assert ((matrix.values(0, 301, torch.float32) - expected).abs() <= rounding).all()
    ids = torch.tensor([300, 0, 7, 7], device=DEVICE)
    assert ((matrix.gather(ids, torch.float32) - expected[ids]).abs() <= rounding[ids]).all()


@formats
@pytest.mark.parametrize(("dtype", "batch"), [(torch.bfloat16, 1), (torch.float16, 17)], ids=str)
def test_products_are_within_rounding(block_format, dtype, batch):
    matrix, _ = filled(block_format, 260, 1024)
    values = matrix.values(0, 260, torch.float32).double()
    x = torch.randn(batch, 1024, device=DEVICE).to(dtype)
    bias = torch.randn(260, device=DEVICE).to(dtype)
    wide = torch.full((batch, 400), torch.nan, dtype=dtype, device=DEVICE)
    matrix.multiply(x, wide[:, 64:324], bias)
    assert error(wide[:, 64:324], x.double() @ values.T + bias.double()) < BOUNDS[dtype]
    assert wide[:, :64].isnan().all()
    assert wide[:, 324:].isnan().all()


@pytest.mark.parametrize("mix", MIXES)
def test_weights_of_a_file_are_those_that_the_cpu_loads(tmp_path, mix):
    spec = named_spec("llama-3.2-1b", num_hidden_layers=2, vocab_size=3000)
    path = tmp_path / "model.gguf"
    write_gguf(path, spec, MIXES[mix], DEVICE)
    found, expected = (Decoder.load(path, torch.bfloat16, each).weights for each in (DEVICE, CPU))
    for ours, theirs in zip(found.projections, expected.projections, strict=True):
        numbers, wanted = ours.dense()[0].cpu(), theirs.dense()[0]
        assert ((numbers - wanted).abs() <= 2e-3 * wanted.abs().amax(1, keepdim=True)).all()
    source = open_source(path)
    outline = WeightOutline.of_checkpoint(
        source.architecture(), source.checkpoint(), torch.bfloat16, DEVICE
    )
    assert outline == WeightOutline.of_weights(found)
    assert outline.nbytes < 1.12 * path.stat().st_size


def expected_logits(decoder, kv, inputs):
    """Scores of a decode step, in plain operations on dequantised weights."""
    rows, positions = inputs.rows.long(), inputs.positions.long()
    tables = inputs.tables[rows]
    blocks = tables.gather(1, positions[:, None] // BLOCK_SIZE)[:, 0].long()
    slots = blocks * BLOCK_SIZE + positions % BLOCK_SIZE
    starts = torch.arange(len(rows) + 1, dtype=torch.int32, device=DEVICE)
    layout = PagedLayout(starts, (positions + 1).int(), tables, BLOCK_SIZE, longest=1)
    batch = ModelBatch(inputs.drawn[rows].long(), positions, slots, layout)
    with use_reference():
        return decoder.logits(decoder.forward(batch, kv))


@pytest.mark.parametrize("batch", [1, 33])
@pytest.mark.parametrize("mix", ["q4_k_m", "q8_0"])
@pytest.mark.parametrize("shape", ["llama-3.2-1b", "qwen3-4b", "gemma-3-1b"])
def test_decode_steps_are_those_of_the_values(shape, mix, batch):
    spec = named_spec(shape, num_hidden_layers=2, vocab_size=4000)
    decoder = Decoder.random(spec, torch.bfloat16, DEVICE, mix=MIXES[mix])
    kv = KvCache.allocate(spec, ROWS * BLOCKS, BLOCK_SIZE, torch.bfloat16, DEVICE)
    for pages in (*kv.k, *kv.v):
        pages.normal_()
    context = BLOCKS * BLOCK_SIZE
    inputs = DecodeInputs(
        rows=torch.randperm(ROWS, device=DEVICE)[:batch].int(),
        positions=torch.randint(0, context, (batch,), device=DEVICE).int(),
        tables=torch.randperm(ROWS * BLOCKS, device=DEVICE).view(ROWS, BLOCKS).int(),
        drawn=torch.randint(0, 4000, (ROWS,), device=DEVICE).int(),
    )
    step = choose_step(decoder, kv, ROWS, context, mixed_workspace(decoder, ROWS))
    found = step.logits(inputs).clone()
    assert error(found, expected_logits(decoder, kv, inputs)) < 3e-2


def test_an_engine_speaks_as_its_decoder_does(tmp_path):
    """Through graphs, chunks of prompts and batches, greedy tokens are those of the logits."""
    spec = named_spec("llama-160m", num_hidden_layers=4)
    path = tmp_path / "model.gguf"
    write_gguf(path, spec, MIXES["q4_k_m"], DEVICE)
    settings = EngineSettings(device="cuda", kv_memory_mib=256, dtype="float32")
    engine = Engine.from_pretrained(path, settings)
    prompts = [torch.randint(0, 30000, (n,)).tolist() for n in (1, 7, 100, 400, 700)]
    params = SamplingParams(temperature=0, max_new_tokens=24, min_new_tokens=24)

    async def speak():
        return await asyncio.gather(*(engine.generate(each, params) for each in prompts))

    try:
        replies = asyncio.run(speak())
    finally:
        engine.close()
    decoder = Decoder.load(path, torch.float32, DEVICE)
    for prompt, reply in zip(prompts, replies, strict=True):
        kv = KvCache.allocate(spec, 64, BLOCK_SIZE, torch.float32, DEVICE)
        chunk = Chunk([*prompt, *reply.token_ids[:-1]], 0, list(range(64)))
        with use_reference():
            hidden = decoder.forward(ModelBatch.build([chunk], BLOCK_SIZE, DEVICE), kv)
            # A tensor of inference mode can't be changed outside of it.
            logits = decoder.logits(hidden)[len(prompt) - 1 :].clone()
        logits[:, sorted(decoder.spec.eos_ids)] = logits.min()
        drawn = torch.tensor(reply.token_ids, device=DEVICE)[:, None]
        assert (logits.amax(1) - logits.gather(1, drawn)[:, 0]).max() < 2e-3 * logits.abs().max()


@pytest.fixture(scope="module")
def eight_billion(tmp_path_factory):
    path = tmp_path_factory.mktemp("8b") / "8b-q4_k_m.gguf"
    write_gguf(path, named_spec("llama-3.1-8b"), MIXES["q4_k_m"], DEVICE)
    yield path
    path.unlink()


def test_8b_in_4_bits_is_loaded_through_little_host_memory_and_keeps_to_its_plan(eight_billion):
    """The process's peak stays under the file's size and one GiB, and the limit holds."""
    limit = 8000
    job = {
        "model": str(eight_billion),
        "dtype": "auto",
        "settings": {"gpu_memory_mib": limit, "max_batch": 16},
    }
    command = [sys.executable, STORM, json.dumps(job)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr[-3000:]
    report = json.loads(run.stdout.splitlines()[-1])
    print(report)
    assert report["host peak when loaded"] < eight_billion.stat().st_size / MIB + 1024
    assert 0 < report["peak process"] <= limit
