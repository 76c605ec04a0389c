"""Low-rank updates of weights against their dense sums."""

import pytest
import torch
from townsfolk_kernels import pack_linear
from townsfolk_kernels.ops.low_rank import AdaptedWeight, LowRankPart, LowRankUpdate

CPU = torch.device("cpu")


def made(dtype):
    """Updates of rows 8 to 24 and 40 to 48 of a weight [48, 32], of unlike ranks."""
    torch.manual_seed(2)
    parts = [
        LowRankPart(8, torch.randn(3, 32), torch.randn(16, 3)),
        LowRankPart(40, torch.randn(5, 32), torch.randn(8, 5)),
    ]
    dense = torch.zeros(48, 32)
    for part in parts:
        dense[part.first : part.first + len(part.b)] = part.b @ part.a
    return LowRankUpdate(parts).to(CPU, dtype), dense


@pytest.mark.parametrize("rows", [1, 7])
@pytest.mark.parametrize(
    ("dtype", "own", "tolerance"),
    [
        (torch.float32, torch.float32, 1e-5),
        (torch.bfloat16, torch.float32, 0.02),
        (torch.bfloat16, torch.bfloat16, 0.04),
    ],
)
def test_what_is_added_is_the_dense_product(rows, dtype, own, tolerance):
    update, dense = made(own)
    x, before = torch.randn(rows, 32).to(dtype), torch.randn(rows, 48).to(dtype)
    out = before.clone()
    update.add(x, out)
    expected = before.float() + x.float() @ dense.T
    torch.testing.assert_close(out.float(), expected, atol=tolerance * 10, rtol=tolerance)
    untouched = [*range(8), *range(24, 40)]
    assert torch.equal(out[:, untouched], before[:, untouched])


@pytest.mark.parametrize("most", [1, 100, 1 << 20])
def test_a_weight_gets_it_in_runs_of_rows(most):
    update, dense = made(torch.float32)
    weight = torch.randn(48, 32)
    expected = weight + dense
    update.add_to_weight(weight, most)
    torch.testing.assert_close(weight, expected)


def test_a_weight_beside_an_update():
    update, dense = made(torch.float32)
    weight, bias, x = torch.randn(48, 32), torch.randn(48), torch.randn(4, 32)
    adapted = AdaptedWeight(pack_linear(weight.clone(), bias), update)
    expected = x @ (weight + dense).T + bias
    torch.testing.assert_close(adapted.product(x), expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(adapted.dense()[0], weight + dense, atol=1e-5, rtol=1e-5)
    assert adapted.nbytes == adapted.base.nbytes + (3 * 32 + 16 * 3 + 5 * 32 + 8 * 5) * 4
