"""What adapters are trained on, against what the runtime shows to a model."""

from dataclasses import replace

import pytest
from chat_models import TEMPLATES, use_template, write_tokenizer
from townsfolk.dialogue.actions import OURS, Action, ActionFormat, ActionParameter
from townsfolk.dialogue.chat_template import ChatTemplate
from townsfolk.dialogue.context import ContextWindow
from townsfolk.dialogue.errors import UnsupportedTemplateError
from townsfolk.dialogue.persona import Persona
from townsfolk.dialogue.transcript import EntryKind, TranscriptEntry
from townsfolk.text.tokenizer import Tokenizer
from townsfolk.training.chat import ChatEncoder
from townsfolk.training.encoding import PADDING, PROMPT, REPLY
from townsfolk.training.script import Script

REPLIES = ("Marta pours you a mug of ale.", "Wolves! In the northern woods, café and all.")
# As Qwen 3: the newest reply begins with an empty thought, earlier ones don't.
THINKS = (
    "{% for m in messages %}{{ '<|start_header_id|>' + m.role + '<|end_header_id|>\n\n' }}"
    "{% if m.role == 'assistant' and loop.last %}{{ '<think>\n\n</think>\n\n' }}{% endif %}"
    "{{ m.content + '<|eot_id|>' }}{% endfor %}{% if add_generation_prompt %}"
    "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n<think>\n\n</think>\n\n' }}{% endif %}"
)


@pytest.fixture(scope="module")
def load(tmp_path_factory):
    """The tokenizer of a template style; None is a base model's."""
    known = {}

    def tokenizer(style):
        if style not in known:
            folder = tmp_path_factory.mktemp(str(style))
            write_tokenizer(folder, "llama3" if style == "thinks" else style)
            if style == "thinks":
                use_template(folder, THINKS)
            known[style] = Tokenizer.from_directory(folder)
        return known[style]

    return tokenizer


def heard(text):
    return TranscriptEntry(kind=EntryKind.HEARD, speaker="Bo", text=text)


def spoke(text, cut=False):
    return TranscriptEntry(kind=EntryKind.SPOKE, text=text, cut=cut)


def script(*transcript):
    return Script(Persona(name="Marta", description="Keeps the inn."), ("It rains.",), transcript)


def dialogue():
    event = TranscriptEntry(kind=EntryKind.EVENT, text="It begins to rain.")
    return script(heard("Hello!"), spoke(REPLIES[0]), event, heard("News?"), spoke(REPLIES[1]))


def learned(examples):
    """The runs of tokens that are learned."""
    runs = []
    for example in examples:
        before = PROMPT
        for token, kind in zip(example.tokens.tolist(), example.kinds.tolist(), strict=True):
            if kind == REPLY:
                if before != REPLY:
                    runs.append([])
                runs[-1].append(token)
            before = kind
    return runs


STYLES = [*TEMPLATES, "thinks", None]


@pytest.mark.parametrize("style", STYLES)
def test_replies_follow_the_prompts_that_the_runtime_makes(load, style):
    tokenizer, whole = load(style), dialogue()
    examples = ChatEncoder(tokenizer)(whole)
    window = ContextWindow(whole.persona, whole.lore, ChatTemplate(tokenizer), tokenizer, 4096)
    prompt = window.fit(whole.transcript[:1], 64).prompt
    first, second = learned(examples)
    tokens = examples[0].tokens.tolist()
    assert tokens[: len(prompt)] == prompt.token_ids
    assert tokens[len(prompt) : len(prompt) + len(first)] == first
    window.remember(prompt, first, whole.transcript[:2])
    prompt = window.fit(whole.transcript[:4], 64).prompt
    tokens = examples[-1].tokens.tolist()
    assert tokens[: len(prompt)] == prompt.token_ids
    assert tokens[len(prompt) :] == second


@pytest.mark.parametrize("style", STYLES)
def test_replies_are_learned_with_the_token_that_ends_them(load, style):
    tokenizer = load(style)
    template = ChatTemplate(tokenizer)
    runs = learned(ChatEncoder(tokenizer)(dialogue()))
    for ids, text in zip(runs, REPLIES, strict=True):
        assert tokenizer.decode(ids).strip() == text
        if style is None:
            assert tokenizer.decode(ids).endswith(template.stops)
        else:
            assert ids[-1] in tokenizer.eos_ids | set(template.stop_token_ids)


def test_a_dialogue_is_one_example_where_prompts_go_on_from_each_other(load):
    assert len(ChatEncoder(load("llama3"))(dialogue())) == 1
    assert len(ChatEncoder(load("thinks"))(dialogue())) == 2


def test_interrupted_replies_and_those_to_nobody_are_not_learned(load):
    tokenizer = load("llama3")
    whole = script(
        spoke("Welcome."), heard("Hello!"), spoke("I was", cut=True), heard("Yes?"), spoke("Ale.")
    )
    (example,) = ChatEncoder(tokenizer)(whole)
    (run,) = learned([example])
    assert tokenizer.decode(run) == "Ale."
    cut = example.tokens[example.kinds == PADDING]
    assert tokenizer.decode(cut.tolist()).strip().startswith("I was")


def test_control_tokens_in_a_script_are_text(load):
    tokenizer = load("llama3")
    whole = script(heard("<|eot_id|> Say it!"), spoke("<|eot_id|> never"))
    (example,) = ChatEncoder(tokenizer)(whole)
    (run,) = learned([example])
    assert tokenizer.decode(run) == "<|eot_id|> never"
    assert run.count(tokenizer.special_tokens["<|eot_id|>"]) == 1


def test_a_row_is_not_filled_with_what_has_nothing_to_learn(load):
    encoder = ChatEncoder(load("llama3"))
    begin = int((encoder(dialogue())[0].kinds == REPLY).argmax())
    assert encoder.fitting(dialogue(), begin)
    assert not encoder.fitting(dialogue(), begin - 1)


def test_text_begins_and_ends_as_the_tokenizer_says(load):
    tokenizer = load("llama3")
    (example,) = ChatEncoder(tokenizer)("Once.")
    names = [tokenizer.token_bytes(int(each)).decode() for each in example.tokens]
    assert names[0] == "<|begin_of_text|>"
    assert names[-1] == "<|end_of_text|>"
    assert example.kinds.tolist() == [PROMPT] + [REPLY] * (len(names) - 1)


def test_small_models_are_trained_on_the_same_tokens(folder, encoder, scripts):
    chat = ChatEncoder(Tokenizer.from_directory(folder))
    for each in scripts:
        (found,), expected = chat(each), encoder(each)
        assert found.tokens.tolist() == expected.tokens.tolist()
        assert found.kinds.tolist() == expected.kinds.tolist()


def acting():
    action = Action(name="give", parameters=(ActionParameter(name="item"),))
    call = '{"name": "give", "arguments": {"item": "mug"}}'
    reply = f"Here you are.{OURS.opens}{call}{OURS.closes}"
    return replace(script(heard("A mug!"), spoke(reply)), actions=(action,)), call


@pytest.mark.parametrize("style", STYLES)
def test_an_action_is_learned_as_the_request_that_it_is(load, style):
    """No token spans its edges, whatever merges there."""
    told, call = acting()
    tokenizer = load(style)
    if ActionFormat.of(tokenizer.chat_template) is not OURS:
        with pytest.raises(UnsupportedTemplateError, match="actions"):
            ChatEncoder(tokenizer)(told)
        return
    (reply,) = learned(ChatEncoder(tokenizer)(told))
    action = tokenizer.encode(call, continues=True)
    assert any(reply[at : at + len(action)] == action for at in range(len(reply)))
