"""Choosing tokens from logits: edits, filters, draws, log-probabilities.

Every function works on each row of its batch as if the row were alone, to the last bit on a CPU:
reductions over the vocabulary go by groups of a fixed size, since `sum` over one long row is split
among threads and rounds differently from `sum` over many. Nothing here waits for a device: what
decides the shape of the work comes as plain Python numbers.

The order of the steps is that of transformers: penalties, bias, temperature, top-k, top-p, min-p,
each filter on what the one before left. Equal logits are ordered by token id, lowest first.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

GROUP = 64  # tokens in a group of the vocabulary when all of it takes part in a draw
NUCLEUS_CANDIDATES = 1024  # how many are sorted before all are, where top-p stands without top-k
_LARGE = 3e38  # whose square no float32 holds
LARGEST_BELOW_ONE = 1 - 2.0**-53


def penalize_(
    logits: Tensor,
    rows: Tensor,
    seen_ids: Tensor,
    reply_counts: Tensor,
    repetition: Tensor,
    presence: Tensor,
    frequency: Tensor,
) -> None:
    """Make tokens that were there already less likely, in place.

    The repetition penalty is that of CTRL (Keskar et al. 2019, section 4.1), for tokens of prompt
    and reply; the other two count the reply only. Work and memory go with the length of the text,
    not with the vocabulary.

    Args:
        logits: [n, vocab] float32, contiguous.
        rows: [m] int64, which rows to change.
        seen_ids: [m, length] int64, the tokens of prompt and reply; one may stand there many times.
        reply_counts: [m, length] int32, how often each of these is in the reply.
        repetition: [m] float32; 1 changes nothing.
        presence: [m] float32; 0 changes nothing.
        frequency: [m] float32; 0 changes nothing.
    """
    places = rows[:, None] * logits.shape[1] + seen_ids  # [m, length]
    flat = logits.view(-1)
    seen = flat[places]
    factor = repetition[:, None]
    seen = torch.where(seen > 0, seen / factor, seen * factor)
    seen -= (reply_counts > 0) * presence[:, None] + reply_counts * frequency[:, None]
    flat[places] = seen  # a token that stands there twice gets the same value twice


def add_at_(logits: Tensor, rows: Tensor, token_ids: Tensor, values: Tensor) -> None:
    """Add values to some logits of some rows, in place; `-inf` forbids a token.

    Args:
        logits: [n, vocab] float32, contiguous.
        rows: [m] int64, which rows to change.
        token_ids: [m, k] int64; unused places hold any id with the value 0.
        values: [m, k] float32.
    """
    places = rows[:, None] * logits.shape[1] + token_ids  # [m, k]
    logits.view(-1).scatter_add_(0, places.view(-1), values.reshape(-1))


def mask_(logits: Tensor, rows: Tensor, masks: Tensor) -> None:
    """Forbid, in place, the tokens of some rows whose bits are not set.

    Args:
        logits: [n, vocab] float32.
        rows: [m] int64, which rows to change.
        masks: [m, words] int32: token t is bit t % 32 of word t // 32.
    """
    bits = masks.cpu().numpy().view(np.uint8)  # NumPy takes them apart ten times as fast
    forbidden = np.unpackbits(~bits, axis=1, bitorder="little")[:, : logits.shape[1]]
    # 0 or infinity: to subtract it takes a sixth of the time of `masked_fill_` on a CPU.
    distance = torch.from_numpy(forbidden).to(logits.device).float().mul_(_LARGE).mul_(_LARGE)
    logits.index_add_(0, rows, distance, alpha=-1)


def top_candidates(logits: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return the k largest logits of each row, largest first; equal ones by token id, lowest first.

    The groups with the k largest maxima hold all of them, so that only these are looked at closely:
    for k = 40 of 128,256, three times faster than `torch.topk`, which also leaves open which of
    several equal logits it gives.

    Args:
        logits: [n, vocab] float32, no NaN.
        k: from 1 to vocab.

    Returns:
        values [n, k] float32 and token ids [n, k] int64.
    """
    if logits.device.type == "cpu":
        found = [_top_of_row(row, k) for row in logits.numpy()]
        ids = torch.from_numpy(np.stack(found))
        return logits.gather(1, ids), ids
    rows, vocab = logits.shape
    # The square root balances both stages; below 32 the maxima are not vectorised: 8 times slower.
    group = max(32, 2 ** round(math.log2(math.sqrt(vocab / k))))
    if 2 * k * group > vocab:
        ids = _largest(logits, torch.arange(vocab, device=logits.device), k)
        return logits.gather(1, ids), ids
    groups = _grouped(logits, group, -math.inf)  # [n, groups, group]
    maxima = groups.amax(-1)  # [n, groups]
    chosen = _largest(maxima, torch.arange(maxima.shape[1], device=logits.device), k)
    ids = chosen[:, :, None] * group + torch.arange(group, device=logits.device)
    ids = ids.view(rows, -1)  # [n, k * group]
    values = groups.view(rows, -1).gather(1, ids)
    places = _largest(values, ids, k)
    return values.gather(1, places), ids.gather(1, places)


