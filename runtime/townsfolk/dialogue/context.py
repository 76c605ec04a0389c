"""The part of a conversation that the model sees."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from townsfolk.dialogue import prompt
from townsfolk.dialogue.chat_template import ChatTemplate
from townsfolk.dialogue.encoding import EncodedPrompt, PromptEncoder, Spellings
from townsfolk.dialogue.errors import InvalidFieldError, UnsupportedTemplateError
from townsfolk.dialogue.limits import MAX_CHARACTERS_PER_TOKEN, MAX_ENTRIES, check_length
from townsfolk.dialogue.persona import Persona
from townsfolk.dialogue.transcript import EntryKind, TranscriptEntry
from townsfolk.text.tokenizer import Tokenizer

# The most characters that are encoded where others speak: 2 ms.
_QUICK_CHARACTERS = 4000
_ANSWER = TranscriptEntry(kind=EntryKind.SPOKE, text="Hello")
_LINE = TranscriptEntry(kind=EntryKind.HEARD, text="Hello")


@dataclass(frozen=True, slots=True)
class Fit:
    """A prompt that fits, and how many of the oldest lines it lacks."""

    prompt: EncodedPrompt
    dropped: int


class ContextWindow:
    """Fits one session's conversation into the model's context.

    At most half of the context goes to persona and lore, and at most a quarter is kept free for
    the reply, so that there is always room for a conversation. One thread at a time may use it.
    """

    system_tokens: int
    """Tokens of persona and lore."""
    plain: "ContextWindow | None" = None
    """Of the same session with a persona that lacks what weighs more in its replies."""

    def __init__(
        self,
        persona: Persona,
        lore: Sequence[str],
        template: ChatTemplate,
        tokenizer: Tokenizer,
        length: int,
        history: Sequence[TranscriptEntry] = (),
        spellings: Spellings | None = None,
        actions: str = "",
    ) -> None:
        """Take a persona, the lore it knows, and the length of the context in tokens.

        `actions` is what it is told of what it can do.

        What was said before, if anything, is encoded at once: the first prompt then finds it done.

        Raises:
            InvalidFieldError: Persona and lore are too long for this context.
            UnsupportedTemplateError: The chat template can't be used.
        """
        self._system = "\n\n".join(filter(None, [prompt.system_text(persona, lore), actions]))
        self._name = persona.name
        self._template = template
        self._encoder = PromptEncoder(tokenizer, spellings)
        self._length = length
        check_length("persona: with the lore it", len(self._system), length // 2)
        self.system_tokens = len(tokenizer.encode(self._system))
        if self.system_tokens > length // 2:
            raise InvalidFieldError(
                f"persona: persona and lore take {self.system_tokens} tokens, but must take at "
                f"most {length // 2}, half of the context: shorten them, or give the runtime more "
                "(kv_memory_mib, max_context, or a model with a longer context)"
            )
        # Long: 1.2 ms for 1,000 tokens. So the first prompt finds it done.
        first = self.fit([*history, _LINE], 0)
        self.expect([*history[first.dropped :], _LINE])

    def fit_at_once(self, transcript: Sequence[TranscriptEntry], max_new_tokens: int) -> Fit | None:
        """Do as `fit`, where it takes no longer than an event loop can wait; None where it might.

        That is where nothing must be left out, little is new, and there was a conversation of this
        shape before.
        """
        room = self._room(max_new_tokens)
        if len(transcript) > MAX_ENTRIES or _characters(transcript) > _most_characters(room):
            return None
        messages = prompt.messages(self._system, transcript)
        if not self._template.is_ready(messages):
            return None
        units = self._template.render(messages, self._name)
        if self._encoder.unknown_characters(units) > _QUICK_CHARACTERS:
            return None
        whole = self._encoder.encode(units)
        self._encoder.keep(whole if len(whole) <= room else None)
        return Fit(whole, 0) if len(whole) <= room else None

    def fit(self, transcript: Sequence[TranscriptEntry], max_new_tokens: int) -> Fit:
        """Return the prompt of `transcript`, whose last line is to be answered.

        When it is too long, the oldest lines are left out until it takes three quarters of its
        room: the KV of all that follows them is lost each time, so this must not happen each turn.
        The newest lines that fit are always there.

        Raises:
            InvalidFieldError: The last line alone is too long.
            UnsupportedTemplateError: The chat template refuses this conversation.
        """
        best: Fit | None = None
        try:
            best = self._fit(transcript, self._room(max_new_tokens))
            return best
        finally:
            self._encoder.keep(None if best is None else best.prompt)

    def remember(
        self,
        used: EncodedPrompt,
        generated_ids: Sequence[int],
        transcript: Sequence[TranscriptEntry],
    ) -> None:
        """Note that the model has answered a prompt with these tokens, whose KV it may still have.

        Args:
            used: The prompt.
            generated_ids: Of the answer.
            transcript: With the answer as it counts.
        """
        self._encoder.remember(used, generated_ids)
        self.spell(transcript)

    def spell(self, transcript: Sequence[TranscriptEntry]) -> None:
        """Have the last answer, as it counts now, known to all sessions as the model spelled it."""
        messages = prompt.messages(self._system, [*transcript, _LINE])
        if self._template.is_ready(messages):
            with suppress(UnsupportedTemplateError):
                units = self._template.render(messages, self._name)
                self._encoder.keep(self._encoder.encode(units))

    def expect(self, transcript: Sequence[TranscriptEntry]) -> None:
        """Prepare for the line after the next answer, so that `fit_at_once` can do it.

        Raises:
            UnsupportedTemplateError: The chat template refuses such a conversation.
        """
        messages = prompt.messages(self._system, [*transcript, _ANSWER, _LINE])
        if not self._template.is_ready(messages):
            self._template.render(messages, self._name)

    def expects(self, transcript: Sequence[TranscriptEntry]) -> bool:
        """Return whether there is nothing for `expect` to do."""
        messages = prompt.messages(self._system, [*transcript, _ANSWER, _LINE])
        return self._template.is_ready(messages)

    def _fit(self, transcript: Sequence[TranscriptEntry], room: int) -> Fit:
        check_length("text:", len(transcript[-1].text), room)
        places = _places(transcript, _most_characters(room))
        if places[0] == 0:
            whole = self._encode(transcript)
            if len(whole) <= room:
                return Fit(whole, 0)
        last = len(transcript) - 1
        best = Fit(self._encode(transcript[last:]), last)
        if len(best.prompt) > room:
            raise InvalidFieldError(
                f"text: with persona and lore it takes {len(best.prompt)} tokens, but must take at "
                f"most {room}, so that an answer fits into the model's context of {self._length}"
            )
        for most in (room * 3 // 4, room):
            best = self._longest(transcript, places, most) or best
            if best.dropped < last:
                break
        return best

    def _longest(
        self, transcript: Sequence[TranscriptEntry], places: Sequence[int], most: int
    ) -> Fit | None:
        """Return the longest prompt of at most `most` tokens that begins at one of `places`."""
        best: Fit | None = None
        low, high = 0, len(places)
        while low < high:
            middle = (low + high) // 2
            candidate = self._encode(transcript[places[middle] :])
            if len(candidate) <= most:
                high, best = middle, Fit(candidate, places[middle])
            else:
                low = middle + 1
        return best

    def _room(self, max_new_tokens: int) -> int:
        return self._length - min(max_new_tokens, self._length // 4)

    def _encode(self, transcript: Sequence[TranscriptEntry]) -> EncodedPrompt:
        messages = prompt.messages(self._system, transcript)
        return self._encoder.encode(self._template.render(messages, self._name))


def _most_characters(room: int) -> int:
    return room * MAX_CHARACTERS_PER_TOKEN


def _characters(transcript: Sequence[TranscriptEntry]) -> int:
    return sum(len(entry.text) for entry in transcript)


def _places(transcript: Sequence[TranscriptEntry], max_characters: int) -> list[int]:
    """Return where what the model sees may begin, from the whole transcript to its last line alone.

    That is before each line but an answer, which would stand there without its question; a line
    that the character said of its own accord may come first. Left out are places with more than
    MAX_ENTRIES lines or so many characters behind them.
    """
    places: list[int] = []
    characters = 0
    for place in reversed(range(len(transcript))):
        characters += len(transcript[place].text)
        is_last = place == len(transcript) - 1
        if not is_last and (characters > max_characters or len(transcript) - place >= MAX_ENTRIES):
            break
        spoke = EntryKind.SPOKE
        before = transcript[place - 1].kind if place else spoke
        if transcript[place].kind is not spoke or before is spoke:
            places.append(place)
    return places[::-1]
