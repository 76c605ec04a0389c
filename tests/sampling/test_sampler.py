import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from townsfolk.sampling import InvalidSamplingError, Sampler, SamplingParams, prompt_logprobs

CPU = torch.device("cpu")
EOS = 2


def logits_of(vocab: int, request: int, step: int) -> Tensor:
    """The [vocab] logits that a request's model would give at a step; with ties, as bf16 has."""
    random = torch.Generator().manual_seed(1000 * request + step)
    return (torch.randn(vocab, generator=random) * 3).bfloat16().float()


def run(
    requests: dict[int, SamplingParams],
    vocab: int,
    steps: int,
    rows: dict[int, int] | None = None,
    joins: dict[int, int] | None = None,
) -> dict[int, list[int]]:
    """Runs requests as one batch; `rows` places them, `joins` says at which step each comes in."""
    rows = rows or {request: n for n, request in enumerate(requests)}
    joins = joins or dict.fromkeys(requests, 0)
    sampler = Sampler(max(rows.values()) + 1, vocab, [EOS], CPU)
    replies: dict[int, list[int]] = {request: [] for request in requests}
    for step in range(steps + max(joins.values())):
        for request, params in requests.items():
            if joins[request] == step:
                sampler.admit(rows[request], params, request, [request, 3, 3])
        batch = [r for r in requests if joins[r] <= step and len(replies[r]) < steps]
        if not batch:
            continue
        logits = torch.stack([logits_of(vocab, r, len(replies[r])) for r in batch])
        counts = [len(replies[r]) for r in batch]
        drawn = sampler.sample(logits, [rows[r] for r in batch], counts)
        for request, token in zip(batch, drawn.token_ids.tolist(), strict=True):
            replies[request].append(token)
            if len(replies[request]) == steps:
                sampler.release(rows[request])
    return replies


MIXED = [
    SamplingParams(),
    SamplingParams(temperature=0),
    SamplingParams(temperature=0, repetition_penalty=1.5),
    SamplingParams(top_k=0, top_p=1.0),
    SamplingParams(top_k=0, top_p=0.9),
    SamplingParams(top_k=0, top_p=0.999, temperature=3.0),
    SamplingParams(top_k=0, top_p=1.0, min_p=0.1),
    SamplingParams(top_k=1000, top_p=0.99, temperature=2.0),
    SamplingParams(top_k=4, top_p=1.0, temperature=2.0),
    SamplingParams(top_k=3, logit_bias={5: 4.0, 7: -100.0}),
    SamplingParams(frequency_penalty=1.0, presence_penalty=0.5, top_k=5),
    SamplingParams(min_new_tokens=5, stop_token_ids=(9,), logprobs=3),
    SamplingParams(temperature=1.3, top_k=50, top_p=0.8, min_p=0.02, repetition_penalty=1.1),
]


@pytest.fixture(params=[1, 2], ids=["one-thread", "two-threads"])
def _threads(request: pytest.FixtureRequest):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield
    torch.set_num_threads(before)


class TestBatchIndependence:
    @pytest.mark.usefixtures("_threads")
    @pytest.mark.parametrize("vocab", [300, 32_000])
    def test_alone_or_with_others(self, vocab: int) -> None:
        requests = dict(enumerate([*MIXED, *MIXED]))
        together = run(requests, vocab, steps=4)
        alone = {r: run({r: p}, vocab, steps=4)[r] for r, p in requests.items()}
        assert together == alone

    @settings(deadline=None, max_examples=30)
    @given(data=st.data())
    def test_rows_order_and_time_of_joining_do_not_matter(self, data: st.DataObject) -> None:
        requests = dict(enumerate(MIXED))
        places = data.draw(st.permutations(range(len(MIXED))))
        joins = data.draw(st.lists(st.integers(0, 3), min_size=len(MIXED), max_size=len(MIXED)))
        order = data.draw(st.permutations(list(requests)))
        moved = run(
            {r: requests[r] for r in order},
            vocab=90,
            steps=5,
            rows=dict(zip(requests, places, strict=True)),
            joins=dict(zip(requests, joins, strict=True)),
        )
        assert moved == run(requests, vocab=90, steps=5)

    def test_preemption_changes_nothing(self) -> None:
        for params in MIXED:
            whole = run({8: params}, vocab=90, steps=70)[8]
            sampler = Sampler(3, 90, [EOS], CPU)
            for step in range(65, 70):
                sampler.admit(1, params, 8, [8, 3, 3], whole[:step])
                drawn = sampler.sample(logits_of(90, 8, step)[None], [1], [step])
                assert drawn.token_ids.item() == whole[step]
                sampler.release(1)

    def test_a_row_keeps_nothing_of_its_last_request(self) -> None:
        sampler = Sampler(1, 90, [EOS], CPU)
        for params in MIXED:
            expected = run({7: params}, 90, steps=3)[7]
            for before in MIXED:
                sampler.admit(0, before, 5, [4, 5, 6])
                sampler.sample(logits_of(90, 5, 0)[None], [0], [0])
                sampler.release(0)
                sampler.admit(0, params, 7, [7, 3, 3])
                for step, token in enumerate(expected):
                    drawn = sampler.sample(logits_of(90, 7, step)[None], [0], [step])
                    assert drawn.token_ids.item() == token
                sampler.release(0)