def _top_of_row(row: Floats, k: int) -> Ints:
    """Return the ids [k] of the k largest of a row [vocab]; see `top_candidates`."""
    group = 2 ** round(math.log2(math.sqrt(len(row) / k)))
    groups = len(row) // group
    if groups <= 2 * k:
        return np.argsort(-row, kind="stable")[:k]
    # A group's members lie far apart: then the maxima of neighbours are those of a vector.
    table, rest = row[: group * groups].reshape(group, groups), row[group * groups :]
    maxima = table.max(0)
    least = np.partition(maxima, groups - k)[groups - k]  # k numbers are as large at least
    if least == -math.inf:  # where a grammar allows few tokens
        ids = np.concatenate(((row > least).nonzero()[0], (row == least).nonzero()[0][:k]))
    else:
        chosen = (maxima >= least).nonzero()[0]
        members, places = (table[:, chosen] >= least).nonzero()
        behind = group * groups + (rest >= least).nonzero()[0]
        ids = np.concatenate((members * groups + chosen[places], behind))  # lowest first
    return ids[np.argsort(-row[ids], kind="stable")[:k]]


def likeliest(logits: Tensor) -> Tensor:
    """Return the token id with the largest logit of each row, of equal ones the lowest: [n] int64.

    Args:
        logits: [n, vocab] float32, no NaN.
    """
    if logits.device.type == "cpu":  # NumPy takes a tenth of the time
        return torch.from_numpy(logits.numpy().argmax(-1))
    return logits.argmax(-1)


def draw_from_candidates(
    logits: Tensor,
    uniforms: Tensor,
    temperature: Tensor,
    top_k: Tensor,
    top_p: Tensor,
    min_p: Tensor,
    max_top_k: int,
) -> Tensor:
    """Draw from the k likeliest tokens, less those that top-p and min-p leave out.

    A greedy choice is a row with top_k 1.

    Args:
        logits: [n, vocab] float32.
        uniforms: [n] float64 in [0, 1).
        temperature: [n] float64, above 0.
        top_k: [n] int64, from 1 to max_top_k.
        top_p: [n] float64, above 0; 1 keeps all.
        min_p: [n] float64 in [0, 1]; 0 keeps all.
        max_top_k: at least the largest of top_k; more than the vocabulary means all of it.

    Returns:
        Token ids [n] int64.
    """
    max_top_k = min(max_top_k, logits.shape[1])
    if max_top_k == 1:
        return likeliest(logits)
    values, ids = top_candidates(logits, max_top_k)  # [n, max_top_k]
    weights = _weights(values, values[:, :1], temperature)
    cumulative = weights.cumsum(-1)
    last = top_k.clamp(max=max_top_k)[:, None] - 1  # [n, 1]
    mass = cumulative.gather(1, last)  # [n, 1]
    places = torch.arange(max_top_k, device=logits.device)
    allowed = places <= last
    return _draw_sorted(ids, weights, cumulative, mass, allowed, uniforms, top_p, min_p)


