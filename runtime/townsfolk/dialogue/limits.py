"""How long a text can be at all; what is longer need not be encoded to be found too long."""

from townsfolk.dialogue.errors import InvalidFieldError

MAX_CHARACTERS_PER_TOKEN = 16
"""More than any real text has on average."""
MAX_EVENT_CHARACTERS = 4096
"""The longest line of what happens, or of a script."""


def check_length(what: str, characters: int, tokens: int) -> None:
    """Check a text's length before it is encoded, which takes a second and 150 MB a megabyte.

    Args:
        what: The field, a colon, and the text's name in a sentence.
        characters: Its length.
        tokens: How many tokens there is room for.

    Raises:
        InvalidFieldError: No text of this length has so few tokens.
    """
    most = tokens * MAX_CHARACTERS_PER_TOKEN
    if characters > most:
        raise InvalidFieldError(
            f"{what} has {characters} characters, but must take at most {tokens} tokens of this "
            f"model's context, which no text of more than {most} characters does: shorten it"
        )