LOGITS = torch.tensor([1.0, -0.5, 0.3, 2.0, -1.0, 0.0])
UNFILTERED = {"temperature": 1.0, "top_k": 0, "top_p": 1.0}


class TestDistribution:
    ROWS = 3000

    def draw_once(self, logits: Tensor, params: SamplingParams, **request) -> Tensor:
        """Counts [vocab] of one draw for each of many seeds."""
        sampler = Sampler(self.ROWS, len(logits), [EOS], CPU)
        for row in range(self.ROWS):
            sampler.admit(row, params, row, **request)
        counts = [len(request.get("generated_ids", ()))] * self.ROWS
        drawn = sampler.sample(logits.expand(self.ROWS, -1), range(self.ROWS), counts)
        return torch.bincount(drawn.token_ids, minlength=len(logits)).double()

    def check(self, counts: Tensor, logits: Tensor) -> None:
        expected = self.ROWS * logits.double().softmax(-1)
        assert not counts[expected == 0].any()
        counts, expected = counts[expected > 0], expected[expected > 0]
        assert expected.min() > 5
        statistic = ((counts - expected) ** 2 / expected).sum()
        freedom = torch.tensor((len(counts) - 1) / 2, dtype=torch.float64)
        assert torch.special.gammaincc(freedom, statistic / 2) > 0.001

    def test_penalties(self) -> None:
        params = SamplingParams(
            **UNFILTERED, repetition_penalty=1.5, presence_penalty=0.4, frequency_penalty=-0.2
        )
        counts = self.draw_once(LOGITS, params, prompt_ids=[0, 1, 1], generated_ids=[3, 3, 4])
        expected = LOGITS.clone()
        expected[0] /= 1.5
        expected[1] *= 1.5
        expected[3] = expected[3] / 1.5 - 0.4 + 2 * 0.2
        expected[4] = expected[4] * 1.5 - 0.4 + 0.2
        self.check(counts, expected)

    def test_bias(self) -> None:
        params = SamplingParams(**UNFILTERED, logit_bias={0: 1.5, 3: -100.0, 5: -0.5})
        expected = LOGITS + torch.tensor([1.5, 0, 0, -math.inf, 0, -0.5])
        self.check(self.draw_once(LOGITS, params, prompt_ids=[1]), expected)

    def test_no_end_before_the_minimum(self) -> None:
        params = SamplingParams(**UNFILTERED, min_new_tokens=2, stop_token_ids=(4,))
        expected = LOGITS.clone()
        expected[[EOS, 4]] = -math.inf
        early = self.draw_once(LOGITS, params, prompt_ids=[1], generated_ids=[0])
        self.check(early, expected)
        late = self.draw_once(LOGITS, params, prompt_ids=[1], generated_ids=[0, 0])
        self.check(late, LOGITS)

    def test_all_at_once(self) -> None:
        params = SamplingParams(
            temperature=1.5,
            top_k=4,
            top_p=0.85,
            min_p=0.2,
            repetition_penalty=1.2,
            presence_penalty=0.3,
            logit_bias={5: 1.0},
            min_new_tokens=3,
        )
        expected = LOGITS.clone()
        expected[3] = expected[3] / 1.2 - 0.3
        expected[5] += 1.0
        expected[EOS] = -math.inf
        expected /= 1.5
        order = expected.argsort(descending=True)
        probs = expected[order[:4]].double().softmax(-1)
        kept = (probs.cumsum(-1) - probs < 0.85) & (probs >= 0.2 * probs[0])
        expected[order[4:]] = -math.inf
        expected[order[:4][~kept]] = -math.inf
        assert torch.isfinite(expected).sum() == 3
        counts = self.draw_once(LOGITS, params, prompt_ids=[3], generated_ids=[3])
        self.check(counts, expected)

    def test_drawn_tokens_are_penalized_next(self) -> None:
        sampler = Sampler(1, 6, [EOS], CPU)
        sampler.admit(0, SamplingParams(temperature=0, presence_penalty=10), 0, [])
        drawn = [sampler.sample(LOGITS[None], [0], [n]).token_ids.item() for n in range(6)]
        assert drawn == LOGITS.argsort(descending=True).tolist()

    def test_long_replies_outgrow_the_first_room(self) -> None:
        sampler = Sampler(2, 1000, [EOS], CPU)
        sampler.admit(1, SamplingParams(temperature=0, presence_penalty=10), 0, [999])
        logits = torch.linspace(1, 0, 1000)[None]
        drawn = [sampler.sample(logits, [1], [n]).token_ids.item() for n in range(600)]
        assert drawn == list(range(600))

    def test_a_long_prompt_beside_a_short_one(self) -> None:
        sampler = Sampler(2, 1000, [EOS], CPU)
        params = SamplingParams(temperature=0, repetition_penalty=2.0)
        sampler.admit(0, params, 0, [7])
        sampler.admit(1, params, 0, list(range(700)))
        logits = torch.linspace(2, 1, 1000).expand(2, -1)
        assert sampler.sample(logits, [0, 1], [0, 0]).token_ids.tolist() == [0, 700]

    def test_a_row_that_has_said_nothing_beside_a_long_prompt(self) -> None:
        sampler = Sampler(2, 1000, [EOS], CPU)
        params = SamplingParams(temperature=0, repetition_penalty=2.0)
        sampler.admit(0, params, 0, [])
        sampler.admit(1, params, 0, list(range(700)))
        logits = torch.linspace(2, 1, 1000).expand(2, -1)
        drawn = [sampler.sample(logits, [0, 1], [n, n]).token_ids.tolist() for n in range(3)]
        assert drawn == [[0, 700], [1, 701], [2, 702]]