def draw_from_nucleus(
    logits: Tensor, uniforms: Tensor, temperature: Tensor, top_p: Tensor, min_p: Tensor
) -> Tensor:
    """Draw from the smallest set of tokens whose probability reaches top_p, of all tokens.

    A CPU sorts the whole vocabulary only for rows whose nucleus is larger than
    NUCLEUS_CANDIDATES: 1.6 ms a row at a vocabulary of 32,000, against 0.5 ms; 7.2 ms against
    0.9 ms at 128,256.

    Args:
        logits: [n, vocab] float32.
        uniforms: [n] float64 in [0, 1).
        temperature: [n] float64, above 0.
        top_p: [n] float64, above 0 and below 1.
        min_p: [n] float64 in [0, 1]; 0 keeps all.

    Returns:
        Token ids [n] int64.
    """
    vocab = logits.shape[1]
    largest = logits.amax(-1, keepdim=True)
    mass = _group_masses(_weights(logits, largest, temperature.float())).cumsum(-1)[
        :, -1:
    ]  # [n, 1]

    def draw(rows: Tensor | slice, candidates: int) -> tuple[Tensor, Tensor]:
        values, ids = top_candidates(logits[rows], candidates)
        weights = _weights(values, largest[rows], temperature[rows])
        cumulative = weights.cumsum(-1)
        enough = cumulative[:, -1] >= top_p[rows] * mass[rows, 0]
        everything = torch.ones_like(weights, dtype=torch.bool)
        tokens = _draw_sorted(
            ids,
            weights,
            cumulative,
            mass[rows],
            everything,
            uniforms[rows],
            top_p[rows],
            min_p[rows],
        )
        return tokens, enough

    if logits.device.type != "cpu" or vocab <= NUCLEUS_CANDIDATES:
        return draw(slice(None), vocab)[0]
    tokens, enough = draw(slice(None), NUCLEUS_CANDIDATES)
    if not enough.all():
        short = (~enough).nonzero()[:, 0]
        tokens[short] = draw(short, vocab)[0]
    return tokens


def draw_from_vocabulary(
    logits: Tensor, uniforms: Tensor, temperature: Tensor, min_p: Tensor | None = None
) -> Tensor:
    """Draw from all tokens, less those that min-p leaves out. Nothing is sorted.

    Args:
        logits: [n, vocab] float32.
        uniforms: [n] float64 in [0, 1).
        temperature: [n] float64, above 0.
        min_p: [n] float64 in [0, 1]; 0 keeps all. None when no row uses it, which saves a quarter
            of the time.

    Returns:
        Token ids [n] int64.
    """
    vocab = logits.shape[1]
    weights = _weights_float32(logits, logits.amax(-1, keepdim=True), temperature)  # [n, vocab]
    if min_p is not None:
        weights.masked_fill_(weights < min_p.float()[:, None], 0.0)
    masses = _group_masses(weights)  # [n, groups]
    cumulative = masses.cumsum(-1)
    target = uniforms[:, None] * cumulative[:, -1:]
    group = (cumulative <= target).sum(-1, keepdim=True).clamp(max=masses.shape[1] - 1)  # [n, 1]
    # Where in its group the target lies, as a share: the two levels round each in its own way.
    mass = masses.gather(1, group)
    share = ((target - (cumulative.gather(1, group) - mass)) / mass).clamp(0, LARGEST_BELOW_ONE)
    ids = group * GROUP + torch.arange(GROUP, device=logits.device)  # [n, GROUP]
    inside = weights.gather(1, ids.clamp(max=vocab - 1)).where(ids < vocab, 0.0)
    inside = inside.cumsum(-1, dtype=torch.float64)
    place = (inside <= share * inside[:, -1:]).sum(-1, keepdim=True).clamp(max=GROUP - 1)
    return ids.gather(1, place)[:, 0].clamp(max=vocab - 1)


