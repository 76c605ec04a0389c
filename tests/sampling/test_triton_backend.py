"""Draws by the kernels are those of the sampler; Triton's interpreter runs them on the CPU."""

from dataclasses import replace

import pytest
import torch
import triton_interpreter  # noqa: F401  before a kernel runs
from townsfolk.sampling import InvalidSamplingError, Sampler, SamplingParams, SlotSampling
from townsfolk.sampling.triton_backend import TritonBackend, is_plain
from townsfolk_kernels.sampling.draw import Mailbox, draw
from townsfolk_kernels.sampling.logprobs import DrawReport

CPU = torch.device("cpu")
EOS = (3, 5)
ASKED = {
    "greedy": SamplingParams(temperature=0),
    "top-k": SamplingParams(top_k=7, top_p=0.8, min_p=0.01),
    "large top-k": SamplingParams(top_k=200, top_p=1.0),
    "large top-k and top-p": SamplingParams(temperature=1.5, top_k=150, top_p=0.97),
    "small nucleus": SamplingParams(temperature=0.4, top_k=0, top_p=0.7),
    "large nucleus": SamplingParams(temperature=3.0, top_k=0, top_p=0.95),
    "nucleus and min-p": SamplingParams(temperature=3.0, top_k=0, top_p=0.97, min_p=0.2),
    "everything": SamplingParams(temperature=1.0, top_k=0, top_p=1.0),
    "min-p": SamplingParams(temperature=2.0, top_k=0, top_p=1.0, min_p=0.3),
    "penalties": SamplingParams(
        top_k=20, repetition_penalty=1.3, presence_penalty=0.5, frequency_penalty=0.7
    ),
    "bias": SamplingParams(top_k=0, top_p=0.9, logit_bias={7: 3.5, 11: -100.0, 64: 2.0}),
    "stops": SamplingParams(top_k=0, stop_token_ids=(9, 2), min_new_tokens=3),
    "logprobs": SamplingParams(top_k=10, logprobs=20, repetition_penalty=2.0),
    "logprob": SamplingParams(temperature=0, logprobs=0),
    "logprob of all": SamplingParams(
        temperature=1.7, top_k=0, top_p=1.0, logprobs=0, repetition_penalty=1.4
    ),
    "logprob and min-p": SamplingParams(top_k=0, top_p=1.0, min_p=0.1, logprobs=2),
}


@pytest.fixture(params=[90, 1000], ids=["vocabulary 90", "vocabulary 1000"])
def vocab(request):
    return request.param


@pytest.mark.parametrize("rounded", [False, True], ids=["", "many equal"])
def test_general_draws_are_those_of_the_sampler(vocab, rounded):
    steps, rows = 2, list(range(len(ASKED)))
    generator = torch.Generator().manual_seed(torch.initial_seed() % 2**31)
    print("seed", generator.initial_seed())
    sampler = Sampler(len(rows), vocab, EOS, CPU)
    backend = TritonBackend(len(rows), vocab, EOS, CPU, len(rows) + 1)
    joining = []
    for row, params in zip(rows, ASKED.values(), strict=True):
        prompt = torch.randint(0, vocab, (9,), generator=generator).tolist()
        reply = prompt[:2] * (row % 3)  # some were preempted
        seed = int(torch.randint(-(2**62), 2**62, (), generator=generator)) % 2**64
        joining.append(SlotSampling(row, params, seed, prompt, reply, latest=prompt[-1]))
        sampler.admit(row, params, seed, prompt, reply)
    assert backend.admit(joining) == {}
    assert backend.drawn.tolist() == [each.latest for each in joining]
    _, out = DrawReport.allocate(len(rows) + 1, CPU)
    places = torch.tensor([*rows[:3], -1, *rows[3:]], dtype=torch.int32)
    used = (places >= 0).nonzero()[:, 0]
    for step in range(steps):
        logits = torch.randn(len(rows), vocab, generator=generator) * 3
        logits = logits.round() if rounded else logits
        indices = [len(each.reply_ids) + step for each in joining]
        expected = sampler.sample(logits, rows, indices)
        spread = torch.full((len(rows) + 1, vocab), float("nan"))
        spread[used] = logits
        counts = torch.full((len(rows) + 1,), -1, dtype=torch.int32)
        counts[used] = torch.tensor(indices, dtype=torch.int32)
        out.tokens[3] = -7
        backend.draw_into(spread, places, counts, out)
        names = list(ASKED)
        for row in rows:
            print(step, names[row], out.tokens[used][row].item(), expected.token_ids[row].item())
        assert out.tokens[used].tolist() == expected.token_ids.tolist()
        assert backend.drawn.tolist() == expected.token_ids.tolist()
        assert out.tokens[3] == -7
        assert torch.equal(spread[used], logits)
        torch.testing.assert_close(out.logprobs[used], expected.logprobs, equal_nan=True)
        asked = ~expected.logprobs.isnan()
        torch.testing.assert_close(
            out.entropies[used][asked], expected.entropies[asked], atol=1e-4, rtol=1e-4
        )
        _check_drawn(out.drawn_logprobs[used][asked], expected.drawn_logprobs[asked])
        for name in ("logprobs", "logprob"):
            row = names.index(name)
            wanted = ASKED[name].logprobs
            place = used[row]
            assert out.top_ids[place, :wanted].tolist() == expected.top_ids[row, :wanted].tolist()
            torch.testing.assert_close(
                out.top_logprobs[place, :wanted], expected.top_logprobs[row, :wanted]
            )


def _check_drawn(found, expected):
    assert expected.isnan().sum() == len(expected) - 2  # all others are cut
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4, equal_nan=True)


