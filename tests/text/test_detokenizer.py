from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest
import small_tokenizers
from hypothesis import given
from hypothesis import strategies as st
from townsfolk.text import Detokenizer, Tokenizer


@cache
def load(form: str) -> Tokenizer:
    directory = Path(mkdtemp(prefix="townsfolk-test-"))
    if form == "byte-level":
        return Tokenizer.from_directory(small_tokenizers.byte_level(directory))
    return Tokenizer.from_directory(small_tokenizers.byte_fallback(directory, form=form))


forms = pytest.mark.parametrize("form", ["byte-level", "normalizer", "first"])
# Mostly bytes, so that characters are often cut; beyond the vocabulary too.
any_ids = st.lists(st.one_of(st.integers(0, 260), st.integers(0, 720)), max_size=40)


def pieces(tokenizer: Tokenizer, ids: list[int], tail: list[int] | None = None) -> list[str]:
    detokenizer = Detokenizer(tokenizer, tail or ())
    return [*(detokenizer.push(i) for i in ids), detokenizer.flush()]


@forms
@given(ids=any_ids)
def test_pieces_joined_are_the_whole_decoded(form: str, ids: list[int]) -> None:
    tokenizer = load(form)
    assert "".join(pieces(tokenizer, ids)) == tokenizer.decode(ids)


@forms
@given(text=st.text().filter(lambda t: "\ufffd" not in t))
def test_never_half_a_character(form: str, text: str) -> None:
    tokenizer = load(form)
    assert not any("\ufffd" in piece for piece in pieces(tokenizer, tokenizer.encode(text)))


@forms
@given(text=st.text())
def test_a_character_comes_with_its_last_byte(form: str, text: str) -> None:
    tokenizer = load(form)
    detokenizer = Detokenizer(tokenizer)
    shown, ids = "", tokenizer.encode(text)
    for n, token_id in enumerate(ids):
        shown += detokenizer.push(token_id)
        data = b"".join(tokenizer.token_bytes(i) for i in ids[: n + 1])
        whole = data.decode("utf-8", errors="ignore")
        assert len(shown) >= len(whole) - tokenizer.adds_prefix_space


@forms
@given(prompt=st.text(min_size=1), reply=any_ids)
def test_a_reply_goes_on_where_the_prompt_ended(form: str, prompt: str, reply: list[int]) -> None:
    tokenizer = load(form)
    prompt_ids = tokenizer.encode(prompt)
    text = "".join(pieces(tokenizer, reply, prompt_ids[-4:]))
    assert tokenizer.decode(prompt_ids) + text == tokenizer.decode([*prompt_ids, *reply])


def test_a_character_begun_in_the_prompt_is_completed() -> None:
    tokenizer = load("byte-level")
    by_bytes = {tokenizer.token_bytes(i): i for i in range(tokenizer.vocab_size)}
    ids = [by_bytes[bytes([n])] for n in "\u9152".encode()]
    assert pieces(tokenizer, ids[2:], ids[:2]) == ["\u9152", ""]


def test_a_reply_after_a_control_token_loses_the_prefix_space() -> None:
    tokenizer = load("normalizer")
    ids = tokenizer.encode("Good evening")
    assert "".join(pieces(tokenizer, ids, [tokenizer.special_tokens["<s>"]])) == "Good evening"
    assert "".join(pieces(tokenizer, ids, tokenizer.encode("So"))) == " Good evening"


def test_control_tokens_are_left_out() -> None:
    tokenizer = load("byte-level")
    end = tokenizer.special_tokens["<|eot_id|>"]
    assert "".join(pieces(tokenizer, [*tokenizer.encode("gold"), end])) == "gold"


def test_what_is_never_completed_is_flushed() -> None:
    tokenizer = load("byte-level")
    by_bytes = {tokenizer.token_bytes(i): i for i in range(tokenizer.vocab_size)}
    assert pieces(tokenizer, [by_bytes[b"\xe9"]]) == ["", "\ufffd"]
