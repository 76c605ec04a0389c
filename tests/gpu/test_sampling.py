"""Draws by the kernels from a large vocabulary, against the sampler on the same logits."""

import pytest
import torch
from close_calls import is_close_call
from townsfolk.sampling import Sampler, SamplingParams, SlotSampling
from townsfolk.sampling.triton_backend import TritonBackend, is_plain
from townsfolk_kernels.sampling.draw import Mailbox, draw
from townsfolk_kernels.sampling.logprobs import DrawReport

DEVICE = torch.device("cuda")
VOCAB = 128_256
ASKED = [
    SamplingParams(temperature=0),
    SamplingParams(top_k=40),
    SamplingParams(top_k=64, min_p=0.02, min_new_tokens=5, stop_token_ids=(9, 2)),
    SamplingParams(top_k=1000, top_p=1.0),
    SamplingParams(temperature=1.5, top_k=300, top_p=0.9),
    SamplingParams(temperature=0.3, top_k=0, top_p=0.7),
    SamplingParams(temperature=2.0, top_k=0, top_p=0.95),
    SamplingParams(temperature=2.0, top_k=0, top_p=0.98, min_p=0.1),
    SamplingParams(top_k=0, top_p=1.0),
    SamplingParams(top_k=0, top_p=1.0, min_p=0.1, logit_bias={5: 3.0, 70_000: 9.0}),
    SamplingParams(repetition_penalty=1.3, presence_penalty=0.5, frequency_penalty=0.7),
    SamplingParams(temperature=0, logprobs=20, repetition_penalty=1.5),
    SamplingParams(temperature=1.3, top_k=0, top_p=1.0, logprobs=0),
]


@pytest.mark.parametrize("plain", [False, True], ids=["general", "plain"])
def test_draws_are_those_of_the_sampler(plain):
    asked = [each for each in ASKED * 6 if not plain or is_plain(each, VOCAB)]
    count = len(asked)
    generator = torch.Generator().manual_seed(torch.seed() % 2**31)
    print("seed", generator.initial_seed())
    sampler = Sampler(count, VOCAB, (3, 5), torch.device("cpu"))
    backend = TritonBackend(count, VOCAB, (3, 5), DEVICE, 64)
    requests = []
    for row, params in enumerate(asked):
        prompt = torch.randint(0, VOCAB, (9,), generator=generator).tolist()
        made = SlotSampling(row, params, row * 977, prompt, latest=prompt[-1])
        requests.append(made)
        sampler.admit(row, params, made.seed, prompt)
    assert backend.admit(requests) == {}
    assert backend.drawn.tolist() == [each.latest for each in requests]
    rows = torch.arange(count, dtype=torch.int32, device=DEVICE)
    indices, positions = torch.zeros_like(rows), torch.zeros_like(rows)
    _, report = DrawReport.allocate(count, DEVICE)
    turns = torch.zeros(4, count, dtype=torch.int32, pin_memory=True)
    mailbox = Mailbox(turns, torch.zeros(1, dtype=torch.int32, device=DEVICE), positions)
    said: list[list[int]] = [[] for _ in asked]
    for step in range(3):
        logits = torch.randn(count, VOCAB, generator=generator) * (1 + 3 * (step % 2))
        expected = sampler.sample(logits, list(range(count)), [step] * count)
        on_device = logits.to(DEVICE)
        if plain:
            space = torch.empty(count, -(-VOCAB // 64), device=DEVICE)
            draw(on_device, rows, indices, backend.rows, space, mailbox)
            torch.cuda.synchronize()
            tokens = turns[(step + 1) % 4]
        else:
            indices.fill_(step)
            backend.draw_into(on_device, rows, indices, report.part(slice(0, count)))
            tokens = report.tokens[:count].cpu()
            # The logarithm of a sum near e^18 in fp32, summed in another order: some units of 2e-6.
            torch.testing.assert_close(
                report.logprobs[:count].cpu(), expected.logprobs, equal_nan=True, rtol=0, atol=4e-5
            )
            same = tokens.long() == expected.token_ids
            known = same & ~expected.drawn_logprobs.isnan()
            assert known.any()
            torch.testing.assert_close(
                report.drawn_logprobs[:count].cpu()[known],
                expected.drawn_logprobs[known],
                rtol=0,
                atol=4e-5,
            )
            last = [n for n, each in enumerate(asked) if each.logprobs]
            assert torch.equal(report.top_ids[last].cpu().long(), expected.top_ids[last])
        # A draw may fall between two roundings of a sum over the vocabulary.
        wrong = (tokens.long() != expected.token_ids).nonzero()[:, 0].tolist()
        assert len(wrong) <= 2
        for n in wrong:
            reply = said[n]
            token, seed = int(tokens[n]), requests[n].seed
            assert is_close_call(
                logits[n], asked[n], seed, requests[n].prompt_ids, reply, token, 1e-5
            )
        if wrong:
            return  # the histories differ from here on
        for n, token in enumerate(expected.token_ids.tolist()):
            said[n].append(token)
