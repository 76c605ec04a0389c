"""The part of a conversation that the model sees."""

from collections.abc import Sequence
from dataclasses import dataclass

from townsfolk.dialogue import prompt
from townsfolk.dialogue.chat_template import ChatTemplate
from townsfolk.dialogue.encoding import EncodedPrompt, PromptEncoder
from townsfolk.dialogue.errors import InvalidFieldError
from townsfolk.dialogue.persona import Persona
from townsfolk.dialogue.transcript import EntryKind, TranscriptEntry
from townsfolk.text.tokenizer import Tokenizer

# Above what any real text reaches. A saved game's long transcript need not be encoded to be found
# too long.
_MAX_CHARACTERS_PER_TOKEN = 16


@dataclass(frozen=True, slots=True)
class Fit:
    """A prompt that fits, and how many of the oldest lines it lacks."""

    prompt: EncodedPrompt
    dropped: int


class ContextWindow:
    """Fits one session's conversation into the model's context.

    At most half of the context goes to persona and lore, and at most a quarter is kept free for
    the reply, so that there is always room for a conversation.
    """

    system_tokens: int
    """Tokens of persona and lore."""

    def __init__(
        self,
        persona: Persona,
        lore: Sequence[str],
        template: ChatTemplate,
        tokenizer: Tokenizer,
        length: int,
    ) -> None:
        """Take a persona, the lore it knows, and the length of the context in tokens.

        Raises:
            InvalidFieldError: Persona and lore are too long for this context.
        """
        self._system = prompt.system_text(persona, lore)
        self._name = persona.name
        self._template = template
        self._encoder = PromptEncoder(tokenizer)
        self._length = length
        self.system_tokens = len(tokenizer.encode(self._system))
        if self.system_tokens > length // 2:
            raise InvalidFieldError(
                f"persona: persona and lore take {self.system_tokens} tokens, but must take at "
                f"most {length // 2}, half of the model's context: shorten them"
            )

    def fit(self, transcript: Sequence[TranscriptEntry], max_new_tokens: int) -> Fit:
        """The prompt of `transcript`, whose last line is to be answered.

        When it is too long, the oldest turns are left out until it takes three quarters of its
        room: the KV of all that follows them is lost each time, so this must not happen each turn.

        Raises:
            InvalidFieldError: The last line alone is too long.
        """
        room = self._length - min(max_new_tokens, self._length // 4)
        if sum(len(entry.text) for entry in transcript) <= room * _MAX_CHARACTERS_PER_TOKEN:
            whole = self._encode(transcript)
            if len(whole) <= room:
                return Fit(whole, 0)
        places = _turn_starts(transcript)
        # The shortest prompt must fit; of the others, the longest within three quarters is wanted.
        newest = self._encode(transcript[places[-1] :])
        if len(newest) > room:
            raise InvalidFieldError(
                f"text: with persona and lore it takes {len(newest)} tokens, but must take at most "
                f"{room}, so that an answer fits into the model's context of {self._length}"
            )
        low, high, best = 0, len(places) - 1, newest
        while low < high:
            middle = (low + high) // 2
            candidate = self._encode(transcript[places[middle] :])
            if len(candidate) <= room * 3 // 4:
                high, best = middle, candidate
            else:
                low = middle + 1
        return Fit(best, places[high])

    def remember(self, used: EncodedPrompt, generated_ids: Sequence[int]) -> None:
        """The model has answered a prompt with these tokens, whose KV it may still have."""
        self._encoder.remember(used, generated_ids)

    def _encode(self, transcript: Sequence[TranscriptEntry]) -> EncodedPrompt:
        messages = prompt.messages(self._system, transcript)
        return self._encoder.encode(self._template.render(messages, self._name))


def _turn_starts(transcript: Sequence[TranscriptEntry]) -> list[int]:
    """Where the transcript can be cut: after each reply, and at last before its last line."""
    starts = [
        index + 1
        for index, entry in enumerate(transcript[:-1])
        if entry.kind is EntryKind.SPOKE and transcript[index + 1].kind is not EntryKind.SPOKE
    ]
    last = len(transcript) - 1
    return starts if starts and starts[-1] == last else [*starts, last]
