"""What draws tokens for the slots of a batch, on whichever device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from townsfolk.sampling.params import SamplingParams
from townsfolk.sampling.report import SampledTokens


@dataclass(frozen=True, slots=True)
class SlotSampling:
    """How a sequence that joins the batch draws, and what it has said before: plain data.

    Attributes:
        slot: its place in the batch.
        params: its parameters; `params.seed` is not looked at.
        seed: of its draws, 0 to 2**64 - 1.
        prompt_ids: its prompt, as far as the repetition penalty counts it.
        reply_ids: what it generated before, when it comes back after a preemption.
        end_ids: at most 64 tokens that end its reply, besides those of every reply.
        latest: the token that it computes next.
        is_masked: whether its tokens are drawn under masks.
    """

    slot: int
    params: SamplingParams
    seed: int
    prompt_ids: Sequence[int] = ()
    reply_ids: Sequence[int] = ()
    end_ids: tuple[int, ...] = ()
    latest: int = 0
    is_masked: bool = False


class SamplerBackend(Protocol):
    """Keeps a stable slot of state for each sequence of the batch, from `admit` to `release`.

    The n-th token of a sequence is a function of its logits, its parameters, the tokens before and
    the n-th random number of its seed. Which sequences share a batch changes nothing.
    """

    @property
    def drawn(self) -> Tensor:
        """The token that each slot has drawn last, or its latest: [max_slots]."""

    def admit(self, joining: Sequence[SlotSampling]) -> dict[int, Exception]:
        """Give free slots to sequences.

        Returns:
            what was wrong, by slot; the others are admitted.
        """

    def release(self, slot: int) -> None:
        """Take a slot back. One that is free already stays so."""

    def adjust(self, slots: Sequence[int], biases: Sequence[Mapping[int, float]]) -> None:
        """Set what is added to the logits of slots besides their biases, until it is set anew.

        Args:
            slots: each admitted.
            biases: of each, by token id. Of more than there is room for beside its own biases, the
                strongest count.
        """

    def draw(
        self, logits: Tensor, slots: Tensor, indices: Tensor, masks: Tensor | None = None
    ) -> SampledTokens:
        """Draw one token for each of some slots, without waiting for the device.

        Args:
            logits: [n, vocab], fp32; not changed.
            slots: [n], int32, on the device: each at most once, each admitted; below 0 for a place
                for which nothing is drawn.
            indices: [n], int32, on the device: how many tokens each has drawn before.
            masks: [n, ceil(vocab / 32)], int32, on the device: the tokens that may be drawn at all,
                before all filters, have their bit set; all may where there are none.
        """
