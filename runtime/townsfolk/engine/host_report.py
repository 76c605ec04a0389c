"""What a step drew on a CUDA device, once it has arrived on the host."""

from __future__ import annotations

from torch import Tensor
from townsfolk_kernels.sampling.logprobs import DrawReport

from townsfolk.sampling import TokenInfo
from townsfolk.sampling.report import known


class HostReport:
    """A report that has arrived, as lists: to ask tensors for single numbers takes far longer."""

    def __init__(self, flat: Tensor) -> None:
        report = DrawReport.of(flat)
        self._tokens: list[int] = report.tokens.tolist()
        self._logprobs: list[float] = report.logprobs.tolist()
        self._entropies: list[float] = report.entropies.tolist()
        self._drawn: list[float] = report.drawn_logprobs.tolist()
        self._ids, self._scores = report.top_ids.numpy(), report.top_logprobs.numpy()

    def token_info(self, at: int, asked: int) -> TokenInfo:
        """Return what was drawn in a place, with as many alternatives as were asked for."""
        top = zip(self._ids[at, :asked].tolist(), self._scores[at, :asked].tolist(), strict=True)
        return TokenInfo(
            self._tokens[at],
            self._logprobs[at],
            tuple(top),
            self._entropies[at],
            known(self._drawn[at]),
        )
