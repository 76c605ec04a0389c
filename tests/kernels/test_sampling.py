import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from townsfolk_kernels.sampling import philox
from townsfolk_kernels.sampling import reference as sampling
from transformers import (
    LogitsProcessorList,
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

LARGEST = 1 - 2.0**-53


def random_logits(rows: int, vocab: int, seed: int = 0, scale: float = 3.0) -> Tensor:
    return torch.randn(rows, vocab, generator=torch.Generator().manual_seed(seed)) * scale


def draw(
    logits: Tensor, uniforms: Tensor, temperature=1.0, top_k=0, top_p=1.0, min_p=0.0
) -> Tensor:
    """Draws from one row of logits [vocab] with each of the random numbers [n], the same filters
    for all, by the way that the sampler would take."""
    n = len(uniforms)
    batch = logits.expand(n, -1)

    def column(value: float) -> Tensor:
        return torch.full((n,), value, dtype=torch.float64)

    if 0 < top_k < len(logits):
        return sampling.draw_from_candidates(
            batch,
            uniforms,
            column(temperature),
            torch.full((n,), top_k),
            column(top_p),
            column(min_p),
            top_k,
        )
    if top_p < 1:
        return sampling.draw_from_nucleus(
            batch, uniforms, column(temperature), column(top_p), column(min_p)
        )
    return sampling.draw_from_vocabulary(batch, uniforms, column(temperature), column(min_p))


def exact(logits: Tensor, temperature=1.0, top_k=0, top_p=1.0, min_p=0.0) -> Tensor:
    """The distribution that transformers would draw from: [vocab] float64."""
    processors = LogitsProcessorList()
    if temperature != 1:
        processors.append(TemperatureLogitsWarper(temperature))
    if top_k:
        processors.append(TopKLogitsWarper(top_k))
    if top_p < 1:
        processors.append(TopPLogitsWarper(top_p))
    if min_p > 0:
        processors.append(MinPLogitsWarper(min_p))
    return processors(torch.zeros(1, 1, dtype=torch.int64), logits.double()[None]).softmax(-1)[0]


FILTERS = [
    {},
    {"temperature": 0.3},
    {"temperature": 2.5},
    {"top_k": 1},
    {"top_k": 7},
    {"top_p": 0.5},
    {"top_p": 0.97},
    {"top_p": 1e-6},
    {"min_p": 0.05},
    {"min_p": 1.0},
    {"top_k": 12, "top_p": 0.8},
    {"top_p": 0.9, "min_p": 0.02},
    {"temperature": 0.7, "top_k": 40, "top_p": 0.95, "min_p": 0.01},
    {"temperature": 1.7, "top_k": 20, "top_p": 0.9, "min_p": 0.1},
]
names = ["-".join(f"{k}={v}" for k, v in f.items()) or "plain" for f in FILTERS]
with_filters = pytest.mark.parametrize("filters", FILTERS, ids=names)


class TestDistribution:
    @with_filters
    @pytest.mark.parametrize("vocab", [50, 1500])
    def test_shares_are_exact(self, filters: dict, vocab: int) -> None:
        # Evenly spread numbers must give each token its share of them, to one either side of it
        # at most: a much sharper test than random ones.
        logits = random_logits(1, vocab)[0]
        n = 3000
        spread = (torch.arange(n, dtype=torch.float64) + 0.5) / n
        counts = torch.bincount(draw(logits, spread, **filters), minlength=vocab)
        assert (counts - n * exact(logits, **filters)).abs().max() <= 1.01

    @with_filters
    def test_chi_square_of_seeded_draws(self, filters: dict) -> None:
        logits = random_logits(1, 60, seed=1, scale=1.5)[0]
        expected = 20_000 * exact(logits, **filters)
        seeds, indices = torch.cartesian_prod(torch.arange(200), torch.arange(100)).unbind(1)
        tokens = draw(logits, philox.uniforms(seeds, indices), **filters)
        counts = torch.bincount(tokens, minlength=60).double()
        assert not counts[expected == 0].any()
        rare = expected < 5
        counts = torch.cat((counts[~rare], counts[rare].sum()[None]))
        expected = torch.cat((expected[~rare], expected[rare].sum()[None]))
        counts, expected = counts[expected > 0], expected[expected > 0]
        if len(counts) > 1:
            statistic = ((counts - expected) ** 2 / expected).sum()
            freedom = torch.tensor((len(counts) - 1) / 2, dtype=torch.float64)
            assert torch.special.gammaincc(freedom, statistic / 2) > 0.001

    def test_nucleus_larger_than_the_first_candidates(self) -> None:
        logits = random_logits(1, 5000, scale=0.2)[0]
        filters = {"top_p": 0.9}
        assert (exact(logits, **filters) > 0).sum() > sampling.NUCLEUS_CANDIDATES
        n = 4000
        spread = (torch.arange(n, dtype=torch.float64) + 0.5) / n
        counts = torch.bincount(draw(logits, spread, **filters), minlength=5000)
        assert (counts - n * exact(logits, **filters)).abs().max() <= 1.01


class TestEdges:
    @with_filters
    @pytest.mark.parametrize("vocab", [1, 2, 63, 64, 65, 2000])
    def test_smallest_and_largest_number_stay_inside(self, filters: dict, vocab: int) -> None:
        logits = random_logits(1, vocab, seed=vocab)[0]
        logits[vocab // 2 + 1 :: 3] = -math.inf
        tokens = draw(logits, torch.tensor([0.0, 0.5, LARGEST], dtype=torch.float64), **filters)
        assert (tokens < vocab).all()
        top_k = {"top_k": min(filters["top_k"], vocab)} if "top_k" in filters else {}
        assert (exact(logits, **{**filters, **top_k})[tokens] > 0).all()

    @with_filters
    def test_one_token_left(self, filters: dict) -> None:
        logits = torch.full((300,), -math.inf)
        logits[217] = -4.0
        tokens = draw(logits, torch.tensor([0.0, 0.5, LARGEST], dtype=torch.float64), **filters)
        assert tokens.tolist() == [217] * 3

    @pytest.mark.parametrize("temperature", [1e-4, 1e-30, 1e-50, 5e-324])
    @pytest.mark.parametrize("filters", [{}, {"top_k": 5}, {"top_p": 0.9}])
    def test_tiny_temperature_is_greedy(self, temperature: float, filters: dict) -> None:
        logits = random_logits(1, 3000)[0]
        numbers = torch.tensor([0.0, LARGEST], dtype=torch.float64)
        tokens = draw(logits, numbers, temperature=temperature, **filters)
        assert tokens.tolist() == [int(logits.argmax())] * 2

    def test_the_token_that_crosses_p_stays(self) -> None:
        logits = torch.tensor([0.2, 0.5, 0.3]).log()
        numbers = (torch.arange(100, dtype=torch.float64) + 0.5) / 100
        for top_p, kept in ((0.49, {1}), (0.51, {1, 2}), (0.79, {1, 2}), (0.81, {0, 1, 2})):
            assert set(draw(logits, numbers, top_p=top_p).tolist()) == kept

    def test_of_equal_logits_the_lowest_ids_are_kept(self) -> None:
        logits = torch.zeros(1000)
        logits[500] = 1.0
        numbers = (torch.arange(200, dtype=torch.float64) + 0.5) / 200
        assert set(draw(logits, numbers, top_k=4).tolist()) == {500, 0, 1, 2}

    def test_greedy_takes_the_lowest_of_equal_logits(self) -> None:
        logits = torch.full((1000,), -1.0)
        logits[[400, 700]] = 2.0
        assert draw(logits, torch.tensor([LARGEST], dtype=torch.float64), top_k=1).item() == 400


class TestTopCandidates:
    @given(
        vocab=st.integers(1, 700),
        k=st.integers(1, 700),
        levels=st.sampled_from([1, 3, 50, 10**6]),
        seed=st.integers(0, 999),
    )
    def test_same_as_a_stable_sort(self, vocab: int, k: int, levels: int, seed: int) -> None:
        # Few levels make many ties, also of 0 and -0, and some logits are -inf.
        k = min(k, vocab)
        random = torch.Generator().manual_seed(seed)
        logits = (torch.randint(-levels, levels + 1, (3, vocab), generator=random) / 7.0) * -1
        logits[torch.rand(3, vocab, generator=random) < 0.1] = -math.inf
        values, ids = sampling.top_candidates(logits, k)
        expected_values, expected_ids = logits.sort(dim=-1, descending=True, stable=True)
        assert torch.equal(ids, expected_ids[:, :k])
        assert torch.equal(values, expected_values[:, :k])

    @pytest.mark.parametrize("vocab", [32_000, 128_256])
    @pytest.mark.parametrize("k", [1, 40, 1024])
    def test_large_vocabularies(self, vocab: int, k: int) -> None:
        logits = random_logits(2, vocab).bfloat16().float()  # so that there are ties
        values, ids = sampling.top_candidates(logits, k)
        expected_values, expected_ids = logits.sort(dim=-1, descending=True, stable=True)
        assert torch.equal(ids, expected_ids[:, :k])
        assert torch.equal(values, expected_values[:, :k])

    @pytest.mark.parametrize("possible", [0, 3, 39, 500])
    def test_of_a_large_vocabulary_of_which_few_are_possible(self, possible: int) -> None:
        logits = torch.full((1, 33_001), -math.inf)
        allowed = torch.randperm(33_001, generator=torch.Generator().manual_seed(1))[:possible]
        logits[0, allowed] = random_logits(1, possible).round()
        values, ids = sampling.top_candidates(logits, 40)
        expected_values, expected_ids = logits.sort(dim=-1, descending=True, stable=True)
        assert torch.equal(ids, expected_ids[:, :40])
        assert torch.equal(values, expected_values[:, :40])

    def test_the_likeliest_of_equals_is_the_first(self) -> None:
        logits = torch.tensor([[0.0, 2.0, 1.0, 2.0], [-0.0, -3.0, 0.0, -math.inf]])
        assert sampling.likeliest(logits).tolist() == [1, 0]
        assert draw(logits[0], torch.tensor([0.0, LARGEST]), top_k=1).tolist() == [1, 1]


class TestEdits:
    def penalize(self, logits: Tensor, seen: list[int], said: list[int], **strengths) -> Tensor:
        counts = torch.bincount(torch.tensor(said, dtype=torch.int64), minlength=logits.shape[1])
        seen_ids = torch.tensor([seen])
        result = logits.clone()
        sampling.penalize_(
            result,
            torch.tensor([0]),
            seen_ids,
            counts.int()[seen_ids],
            *(
                torch.tensor([strengths.get(name, neutral)])
                for name, neutral in (("repetition", 1.0), ("presence", 0.0), ("frequency", 0.0))
            ),
        )
        return result

    def test_repetition_is_that_of_transformers(self) -> None:
        logits = random_logits(1, 30)
        seen = [3, 3, 8, 29]
        expected = RepetitionPenaltyLogitsProcessor(1.7)(torch.tensor([seen]), logits.clone())
        actual = self.penalize(logits, seen, [8], repetition=1.7)
        assert torch.allclose(actual, expected, atol=0, rtol=1e-6)

    def test_presence_and_frequency_count_the_reply_only(self) -> None:
        logits = random_logits(1, 30)
        actual = self.penalize(logits, [1, 2, 5, 7, 5], [5, 7, 5], presence=0.5, frequency=0.25)
        expected = logits.clone()
        expected[0, 5] -= 0.5 + 2 * 0.25
        expected[0, 7] -= 0.5 + 0.25
        assert torch.allclose(actual, expected)

    def test_neutral_strengths_change_no_bit(self) -> None:
        logits = random_logits(1, 30)
        assert torch.equal(self.penalize(logits, [1, 2], [2]), logits)

    def test_forbidden_tokens_stay_forbidden(self) -> None:
        logits = torch.full((1, 4), -math.inf)
        actual = self.penalize(logits, [0, 1], [1], repetition=1.3, presence=1.0, frequency=1.0)
        assert torch.equal(actual, logits)

    def test_only_the_rows_named_are_changed(self) -> None:
        logits = random_logits(3, 30)
        edited = logits.clone()
        ids, values = torch.tensor([[4, 9, 0]]), torch.tensor([[1.5, -math.inf, 0.0]])
        sampling.add_at_(edited, torch.tensor([1]), ids, values)
        assert torch.equal(edited[[0, 2]], logits[[0, 2]])
        assert edited[1, 4] == logits[1, 4] + 1.5
        assert edited[1, 9] == -math.inf
        assert (edited[1] != logits[1]).sum() == 2


class TestLogprobs:
    @pytest.mark.parametrize("vocab", [7, 1000, 32_000])
    def test_same_as_float64(self, vocab: int) -> None:
        logits = random_logits(4, vocab, scale=5)
        tokens = torch.tensor([0, 1, vocab // 2, vocab - 1])
        logprobs, top_ids, top_logprobs = sampling.token_logprobs(logits, tokens, 5)
        expected = logits.double().log_softmax(-1)
        assert torch.allclose(logprobs.double(), expected[torch.arange(4), tokens], atol=1e-4)
        assert torch.allclose(top_logprobs.double(), expected.topk(5).values, atol=1e-4)
        assert torch.equal(top_ids, expected.topk(5).indices)

    def test_no_more_alternatives_than_tokens(self) -> None:
        _, top_ids, _ = sampling.token_logprobs(random_logits(2, 3), torch.tensor([0, 1]), 20)
        assert top_ids.shape == (2, 3)
