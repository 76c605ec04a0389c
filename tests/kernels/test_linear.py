"""Packed weights: the product, and that a row does not depend on its batch."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from townsfolk_kernels import activation_dtype, linear, pack_linear, use_reference
from townsfolk_kernels.cpu import linear as linear_cpu
from townsfolk_kernels.cpu.linear import FbgemmWeight, OnednnWeight

CPU = torch.device("cpu")
DTYPES = [torch.float32, torch.bfloat16, torch.float16]
SHAPES = [(5, 3), (80, 48), (192, 64), (64, 3072)]


def operands(dtype, shape, with_bias=False, rows=40):
    generator = torch.Generator().manual_seed(1)
    weight = torch.randn(shape, generator=generator).to(dtype)
    bias = torch.randn(shape[0], generator=generator).to(dtype) if with_bias else None
    x = torch.randn(rows, shape[1], generator=generator).to(activation_dtype(dtype, CPU))
    return x, weight, bias


@pytest.mark.parametrize("roomy", [False, True])
@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_product(dtype, shape, with_bias, roomy):
    x, weight, bias = operands(dtype, shape, with_bias)
    packed = pack_linear(weight, bias, roomy=roomy)
    expected = F.linear(x.double(), weight.double(), None if bias is None else bias.double())
    tolerance = 2e-2 if x.dtype == torch.bfloat16 else 1e-4
    scale = expected.abs().max().item()
    for rows in (1, 2, 3, 40):
        found = linear(x[:rows], packed)
        assert found.dtype == x.dtype
        assert (found - expected[:rows]).abs().max().item() < tolerance * scale
        with use_reference():
            found = linear(x[:rows], packed)
        assert (found - expected[:rows]).abs().max().item() < tolerance * scale


@pytest.mark.parametrize("dtype", DTYPES)
def test_dense_gives_the_weight_back(dtype):
    _, weight, bias = operands(dtype, (80, 48), with_bias=True)
    dense, dense_bias = pack_linear(weight, bias).dense()
    assert torch.equal(dense.to(dtype), weight)
    assert torch.equal(dense_bias.to(dtype), bias)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_row_is_the_same_alone_and_in_any_batch(dtype, shape):
    """To the bit with fp32 activations; to rounding in bf16, which AMX adds in other orders."""
    if dtype not in linear_cpu.packed_dtypes():
        pytest.skip("this processor has no layout for such weights: run it on an x86 processor")
    x, weight, _ = operands(dtype, shape)
    packed = pack_linear(weight)
    together = linear(x, packed)
    for rows in range(1, len(x)):
        found = linear(x[:rows], packed)
        if x.dtype == torch.bfloat16:
            largest = together.abs().max().item()
            torch.testing.assert_close(found, together[:rows], rtol=2**-6, atol=1e-3 * largest)
        else:
            assert torch.equal(found, together[:rows]), rows


def test_16_bit_weights_work_without_16_bit_products(monkeypatch):
    """As on the AVX2 processors that most players have."""
    if torch.float16 not in linear_cpu.packed_dtypes():
        pytest.skip("this processor has no FBGEMM")
    without = {torch.bfloat16: torch.float32}
    monkeypatch.setattr(linear_cpu, "packed_dtypes", lambda: without)
    assert activation_dtype(torch.bfloat16, CPU) == torch.float32
    x, weight, _ = operands(torch.bfloat16, (80, 48))
    packed = pack_linear(weight * 1e30)  # beyond what fp16 holds: clamped, not infinite
    assert isinstance(packed, FbgemmWeight)
    assert linear(x, packed).isfinite().all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_packing_counts_its_bytes(dtype):
    weight = torch.zeros(16, 8, dtype=dtype)
    assert pack_linear(weight).nbytes == 16 * 8 * dtype.itemsize
    packed = pack_linear(weight, roomy=True)
    twice = isinstance(packed, OnednnWeight | FbgemmWeight) and dtype == torch.bfloat16
    assert packed.nbytes == 16 * 8 * dtype.itemsize * (2 if twice else 1)


def test_a_single_row_is_as_exact_as_a_batch_and_touches_no_flag(monkeypatch):
    x, weight, bias = operands(torch.bfloat16, (80, 48), with_bias=True)
    packed = pack_linear(weight, bias, roomy=True)
    monkeypatch.setattr(torch._C, "_set_mkldnn_enabled", None)  # it concerns the whole process
    expected = F.linear(x[:1].double(), weight.double(), bias.double())
    alone = (linear(x[:1], packed) - expected).abs().max()
    together = (linear(x, packed)[:1] - expected).abs().max()
    assert alone <= 2 * together + 1e-3
