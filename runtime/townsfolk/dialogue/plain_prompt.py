"""A turn's prompt without parts of the persona, in contrast to which its reply is drawn."""

from collections.abc import Sequence
from dataclasses import dataclass

from townsfolk.dialogue.encoding import EncodedPrompt
from townsfolk.engine.rules import Contrast


@dataclass(frozen=True, slots=True)
class PlainPrompt:
    """The same lore and the same lines, with a persona that lacks some of its fields.

    Attributes:
        prompt: that one.
        length: tokens of the turn's own prompt, behind which a reply may have begun.
        strength: how much more those parts weigh.
    """

    prompt: EncodedPrompt
    length: int
    strength: float

    def behind(self, token_ids: Sequence[int]) -> Contrast:
        """Return what to draw in contrast to behind the turn's own prompt and what follows it."""
        return Contrast((*self.prompt.token_ids, *token_ids[self.length :]), self.strength)
