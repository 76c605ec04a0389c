"""Norms, rotation, activation and embedding against plain formulas."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from townsfolk_kernels import (
    add_rms_norm,
    embedding,
    rms_norm,
    rope_and_store,
    swiglu,
    use_reference,
)

DTYPES = [torch.float32, torch.bfloat16, torch.float16]
TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 4e-2, torch.float16: 6e-3}


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(3)


def both(operation, *args):
    """The operation's fast path and its reference, on arguments of their own."""
    with use_reference():
        expected = operation(*[a.clone() if isinstance(a, torch.Tensor) else a for a in args])
    return operation(*args), expected


def assert_close(found, expected):
    assert found.dtype == expected.dtype
    tolerance = TOLERANCE[found.dtype]
    torch.testing.assert_close(found, expected, atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows", [1, 3, 40])
def test_rms_norm_equals_pytorch(generator, dtype, rows):
    x = torch.randn(rows, 48, generator=generator) * 3
    weight = torch.randn(48, generator=generator)
    found, reference = both(rms_norm, x, weight, 1e-2, dtype)
    expected = F.rms_norm(x, (48,), weight, 1e-2).to(dtype)
    assert_close(found, expected)
    assert_close(reference, expected)


def test_rms_norm_of_zeros_is_zero():
    assert not rms_norm(torch.zeros(2, 8), torch.ones(8), 1e-5, torch.float32).any()


@pytest.mark.parametrize("residual_dtype", [torch.float32, None], ids=["fp32", "own"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_add_rms_norm(generator, dtype, residual_dtype):
    x = torch.randn(5, 48, generator=generator).to(dtype)
    residual = torch.randn(5, 48, generator=generator).to(residual_dtype or dtype)
    weight = torch.randn(48, generator=generator).to(residual.dtype)
    total = (x.double() + residual.double()).to(residual.dtype)
    expected = F.rms_norm(total.float(), (48,), weight.float(), 1e-5).to(dtype)
    for normed, new_residual in both(add_rms_norm, x, residual, weight, 1e-5):
        assert_close(normed, expected)
        assert_close(new_residual, total)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("tokens", [1, 6])
def test_rope_turns_pairs_and_stores_keys_and_values(generator, dtype, tokens):
    heads, kv_heads, head_dim, block_size = 6, 2, 8, 4
    qkv = torch.randn(tokens, (heads + 2 * kv_heads) * head_dim, generator=generator).to(dtype)
    angles = torch.rand(tokens, head_dim // 2, generator=generator) * 6
    rotation = torch.stack((angles.cos(), angles.sin()), dim=-1)
    slots = torch.randperm(5 * block_size, generator=generator)[:tokens]
    pages = torch.zeros(5, kv_heads, block_size, head_dim, dtype=dtype)

    def run(qkv):
        k, v = pages.clone(), pages.clone()
        return rope_and_store(qkv, rotation, k, v, slots), k, v

    wide = qkv.double().view(tokens, -1, head_dim // 2, 2)
    turn = torch.polar(torch.ones_like(angles.double()), angles.double())[:, None]
    turned = torch.view_as_real(torch.view_as_complex(wide) * turn).flatten(2).to(dtype)
    k, v = pages.clone(), pages.clone()
    for token, slot in enumerate(slots.tolist()):
        place = (slot // block_size, slice(None), slot % block_size)
        k[place] = turned[token, heads : heads + kv_heads]
        v[place] = qkv.view(tokens, -1, head_dim)[token, heads + kv_heads :]
    for found_q, found_k, found_v in both(run, qkv):
        assert_close(found_q, turned[:, :heads])
        assert_close(found_k, k)
        assert torch.equal(found_v, v)


@pytest.mark.parametrize("dtype", DTYPES)
def test_swiglu(generator, dtype):
    gate_up = torch.randn(5, 24, generator=generator).to(dtype)
    gate, up = gate_up.double().chunk(2, dim=-1)
    expected = (gate * gate.sigmoid() * up).to(dtype)
    for found in both(swiglu, gate_up):
        assert_close(found, expected)


def test_embedding_takes_rows_and_refuses_ids_outside(generator):
    table = torch.randn(7, 3, generator=generator)
    assert torch.equal(embedding(torch.tensor([6, 0, 6]), table, table.dtype), table[[6, 0, 6]])
    with pytest.raises(IndexError):
        embedding(torch.tensor([7]), table, table.dtype)


def zeros(*shape):
    return torch.zeros(shape)


@pytest.mark.parametrize(
    ("operation", "arguments", "message"),
    [
        (rms_norm, (zeros(2, 8), zeros(4), 1e-5, torch.float32), "weight"),
        (add_rms_norm, (zeros(2, 8), zeros(3, 8), zeros(8), 1e-5), "residual"),
        (swiglu, (zeros(2, 7),), "7 columns"),
        (
            rope_and_store,
            (zeros(2, 20), zeros(2, 2, 2), *[zeros(1, 1, 4, 8)] * 2, torch.arange(2)),
            "whole heads",
        ),
        (
            rope_and_store,
            (zeros(2, 16), zeros(2, 4, 2), *[zeros(1, 1, 4, 8)] * 2, torch.arange(2)),
            "no queries",
        ),
    ],
    ids=["rms_norm", "add_rms_norm", "swiglu", "rope: heads", "rope: queries"],
)
def test_shapes_that_do_not_fit_are_refused(operation, arguments, message):
    with pytest.raises(ValueError, match=message):
        operation(*arguments)
    with use_reference(), pytest.raises(ValueError, match=message):
        operation(*arguments)
