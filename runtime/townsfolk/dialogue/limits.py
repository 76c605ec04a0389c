"""How long texts, transcripts and queues can be at all."""

from townsfolk.dialogue.errors import InvalidFieldError

MAX_CHARACTERS_PER_TOKEN = 16
"""More than any real text has on average."""
MAX_EVENT_CHARACTERS = 4096
"""The longest line of what happens, or of a script."""
MAX_OUTCOME_CHARACTERS = 2048
"""The longest text with which a game says what came of an action."""
MAX_WAITING_TURNS = 32
"""The most turns of a session that wait to be answered."""
MAX_ENTRIES = 10_000
"""The most lines of a transcript."""
MAX_HISTORY_BYTES = 3 * 1024 * 1024
"""The most that a transcript takes in a message, unless a runtime is told otherwise."""


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
