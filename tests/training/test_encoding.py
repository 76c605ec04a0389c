import pytest
from townsfolk.dialogue.chat_template import ChatTemplate
from townsfolk.dialogue.encoding import PromptEncoder
from townsfolk.dialogue.transcript import EntryKind, TranscriptEntry
from townsfolk.starter.corpus.conversation import conversation
from townsfolk.starter.recipe import script
from townsfolk.text.tokenizer import Tokenizer
from townsfolk.training.encoding import PADDING, PROMPT, REPLY
from townsfolk.training.script import Script
from townsfolk.training.tokenizer import END_TURN


@pytest.fixture(scope="module")
def runtime(folder):
    """The runtime's own way from messages to token ids."""
    tokenizer = Tokenizer.from_directory(folder)
    template = ChatTemplate(tokenizer)

    def encode(messages):
        units = template.render(messages, "Mira", add_generation_prompt=False)
        return PromptEncoder(tokenizer).encode(units).token_ids

    return encode


@pytest.mark.parametrize("number", range(20))
def test_tokens_are_those_the_runtime_makes(encoder, runtime, number):
    told = script(conversation(f"test:{number}"))
    assert encoder(told).tokens.tolist() == runtime(told.messages())


def test_replies_and_their_ends_are_learned_and_nothing_else(encoder, scripts):
    example = encoder(scripts[0])
    learned = encoder.decode(example.tokens[example.kinds == REPLY], skip_control=False)
    assert learned == f"I'm Mira, the baker.{END_TURN}I live in Miraford.{END_TURN}"
    assert set(example.kinds) == {PROMPT, REPLY}


def test_a_reply_that_was_cut_is_not_learned(encoder, scripts):
    whole = scripts[0]
    cut = TranscriptEntry(kind=EntryKind.SPOKE, text="I'm Mi", cut=True)
    told = Script(whole.persona, whole.lore, (whole.transcript[0], cut, *whole.transcript[3:]))
    example = encoder(told)
    assert "I'm Mi —" in encoder.decode(example.tokens[example.kinds == PADDING])
    assert encoder.decode(example.tokens[example.kinds == REPLY]) == "I live in Miraford."


def test_plain_text_is_learned_to_its_end(encoder):
    example = encoder("The sea is near.")
    learned = encoder.decode(example.tokens[example.kinds == REPLY], skip_control=False)
    assert learned == f"The sea is near.{END_TURN}"
    assert example.kinds[0] == PROMPT  # the token that begins a text can't be predicted
