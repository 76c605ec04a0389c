"""What a model thinks before it speaks, which nobody is to hear."""

from __future__ import annotations

OPEN, CLOSE = "<think>", "</think>"
MARKS = (OPEN, CLOSE)


class ThoughtFilter:
    """Leaves thoughts out of a text that streams, wherever they begin.

    A thought goes from `<think>` to `</think>`; one that doesn't end is left out to the end.
    Nothing is given out that may be the beginning of a mark, however the pieces are cut.
    """

    def __init__(self, *, is_open: bool = False) -> None:
        """Start a text; `is_open`: the prompt has begun a thought already."""
        self._is_open = is_open
        self._held = ""

    def push(self, text: str) -> str:
        """Take more text; give what is no thought."""
        if not self._held and not self._is_open and OPEN[0] not in text:
            return text  # nearly always
        self._held += text
        said = ""
        while True:
            mark = CLOSE if self._is_open else OPEN
            before, found, after = self._held.partition(mark)
            if not found:
                break
            said += "" if self._is_open else before
            self._held, self._is_open = after, not self._is_open
        kept = _longest_beginning(self._held, mark)
        certain = self._held[: len(self._held) - kept]
        self._held = self._held[len(certain) :]
        return said if self._is_open else said + certain

    def finish(self) -> str:
        """Give what was held back, as the text has ended."""
        held, self._held = self._held, ""
        return "" if self._is_open else held


def is_thinking(prompt: str) -> bool:
    """Return whether a prompt ends within a thought."""
    return prompt.rstrip().endswith(OPEN)


def without_thought(prompt: str) -> str:
    """Return the prompt, with an empty thought where it ends within one."""
    return f"{prompt.rstrip()}\n\n{CLOSE}\n\n" if is_thinking(prompt) else prompt


def _longest_beginning(text: str, mark: str) -> int:
    """Return how many characters at the end of `text` begin `mark`."""
    most = min(len(text), len(mark) - 1)
    return next((count for count in range(most, 0, -1) if text.endswith(mark[:count])), 0)
