"""How likely the tokens of prompts are: what runners compute for `echo` and for `Choose`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np
import torch
from torch import Tensor
from townsfolk_kernels import upload

from townsfolk.engine.memory import SCORED_ROWS
from townsfolk.engine.step import ItemOutput, StepItem
from townsfolk.kv import KvCache
from townsfolk.models import Decoder, ModelBatch
from townsfolk.models.batch import Chunk
from townsfolk.sampling import SampledTokens, TokenInfo, prompt_logprobs, token_infos


def score_chunks(
    decoder: Decoder,
    kv: KvCache,
    begun: int | None,
    chunks: Sequence[Chunk],
    batch: ModelBatch,
    next_ids: Sequence[int],
) -> list[float]:
    """Score the tokens behind those of a batch; see `Runner.score`.

    Args:
        decoder: the model.
        kv: its pages.
        begun: as of the runner.
        chunks: likewise.
        batch: made of them.
        next_ids: as of the runner.
    """
    if begun is not None:
        kv.spread_block(begun, [each.block_ids[each.start // kv.block_size] for each in chunks])
    hidden = decoder.forward(batch, kv)[: len(next_ids)]  # [tokens, hidden]
    wanted = upload(np.array(next_ids, dtype=np.int64), hidden.device)
    found = []
    for begin in range(0, len(next_ids), SCORED_ROWS):
        part = slice(begin, begin + SCORED_ROWS)
        found.append(prompt_logprobs(decoder.logits(hidden[part]), wanted[part], 0).logprobs)
    logprobs: list[float] = torch.cat(found).tolist()
    return logprobs


def score_prompts(
    decoder: Decoder, items: Sequence[StepItem], hidden: Sequence[Tensor]
) -> list[tuple[int, SampledTokens]]:
    """Score the prompts' tokens that items are to score, many at once.

    Args:
        decoder: the model.
        items: parts of sequences in a step, each with something to score.
        hidden: [item.count, width] for each, of its tokens.

    Returns:
        numbers of items, in order, and their next scored tokens.
    """
    rows: list[Tensor] = []
    next_ids: list[int] = []
    owners: list[int] = []
    for number, (item, own) in enumerate(zip(items, hidden, strict=True)):
        assert item.scoring is not None
        first, ids = item.scoring.first, item.scoring.next_ids
        rows.append(own[first : first + len(ids)])
        next_ids += ids
        owners += [number] * len(ids)
    wanted = torch.cat(rows)
    top = max(item.scoring.top for item in items if item.scoring is not None)
    scores: list[tuple[int, SampledTokens]] = []
    for begin in range(0, len(next_ids), SCORED_ROWS):
        part = slice(begin, begin + SCORED_ROWS)
        logits = decoder.logits(wanted[part])
        scored = prompt_logprobs(logits, torch.tensor(next_ids[part], device=logits.device), top)
        end = 0
        for number, same in groupby(owners[part]):
            own_rows = slice(end, end := end + len([*same]))
            scores.append((number, scored.part(own_rows)))
    return scores


def add_scores(output: ItemOutput, scored: SampledTokens, asked: int | None) -> None:
    """Add scored tokens of an item's prompt to its output; waits for the device."""
    infos: list[TokenInfo] = token_infos(scored, [asked] * len(scored.token_ids))
    output.prompt_infos = (*output.prompt_infos, *infos)
