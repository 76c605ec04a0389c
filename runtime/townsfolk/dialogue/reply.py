"""The text of a reply as players see it."""


class ReplyText:
    """Cleans a reply while it streams.

    Left out are white space around it and one "Name:" before it, with which models that see a
    script like to begin: the game shows who speaks. Nothing that is still in doubt is given out,
    so that all pieces joined are exactly the text.
    """

    def __init__(self, name: str) -> None:
        """Start a reply of the character of this name."""
        self.text = ""
        """What was given out so far."""
        self._prefix: str | None = f"{name}:".lower()
        self._held = ""

    def push(self, text: str) -> str:
        """Take more text; give what can be shown."""
        self._held += text
        if not self.text:
            self._held = self._held.lstrip()
            if self._prefix and not self._held.lower().startswith(self._prefix):
                if self._prefix.startswith(self._held.lower()):
                    return ""
                self._prefix = None
            elif self._prefix:
                self._held = self._held[len(self._prefix) :].lstrip()
                self._prefix = None
        shown = self._held.rstrip()
        self._held = self._held[len(shown) :]
        self.text += shown
        return shown

    def finish(self) -> str:
        """Give what was held back, as the reply has ended."""
        self._prefix = None
        return self.push("")
