"""Stop strings: the end of a reply, which must never be shown, not even in part."""

from __future__ import annotations

from collections.abc import Sequence


class StopScanner:
    """Looks for stop strings in a text that comes in pieces of any size.

    The reply ends where a stop string is first complete; of several that are complete at the same
    character the longest counts. What comes out does not depend on how the text was cut.

    One Knuth-Morris-Pratt automaton a stop string: its state is how many of its characters the
    text now ends with, which is also how many must be held back.
    """

    stopped: str | None
    """The stop string that ended the reply, or None as long as none did."""

    def __init__(self, stops: Sequence[str]) -> None:
        """Start a reply. Raises ValueError when a stop string is empty."""
        if any(not stop for stop in stops):
            raise ValueError("a stop string must have at least one character")
        self.stopped = None
        self._stops = tuple(stops)
        self._borders = [_borders(stop) for stop in self._stops]
        self._matched = [0] * len(self._stops)
        self._held = ""
        self._beginnings = frozenset(stop[0] for stop in self._stops)

    def push(self, text: str) -> str:
        """Take more text and return what can be shown; nothing once a stop string was found."""
        if self.stopped is not None:
            return ""
        if not self._held and self._beginnings.isdisjoint(text):
            return text  # no stop string begins here: nearly always
        self._held += text
        for end in range(len(self._held) - len(text) + 1, len(self._held) + 1):
            found = self._advance(self._held[end - 1])
            if found is not None:
                self.stopped = found
                shown = self._held[: end - len(found)]
                self._held = ""
                return shown
        safe = len(self._held) - max(self._matched)
        shown, self._held = self._held[:safe], self._held[safe:]
        return shown

    def flush(self) -> str:
        """Return what was held back, when the reply ended without a stop string."""
        held, self._held = self._held, ""
        self._matched = [0] * len(self._stops)
        return held

    def _advance(self, character: str) -> str | None:
        """Move every automaton by a character; return the longest stop now complete."""
        found: str | None = None
        for n, (stop, borders) in enumerate(zip(self._stops, self._borders, strict=True)):
            matched = self._matched[n]
            while matched and stop[matched] != character:
                matched = borders[matched - 1]
            if stop[matched] == character:
                matched += 1
            self._matched[n] = matched
            if matched == len(stop) and (found is None or len(stop) > len(found)):
                found = stop
        return found


def _borders(stop: str) -> list[int]:
    """For each prefix, the length of its longest proper prefix that is also its suffix."""
    borders = [0] * len(stop)
    length = 0
    for n in range(1, len(stop)):
        while length and stop[n] != stop[length]:
            length = borders[length - 1]
        if stop[n] == stop[length]:
            length += 1
        borders[n] = length
    return borders