class TestLogprobs:
    def test_of_the_unfiltered_distribution(self) -> None:
        logits = torch.stack([logits_of(500, 1, n) for n in range(3)])
        sampler = Sampler(3, 500, [EOS], CPU)
        params = SamplingParams(
            temperature=0.3, top_k=2, logit_bias={4: 50.0}, repetition_penalty=2.0, logprobs=4
        )
        for row in range(3):
            sampler.admit(row, params, row, [1, 2, 3])
        drawn = sampler.sample(logits, [0, 1, 2], [0, 0, 0])
        expected = logits.double().log_softmax(-1)
        assert drawn.token_ids.tolist() == [4, 4, 4]
        assert torch.allclose(drawn.logprobs.double(), expected[:, 4], atol=1e-4)
        assert drawn.top_logprobs is not None
        assert torch.allclose(drawn.top_logprobs.double(), expected.topk(4).values, atol=1e-4)

    def test_of_what_was_drawn_from(self) -> None:
        """Behind bias, mask and temperature; not known where top-k cuts."""
        logits = torch.stack([logits_of(500, 1, n) for n in range(3)])
        sampler = Sampler(3, 500, [EOS], CPU)
        whole = {"top_k": 0, "top_p": 1.0, "temperature": 1.7, "logprobs": 0}
        sampler.admit(0, SamplingParams(**whole, logit_bias={4: 2.0}), 0, [1])
        sampler.admit(1, SamplingParams(**whole | {"top_k": 9}), 1, [1])
        sampler.admit(2, SamplingParams(**whole | {"logprobs": None}), 2, [1])
        words = torch.full((3, 16), -1, dtype=torch.int32)
        words[0] = 0
        words[0, 0] = 0b110110
        drawn = sampler.sample(logits, [0, 1, 2], [0, 0, 0], words)
        assert drawn.drawn_logprobs is not None
        assert drawn.drawn_logprobs.isnan().tolist() == [False, True, True]
        allowed = [1, 2, 4, 5]
        of_these = (logits[0, allowed] + torch.tensor([0.0, 0.0, 2.0, 0.0])).double() / 1.7
        place = allowed.index(int(drawn.token_ids[0]))
        expected = of_these.log_softmax(-1)[place]
        assert float(drawn.drawn_logprobs[0]) == pytest.approx(float(expected), abs=1e-5)

    def test_each_row_as_it_asked(self) -> None:
        logits = torch.stack([logits_of(500, 1, n) for n in range(3)])
        sampler = Sampler(3, 500, [EOS], CPU)
        for row, top_n in enumerate((None, 0, 2)):
            sampler.admit(row, SamplingParams(logprobs=top_n), row, [1])
        drawn = sampler.sample(logits, [0, 1, 2], [0, 0, 0])
        assert drawn.logprobs.isnan().tolist() == [True, False, False]
        assert drawn.top_ids is not None
        assert drawn.top_ids.shape == (3, 2)
        assert (
            drawn.top_ids[2].tolist()
            == logits[2].sort(descending=True, stable=True)[1][:2].tolist()
        )

    def test_nobody_asked(self) -> None:
        sampler = Sampler(1, 500, [EOS], CPU)
        sampler.admit(0, SamplingParams(), 0, [1])
        drawn = sampler.sample(logits_of(500, 1, 0)[None], [0], [0])
        assert drawn.logprobs.isnan().all()
        assert drawn.top_ids is None

    def test_of_a_prompt(self) -> None:
        logits = torch.stack([logits_of(500, 1, n) for n in range(4)])
        next_ids = torch.tensor([3, 1, 4, 1])
        result = prompt_logprobs(logits, next_ids, 2)
        expected = logits.double().log_softmax(-1)
        assert torch.allclose(
            result.logprobs.double(), expected[torch.arange(4), next_ids], atol=1e-4
        )
        assert result.top_ids is not None
        assert result.top_ids.shape == (4, 2)