def entropies(logits: Tensor) -> Tensor:
    """Return entropies of the model's distributions, in nats: [n, vocab] float32 -> [n] float32."""
    logprobs = torch.log_softmax(logits, -1)
    entropy: Tensor = torch.special.entr(logprobs.exp()).sum(-1)
    return entropy


def token_logprobs(logits: Tensor, token_ids: Tensor, top_n: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the log-probabilities of certain tokens and of the likeliest ones, in nats.

    Args:
        logits: [n, vocab] float32, as the model gave them.
        token_ids: [n] int64.
        top_n: how many of the likeliest; 0 for none; no more than the vocabulary are given.

    Returns:
        logprobs [n] float32, top ids [n, top_n] int64 and their logprobs [n, top_n] float32,
        likeliest first.
    """
    logprobs = torch.log_softmax(logits, -1)
    chosen = logprobs.gather(1, token_ids[:, None])[:, 0]
    if top_n == 0:
        return chosen, token_ids.new_empty(len(token_ids), 0), chosen.new_empty(len(token_ids), 0)
    _, top_ids = top_candidates(logits, min(top_n, logits.shape[1]))
    return chosen, top_ids, logprobs.gather(1, top_ids)


def _weights(logits: Tensor, largest: Tensor, temperature: Tensor) -> Tensor:
    """Return unnormalised probabilities [n, m] float64; the largest logit [n, 1] gets 1."""
    return (logits - largest).double().div_(temperature[:, None]).exp_()


def _weights_float32(logits: Tensor, largest: Tensor, temperature: Tensor) -> Tensor:
    """Return what `_weights` does, for whole vocabularies: half the memory to move."""
    divisor = temperature.float().clamp_(min=torch.finfo(torch.float32).tiny)
    return (logits - largest).div_(divisor[:, None]).exp_()


def _grouped(values: Tensor, group: int, filler: float) -> Tensor:
    """Group a vocabulary: [n, vocab] -> [n, groups, group], the last group filled up."""
    short = -values.shape[1] % group
    if short:
        values = pad(values, (0, short), value=filler)
    return values.view(values.shape[0], -1, group)


def _group_masses(weights: Tensor) -> Tensor:
    """Return the sums over groups of GROUP neighbours: [n, vocab] -> [n, groups] float64.

    Running sums over the vocabulary need the precision: in float32 rare tokens would be lost.
    """
    return _grouped(weights, GROUP, 0.0).sum(-1).double()


def _largest(values: Tensor, ids: Tensor, k: int) -> Tensor:
    """Find the k largest of each row of `values` [n, m]; equal ones by id, lowest first.

    Value and id make one integer, so that no two are equal: the bits of a float32 taken as a whole
    number keep its order (those of a negative one turned round), and the id comes after them.
    """
    bits = (values + 0.0).view(torch.int32)  # + 0.0 makes -0 and 0 equal
    ordered = bits ^ ((bits >> 31) & 0x7FFFFFFF)
    keys = (ordered.long() << 32) - ids
    # A full sort beats a selection of everything.
    if k == keys.shape[1]:
        return keys.argsort(-1, descending=True)
    return keys.topk(k)[1]


def _draw_sorted(
    ids: Tensor,
    weights: Tensor,
    cumulative: Tensor,
    mass: Tensor,
    allowed: Tensor,
    uniforms: Tensor,
    top_p: Tensor,
    min_p: Tensor,
) -> Tensor:
    """Draw from candidates [n, k] sorted by weight, of which top-p and min-p keep a prefix.

    `mass` [n, 1] is what top-p is a share of; `allowed` [n, k] is a prefix already.
    """
    before = pad(cumulative[:, :-1], (1, 0))  # weight of all likelier candidates
    allowed = allowed & ((before < top_p[:, None] * mass) | (top_p[:, None] >= 1))
    allowed = allowed & (weights >= min_p[:, None])
    last = (allowed.sum(-1, keepdim=True) - 1).clamp(min=0)  # [n, 1]
    target = uniforms[:, None] * cumulative.gather(1, last)
    place = torch.minimum((cumulative <= target).sum(-1, keepdim=True), last)
    return ids.gather(1, place)[:, 0]
