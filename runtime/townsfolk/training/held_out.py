"""Which dialogues a run doesn't learn from, so that its validation loss says something."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from townsfolk.training.script import Script

Document = Script | str


def hold_out(
    documents: Sequence[Document], share: float, seed: int
) -> tuple[list[Document], list[Document]]:
    """Divide documents into those to learn from and those held out.

    Whole characters are held out, so that nobody's persona is in both. Where that can't come near
    the share, as with a single character, dialogues are.

    Args:
        documents: All of them.
        share: How much of them is held out; 0 for nothing.
        seed: Of the choice.

    Returns:
        Both in the order they were in; the second is empty if the first would be.
    """
    wanted = round(share * len(documents))
    if not 0 < wanted < len(documents):
        return list(documents), []
    owners = [each.persona.name if isinstance(each, Script) else "" for each in documents]
    names = np.random.default_rng(seed).permutation(sorted(set(owners))).tolist()
    sizes = {name: owners.count(name) for name in names}
    chosen: set[str] = set()
    held = 0
    for name in names:
        if held + sizes[name] <= wanted:
            chosen.add(name)
            held += sizes[name]
    if chosen:
        out = {place for place, owner in enumerate(owners) if owner in chosen}
    else:
        out = set(np.random.default_rng(seed).permutation(len(documents))[:wanted].tolist())
    return (
        [each for place, each in enumerate(documents) if place not in out],
        [each for place, each in enumerate(documents) if place in out],
    )