def test_masked_draws_are_those_of_the_sampler(vocab):
    rows = list(range(len(ASKED)))
    generator = torch.Generator().manual_seed(torch.initial_seed() % 2**31)
    print("seed", generator.initial_seed())
    sampler = Sampler(len(rows), vocab, EOS, CPU)
    backend = TritonBackend(len(rows), vocab, EOS, CPU, 5)  # some at a time
    joining = [
        SlotSampling(row, params, 7 * row, [1, 2], is_masked=True)
        for row, params in enumerate(ASKED.values())
    ]
    for each in joining:
        sampler.admit(each.slot, each.params, each.seed, [1, 2])
    assert backend.admit(joining) == {}
    places = torch.tensor(rows, dtype=torch.int32)
    allowed = torch.rand(len(rows), vocab, generator=generator) < 0.2
    allowed[0] = False
    allowed[:, 1] = True  # never none
    masks = packed(allowed)
    for step in range(3):
        logits = torch.randn(len(rows), vocab, generator=generator) * 3
        indices = torch.full_like(places, step)
        expected = sampler.sample(logits, rows, indices.tolist(), masks)
        drawn = backend.draw(logits, places, indices, masks)
        assert drawn.token_ids.tolist() == expected.token_ids.tolist()
        assert allowed[rows, expected.token_ids].all()
        torch.testing.assert_close(drawn.logprobs, expected.logprobs, equal_nan=True)
        asked = ~expected.logprobs.isnan()
        _check_drawn(drawn.drawn_logprobs[asked], expected.drawn_logprobs[asked])


def test_adjusted_draws_are_those_of_the_sampler(vocab):
    rows = list(range(len(ASKED)))
    generator = torch.Generator().manual_seed(torch.initial_seed() % 2**31)
    print("seed", generator.initial_seed())
    sampler = Sampler(len(rows), vocab, EOS, CPU)
    backend = TritonBackend(len(rows), vocab, EOS, CPU, len(rows))
    joining = [
        SlotSampling(row, params, 7 * row, [1, 2], is_masked=True)
        for row, params in enumerate(ASKED.values())
    ]
    for each in joining:
        sampler.admit(each.slot, each.params, each.seed, [1, 2])
    assert backend.admit(joining) == {}
    places = torch.tensor(rows, dtype=torch.int32)
    best = None
    for step in range(4):  # none, some, the likeliest of all, none again
        logits = torch.randn(len(rows), vocab, generator=generator) * 3
        biases = [{} for _ in rows]
        if step == 1:
            biases = [{row: -2.0, 7: 1.5, 40 + row: -100.0} for row in rows]
        if step == 2:
            best = logits.argmax(-1).tolist()
            biases = [{token_id: -100.0} for token_id in best]
        backend.adjust(rows, biases)
        for row, own in zip(rows, biases, strict=True):
            sampler.adjust(row, own)
        indices = torch.full_like(places, step)
        expected = sampler.sample(logits, rows, indices.tolist())
        drawn = backend.draw(logits, places, indices)
        assert drawn.token_ids.tolist() == expected.token_ids.tolist()
        if step == 2:
            assert not {*enumerate(best)} & {*enumerate(drawn.token_ids.tolist())}


def packed(allowed: torch.Tensor) -> torch.Tensor:
    """[n, vocab] bool as bits: [n, words]."""
    short = -allowed.shape[1] % 32
    bits = torch.nn.functional.pad(allowed, (0, short)).view(allowed.shape[0], -1, 32)
    return (bits.long() << torch.arange(32)).sum(-1).to(torch.int32)


def test_plain_draws_are_those_of_the_sampler(vocab):
    asked = [params for params in ASKED.values() if is_plain(params, vocab)]
    asked += [replace(asked[1], min_new_tokens=4, stop_token_ids=tuple(range(20)))]
    rows = list(range(len(asked)))
    sampler = Sampler(len(rows), vocab, EOS, CPU)
    backend = TritonBackend(len(rows), vocab, EOS, CPU, len(rows))
    joining = [SlotSampling(row, params, 17 * row, [1, 2]) for row, params in enumerate(asked)]
    for each in joining:
        sampler.admit(each.slot, each.params, each.seed, [1, 2])
    assert backend.admit(joining) == {}
    places = torch.tensor(rows, dtype=torch.int32)
    indices, positions = torch.zeros_like(places), torch.full_like(places, 7)
    turns = torch.zeros(2, len(rows), dtype=torch.int32)
    mailbox = Mailbox(turns, torch.zeros(1, dtype=torch.int32), positions)
    for step in range(3):
        logits = torch.randn(len(rows), vocab)
        expected = sampler.sample(logits, rows, [step] * len(rows))
        draw(logits, places, indices, backend.rows, backend.space.maxima[0], mailbox)
        assert turns[(step + 1) % 2].tolist() == expected.token_ids.tolist()
        assert indices.unique().tolist() == [step + 1]
        assert positions.unique().tolist() == [step + 8]


def test_one_that_cannot_be_admitted_is_refused_alone(vocab):
    backend = TritonBackend(3, vocab, EOS, CPU, 3)
    bad = SamplingParams(stop_token_ids=(vocab,))
    refused = backend.admit(
        [SlotSampling(0, SamplingParams(temperature=0), 1, latest=4), SlotSampling(1, bad, 1),
         SlotSampling(2, SamplingParams(temperature=0), 1, latest=6)]
    )  # fmt: skip
    assert list(refused) == [1]
    assert isinstance(refused[1], InvalidSamplingError)
    assert backend.drawn.tolist() == [4, 0, 6]
    logits = torch.randn(2, vocab)
    slots, indices = torch.tensor([0, 2]).int(), torch.zeros(2).int()
    assert backend.draw(logits, slots, indices).token_ids.tolist() == logits.argmax(1).tolist()
