"""The part of a conversation that the model sees."""

from collections.abc import Sequence
from dataclasses import dataclass

from townsfolk.dialogue import prompt
from townsfolk.dialogue.chat_template import ChatTemplate
from townsfolk.dialogue.config import MAX_ENTRIES
from townsfolk.dialogue.encoding import EncodedPrompt, PromptEncoder
from townsfolk.dialogue.errors import InvalidFieldError
from townsfolk.dialogue.limits import check_length
from townsfolk.dialogue.persona import Persona
from townsfolk.dialogue.transcript import EntryKind, TranscriptEntry
from townsfolk.text.tokenizer import Tokenizer

# More than any real text has on average. What is longer need not be encoded to be found too long.
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
        history: Sequence[TranscriptEntry] = (),
    ) -> None:
        """Take a persona, the lore it knows, and the length of the context in tokens.

        What was said before, if anything, is encoded at once: the first prompt then finds it done.

        Raises:
            InvalidFieldError: Persona and lore are too long for this context.
        """
        self._system = prompt.system_text(persona, lore)
        self._name = persona.name
        self._template = template
        self._encoder = PromptEncoder(tokenizer)
        self._length = length
        check_length("persona: with the lore it", len(self._system), length // 2)
        self.system_tokens = len(tokenizer.encode(self._system))
        if self.system_tokens > length // 2:
            raise InvalidFieldError(
                f"persona: persona and lore take {self.system_tokens} tokens, but must take at "
                f"most {length // 2}, half of the model's context: shorten them"
            )
        # Long: 1.2 ms for 1,000 tokens. So the first prompt finds it done.
        self.fit([*history, TranscriptEntry(kind=EntryKind.HEARD, text="Hello")], 0)

    def fit(self, transcript: Sequence[TranscriptEntry], max_new_tokens: int) -> Fit:
        """The prompt of `transcript`, whose last line is to be answered.

        When it is too long, the oldest turns are left out until it takes three quarters of its
        room: the KV of all that follows them is lost each time, so this must not happen each turn.

        Raises:
            InvalidFieldError: The last line alone is too long.
        """
        room = self._length - min(max_new_tokens, self._length // 4)
        places = _places(transcript, room * _MAX_CHARACTERS_PER_TOKEN)
        if places[0] == 0:
            whole = self._encode(transcript)
            if len(whole) <= room:
                return Fit(whole, 0)
        # The shortest prompt must fit; of the others, the longest within three quarters is wanted.
        best = self._encode(transcript[places[-1] :])
        if len(best) > room:
            raise InvalidFieldError(
                f"text: with persona and lore it takes {len(best)} tokens, but must take at most "
                f"{room}, so that an answer fits into the model's context of {self._length}"
            )
        low, high = 0, len(places) - 1
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


def _places(transcript: Sequence[TranscriptEntry], max_characters: int) -> list[int]:
    """Where what the model sees may begin, from the whole transcript to its last line alone.

    That is after each reply, so that turns stay whole; the last line is the last resort. Left out
    are places with more than MAX_ENTRIES lines or so many characters behind them.
    """
    places: list[int] = []
    characters = 0
    for place in reversed(range(len(transcript))):
        characters += len(transcript[place].text)
        is_last = place == len(transcript) - 1
        if not is_last and (characters > max_characters or len(transcript) - place >= MAX_ENTRIES):
            break
        follows_reply = place == 0 or transcript[place - 1].kind is EntryKind.SPOKE
        if (
            is_last
            or place == 0
            or (follows_reply and transcript[place].kind is not EntryKind.SPOKE)
        ):
            places.append(place)
    return places[::-1]
