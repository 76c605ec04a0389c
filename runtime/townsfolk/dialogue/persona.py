"""Who a character is."""

from collections.abc import Iterable
from typing import Annotated, Self

from pydantic import AfterValidator, Field, StringConstraints

from townsfolk.dialogue.outside import Outside


def _single_line(text: str) -> str:
    if len(text.splitlines()) > 1:
        raise ValueError("must be a single line")
    return text


Line = Annotated[str, StringConstraints(strip_whitespace=True), AfterValidator(_single_line)]
"""Text without surrounding white space and without line breaks."""


class Persona(Outside):
    """Who a character is. Only the name is required."""

    name: Line = Field(min_length=1, max_length=64, description="1 to 64 characters, one line")
    description: str = ""
    goals: tuple[str, ...] = ()
    speaking_style: str = ""
    taboos: tuple[str, ...] = ()
    example_lines: tuple[str, ...] = ()

    def without(self, fields: Iterable[str]) -> Self:
        """Return it with nothing in some fields, which may not be the name.

        Raises:
            ValueError: They are empty already.
        """
        emptied = {name: type(self).model_fields[name].default for name in fields}
        plain = self.model_copy(update=emptied)
        if plain == self:
            raise ValueError(f"the persona has no {' and no '.join(emptied)}")
        return plain

    @property
    def characters(self) -> int:
        """How long all its texts are together."""
        lists = (self.goals, self.taboos, self.example_lines)
        lengths = (len(text) for texts in lists for text in texts)
        return len(self.name + self.description + self.speaking_style) + sum(lengths)
