"""What an adapter learns by, against all that can happen in a small world."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from family_models import FAMILIES, VOCABULARY, write_model
from hypothesis import given, settings
from hypothesis import strategies as st
from peft_adapters import targets_of
from townsfolk.checkpoint import AdapterConfig
from townsfolk.learning.objective import Objective, draw_logprobs, draw_rows
from townsfolk.learning.prefix_tree import tree_rows
from townsfolk.learning.samples import Sample
from townsfolk.training.lora import LoraDecoder
from townsfolk.training.ops import document_masks, document_positions

CPU = torch.device("cpu")
PROMPTS = ([5, 6, 7, 8], [5, 6, 9])
FIRST, SECOND = (11, 12, 50), (20, 21, 33, 99)
TEMPERATURE = 1.7


@pytest.fixture(scope="module", params=["llama", "mistral"])
def decoder(request, tmp_path_factory) -> LoraDecoder:
    """A decoder whose adapter has learned something already."""
    family = FAMILIES[request.param]
    changes = family.windowed if request.param == "mistral" else {}
    folder = tmp_path_factory.mktemp(request.param)
    write_model(request.param, folder, **changes)
    targets = tuple(targets_of(request.param))
    made = LoraDecoder(folder, AdapterConfig(r=4, lora_alpha=8, target_modules=targets), CPU)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for each in made.parameters():
            each.add_(torch.randn(each.shape, generator=generator) * 0.1)
    return made.eval()


def bits(*allowed):
    words = np.zeros((len(allowed), -(-VOCABULARY // 32)), dtype=np.int32)
    for row, tokens in zip(words, allowed, strict=True):
        for token in tokens:
            row[token // 32] |= np.int32(np.uint32(1 << token % 32).view(np.int32))
    return words


def plays() -> list[tuple[list[int], int, int]]:
    """Each prompt, and each way in which two draws behind it can end."""
    return [(p, a, b) for p, a, b in itertools.product(PROMPTS, FIRST, SECOND)]


def reward(prompt, first, second) -> float:
    return (first * second + len(prompt)) % 7 - 2.5


def sample(prompt, first, second, advantage=0.0) -> Sample:
    at = len(prompt) - 1
    return Sample(
        tokens=(*prompt, first),
        places=np.array([at, at + 1]),
        drawn=np.array([first, second]),
        logprobs=np.zeros(2, dtype=np.float32),
        allowed=bits(FIRST, SECOND),
        temperature=TEMPERATURE,
        advantage=advantage,
    )


def exact(decoder, prompt, first, second) -> torch.Tensor:
    """Log-probabilities of both draws, by a forward pass of this text alone."""
    tokens = torch.tensor([[*prompt, first]])
    documents = torch.ones_like(tokens)
    masks = document_masks(documents, decoder.spec, blockwise=False)
    logits = decoder(tokens, document_positions(documents), masks)[0, -2:] / TEMPERATURE
    drawn = [
        row[list(among)].log_softmax(-1)[among.index(token)]
        for row, among, token in zip(logits, (FIRST, SECOND), (first, second), strict=True)
    ]
    return torch.stack(drawn)


def gradients(decoder, value) -> list[torch.Tensor]:
    return list(torch.autograd.grad(value, [*decoder.parameters()]))


def test_draws_in_a_tree_are_as_likely_as_in_texts_of_their_own(decoder):
    made = [sample(*play) for play in plays()]
    rows = draw_rows(made, 7, CPU)
    assert len(rows) > 1
    for row in rows:
        found = draw_logprobs(decoder, row).split(2)
        for number, ours in zip(row.row.texts, found, strict=True):
            torch.testing.assert_close(ours, exact(decoder, *plays()[number]), atol=1e-5, rtol=0)


def test_the_gradient_is_that_of_the_expected_reward(decoder):
    """Over all that can happen, each as often as it does."""
    expected = sum(exact(decoder, *play).sum().exp() * reward(*play) for play in plays())
    wanted = gradients(decoder, -expected)
    made = []
    for play in plays():
        with torch.no_grad():
            probability = float(exact(decoder, *play).sum().exp())
        made.append(sample(*play, advantage=probability * reward(*play)))
    total = torch.zeros(())
    for row in draw_rows(made, 64, CPU):
        logprobs = draw_logprobs(decoder, row)
        losses, _ = Objective(kl=0.0).losses(
            logprobs, logprobs.detach(), logprobs.detach(), row.advantages
        )
        total = total + losses.sum()
    found = gradients(decoder, total)
    for ours, theirs in zip(found, wanted, strict=True):
        torch.testing.assert_close(ours, theirs, atol=2e-5, rtol=1e-3)


def test_the_distance_is_the_divergence_from_the_base_model(decoder):
    """The estimate, weighted by how often each draw comes."""
    objective, distance, divergence = Objective(kl=1.0), 0.0, 0.0
    with torch.no_grad():
        for play in plays():
            now = exact(decoder, *play)[0]
            with decoder.without_adapter():
                base = exact(decoder, *play)[0]
            weight = now.exp() / (len(PROMPTS) * len(SECOND))
            zero = torch.zeros(())
            loss, estimate = objective.losses(now, now, base, zero)
            assert float(estimate) >= 0
            assert float(loss) == pytest.approx(float(estimate))
            distance += float(weight * estimate)
            divergence += float(weight * (now - base))
    assert divergence > 1e-3
    assert distance == pytest.approx(divergence, rel=1e-3)


def test_the_switch_leaves_the_base_model(decoder, tmp_path):
    with torch.no_grad(), decoder.without_adapter():
        base = exact(decoder, *plays()[0])
    kept = {name: each.clone() for name, each in decoder.state_dict().items()}
    with torch.no_grad():
        for name, each in decoder.named_parameters():
            if "lora_B" in name:
                each.zero_()
        torch.testing.assert_close(exact(decoder, *plays()[0]), base)
    decoder.load_state_dict(kept)
    with torch.no_grad():
        assert not torch.allclose(exact(decoder, *plays()[0]), base)


@pytest.mark.parametrize(
    ("ratio", "advantage", "gains"),
    [(1.0, 2.0, True), (1.3, 2.0, False), (0.7, 2.0, True), (0.7, -1.0, False), (1.3, -1.0, True)],
)
def test_what_is_far_from_what_drew_gains_nothing(ratio, advantage, gains):
    logprob = torch.tensor(ratio).log().requires_grad_()
    zero = torch.zeros(())
    loss, _ = Objective(clip=0.2, kl=0.0).losses(logprob, zero, zero, torch.tensor(advantage))
    (gradient,) = torch.autograd.grad(loss, logprob)
    assert float(gradient) == pytest.approx(-ratio * advantage if gains else 0.0, abs=1e-6)


@settings(deadline=None, max_examples=60)
@given(
    texts=st.lists(
        st.lists(st.integers(0, 3), min_size=1, max_size=9).map(tuple), min_size=1, max_size=12
    ),
    length=st.integers(1, 30),
)
def test_a_tree_holds_every_text(texts, length):
    rows = tree_rows(texts, length)
    assert sorted(number for row in rows for number in row.texts) == list(range(len(texts)))
    for row in rows:
        assert len(row.tokens) <= length or len(row.texts) == 1 or len({*map(len, row.paths)}) == 1
        assert not np.triu(row.ancestors, 1).any()  # parents come first
        for number, path in zip(row.texts, row.paths, strict=True):
            assert tuple(row.tokens[path]) == texts[number]
            assert row.positions[path].tolist() == list(range(len(path)))
            for place, node in enumerate(path):
                assert sorted(np.flatnonzero(row.ancestors[node])) == sorted(path[: place + 1])
