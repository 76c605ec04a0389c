"""Text of a reply that is shown only once its sentence is whole."""

from collections import deque

from townsfolk.engine.outputs import TokenInfo
from townsfolk.text.sentences import SentenceSplitter

Piece = tuple[str, tuple[TokenInfo, ...]]


class HeldText:
    """Pieces of a reply that wait for the end of their sentence."""

    def __init__(self) -> None:
        """Hold nothing yet."""
        self._pieces: deque[Piece] = deque()
        self._splitter = SentenceSplitter()

    def take(self, text: str, tokens: tuple[TokenInfo, ...]) -> list[Piece]:
        """Take the next piece; give those of sentences that are whole."""
        self._pieces.append((text, tokens))
        if not self._splitter.take(text):
            return []
        left = sum(len(piece) for piece, _ in self._pieces) - len(self._splitter.rest)
        whole: list[Piece] = []
        while left > 0:
            piece, own = self._pieces.popleft()
            whole.append((piece[:left], own))
            if len(piece) > left:
                self._pieces.appendleft((piece[left:], ()))
            left -= len(piece)
        return whole

    def rest(self) -> list[Piece]:
        """Give all that is held."""
        pieces, self._pieces = [*self._pieces], deque()
        return pieces
