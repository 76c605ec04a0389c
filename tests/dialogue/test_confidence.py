from __future__ import annotations

import pytest
from townsfolk.dialogue.confidence import ConfidenceMeter
from townsfolk.dialogue.speech import Speech, SpeechSettings, Spoken
from townsfolk.engine.outputs import TokenInfo


class Words:
    """A tokenizer of whole texts."""

    def __init__(self, *texts: str) -> None:
        self._texts = texts

    def whole_text(self, token_id: int) -> str | None:
        return self._texts[token_id]


def test_a_sentence_has_the_mean_and_the_peaks_of_its_own_tokens():
    words = Words("Good", " even", "ing.", " I", " am", " Mira.", "<end>")
    meter = ConfidenceMeter(words, threshold=3.0)
    numbers = [(-1.0, 0.5), (-2.0, 1.5), (0.0, 0.1), (-0.5, 0.2), (-0.5, 0.4), (-4.0, 3.5)]
    infos = [TokenInfo(n, logprob, (), entropy) for n, (logprob, entropy) in enumerate(numbers)]
    meter.take("Good even", tuple(infos[:2]))
    meter.take("ing. I am Mira.", (*infos[2:], TokenInfo(6, -9.0, (), 9.0)))
    one, two = sentences("Good evening. I am Mira.")
    first = meter.of(one)
    assert first.mean_logprob == pytest.approx(-1.0)
    assert [(p.start, p.length, p.entropy) for p in first.peaks] == [
        (5, 4, 1.5), (0, 4, 0.5), (9, 4, 0.1)
    ]  # fmt: skip
    assert not first.hesitated
    second = meter.of(two)
    assert second.mean_logprob == pytest.approx(-5 / 3)
    assert (second.peaks[0].start, second.peaks[0].length) == (5, 5)
    assert second.hesitated


def test_what_is_not_said_counts_for_no_sentence():
    words = Words("I", " *", "po", "ints", "*", " saw", " you.")
    meter = ConfidenceMeter(words, threshold=3.0)
    entropies = [0.1, 9.0, 9.0, 9.0, 9.0, 0.5, 1.0]
    infos = [TokenInfo(n, -1.0, (), entropy) for n, entropy in enumerate(entropies)]
    meter.take("I *points* saw you.", tuple(infos))
    (only,) = sentences("I *points* saw you.")
    assert only.text == "I saw you."
    sure = meter.of(only)
    assert [(p.start, p.length, p.entropy) for p in sure.peaks] == [
        (6, 4, 1.0), (2, 3, 0.5), (0, 1, 0.1)
    ]  # fmt: skip


def test_what_nobody_drew_has_no_confidence():
    meter = ConfidenceMeter(Words("a"), threshold=1.0)
    (only,) = sentences("Hello.")
    assert meter.of(only) is None
    meter.take("Hello.", (TokenInfo(0, None),))
    assert meter.of(only) is None


def sentences(text: str) -> list[Spoken]:
    speech = Speech(SpeechSettings())
    return [each for each in (*speech.take(text), *speech.finish()) if isinstance(each, Spoken)]
