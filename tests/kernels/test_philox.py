import pytest
import torch
from townsfolk_kernels.sampling.philox import philox4x32, uniforms

# kat_vectors of the Random123 library, philox4x32 with 10 rounds: counter, key, result.
KNOWN_ANSWERS = [
    (
        [0x00000000] * 4,
        [0x00000000] * 2,
        [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8],
    ),
    (
        [0xFFFFFFFF] * 4,
        [0xFFFFFFFF] * 2,
        [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD],
    ),
    (
        [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
        [0xA4093822, 0x299F31D0],
        [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
    ),
]


def column(words: list[int]) -> torch.Tensor:
    return torch.tensor(words, dtype=torch.int64)[:, None]


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN_ANSWERS)
def test_known_answers(counter: list[int], key: list[int], expected: list[int]) -> None:
    assert philox4x32(column(counter), column(key))[:, 0].tolist() == expected


def test_known_answers_as_one_batch() -> None:
    counters, keys, expected = (
        torch.tensor(part, dtype=torch.int64).T for part in zip(*KNOWN_ANSWERS, strict=True)
    )
    assert torch.equal(philox4x32(counters, keys), expected)


def grid(seeds: int, indices: int) -> torch.Tensor:
    """[seeds, indices] float64: neighbouring seeds and indices, as they are used."""
    pairs = torch.cartesian_prod(torch.arange(seeds), torch.arange(indices))
    return uniforms(pairs[:, 0], pairs[:, 1]).view(seeds, indices)


def chi_square_p(counts: torch.Tensor, expected: float) -> float:
    statistic = ((counts - expected) ** 2 / expected).sum().double()
    freedom = torch.tensor((counts.numel() - 1) / 2, dtype=torch.float64)
    return float(torch.special.gammaincc(freedom, statistic / 2))


def test_uniform_over_seeds_and_indices() -> None:
    numbers = grid(500, 400)
    counts = torch.histc(numbers.float(), bins=256, min=0, max=1)
    assert 0.001 < chi_square_p(counts, numbers.numel() / 256) < 0.999


@pytest.mark.parametrize("along", ["seed", "index"])
def test_neighbours_are_independent(along: str) -> None:
    numbers = grid(400, 400)
    before, after = (
        (numbers[:-1], numbers[1:]) if along == "seed" else (numbers[:, :-1], numbers[:, 1:])
    )
    cells = (before * 16).long() * 16 + (after * 16).long()
    counts = torch.bincount(cells.reshape(-1), minlength=256)
    assert 0.001 < chi_square_p(counts, cells.numel() / 256) < 0.999


def test_in_range_and_without_repeats() -> None:
    numbers = grid(300, 300)
    assert bool(((numbers >= 0) & (numbers < 1)).all())
    assert numbers.unique().numel() == numbers.numel()


def test_all_bits_of_seed_and_index_count() -> None:
    seeds = torch.tensor([0, 1, 1 << 32, 1 << 62, -(1 << 63), 0, 0, 0], dtype=torch.int64)
    indices = torch.tensor([0, 0, 0, 0, 0, 1, 1 << 32, 1 << 40], dtype=torch.int64)
    assert uniforms(seeds, indices).unique().numel() == len(seeds)