class TestRows:
    def test_logits_are_not_changed(self) -> None:
        sampler = Sampler(len(MIXED), 90, [EOS], CPU)
        for row, params in enumerate(MIXED):
            sampler.admit(row, params, row, [1])
        logits = torch.stack([logits_of(90, r, 0) for r in range(len(MIXED))])
        before = logits.clone()
        sampler.sample(logits, range(len(MIXED)), [0] * len(MIXED))
        assert torch.equal(logits, before)

    def test_a_taken_row_is_refused(self) -> None:
        sampler = Sampler(1, 90, [EOS], CPU)
        sampler.admit(0, SamplingParams(), 0, [1])
        with pytest.raises(ValueError, match="row 0 is taken"):
            sampler.admit(0, SamplingParams(), 0, [1])

    def test_a_free_row_is_refused(self) -> None:
        sampler = Sampler(2, 90, [EOS], CPU)
        sampler.admit(0, SamplingParams(), 0, [1])
        with pytest.raises(ValueError, match="row 1 was not admitted"):
            sampler.sample(torch.zeros(2, 90), [0, 1], [0, 0])

    def test_a_refused_request_leaves_the_row_free(self) -> None:
        sampler = Sampler(1, 90, [EOS], CPU)
        with pytest.raises(InvalidSamplingError):
            sampler.admit(0, SamplingParams(logit_bias={90: 1.0}), 0, [1])
        sampler.admit(0, SamplingParams(), 0, [1])

    def test_seeds_use_all_64_bits(self) -> None:
        logits = torch.zeros(4, 5000)
        sampler = Sampler(4, 5000, [], CPU)
        for row, seed in enumerate((0, 2**32, 2**63, 2**64 - 1)):
            sampler.admit(row, SamplingParams(top_k=0, top_p=1.0), seed, [1])
        drawn = sampler.sample(logits, range(4), [0] * 4).token_ids
        assert drawn.unique().numel() == 4
