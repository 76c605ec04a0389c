import json
from functools import cache, partial
from pathlib import Path
from tempfile import mkdtemp

import pytest
import small_tokenizers
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, decoders, pre_tokenizers, processors, trainers
from tokenizers import Tokenizer as Backend
from tokenizers.models import BPE, Unigram
from townsfolk.text import Tokenizer, TokenizerError
from townsfolk.text.vocabulary import BYTE_ALPHABET
from transformers import PreTrainedTokenizerFast


def legacy(directory: Path) -> Path:
    """As files were written up to 2024: merges are texts with a space."""
    small_tokenizers.byte_fallback(directory, form="normalizer")
    model = json.loads((directory / "tokenizer.json").read_text())["model"]
    model["merges"] = [" ".join(merge) for merge in model["merges"]]
    edit(directory / "tokenizer.json", model=model)
    return directory


def edit(path: Path, **changes: object) -> None:
    content = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**content, **changes}))


FORMS = {
    "legacy": legacy,
    "byte-level": small_tokenizers.byte_level,
    "normalizer": partial(small_tokenizers.byte_fallback, form="normalizer"),
    "first": partial(small_tokenizers.byte_fallback, form="first"),
    "always": partial(small_tokenizers.byte_fallback, form="always"),
}
SPECIALS = [*small_tokenizers.LLAMA3_SPECIALS, "<unk>", "<s>", "</s>"]
# Any characters, with control tokens and parts of them strewn in.
hostile_text = st.lists(
    st.one_of(
        st.text(max_size=8),
        st.sampled_from([*SPECIALS, "<s", "</", "s>", "<|eot_id", "|>", "<0x41>", " ", "\n"]),
    ),
    max_size=12,
).map("".join)
forms = pytest.mark.parametrize("form", FORMS)


@cache
def directory(form: str) -> Path:
    return FORMS[form](Path(mkdtemp(prefix="townsfolk-test-")))


@cache
def load(form: str) -> Tokenizer:
    return Tokenizer.from_directory(directory(form))


@cache
def oracle(form: str) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(tokenizer_file=str(directory(form) / "tokenizer.json"))


@forms
@given(text=hostile_text)
def test_outside_text_never_becomes_a_control_token(form: str, text: str) -> None:
    tokenizer = load(form)
    ids = tokenizer.encode(text)
    assert not set(ids) & set(tokenizer.special_tokens.values())


@forms
@given(text=hostile_text)
def test_decode_gives_the_text_back(form: str, text: str) -> None:
    tokenizer = load(form)
    if form != "byte-level":
        text = text.replace("\u2581", "")  # SentencePiece's own sign for a space
    if form in ("first", "always"):
        text = text.lstrip(" ")  # Metaspace writes "x" and " x" in the same way
    assert tokenizer.decode(tokenizer.encode(text)) == text


@forms
@given(text=hostile_text)
def test_encoding_with_specials_is_that_of_transformers(form: str, text: str) -> None:
    ids = load(form).encode(text, specials=True)
    assert ids == oracle(form).encode(text, add_special_tokens=False)


@forms
@given(text=st.text())
def test_encoding_plain_text_is_that_of_transformers(form: str, text: str) -> None:
    expected = oracle(form).encode(text, add_special_tokens=False)
    assert load(form).encode(text) == expected


@forms
@given(text=hostile_text)
def test_decoding_is_that_of_transformers(form: str, text: str) -> None:
    ids = load(form).encode(text, specials=True)
    expected = oracle(form).decode(
        ids, skip_special_tokens=True, clean_up_tokenization_spaces=False
    )
    assert load(form).decode(ids) == expected


@forms
def test_token_bytes_joined_are_the_text(form: str) -> None:
    tokenizer = load(form)
    text = "caf\u00e9 \u9152\u5834 \U0001f37a <s> \n"
    data = b"".join(tokenizer.token_bytes(i) for i in tokenizer.encode(text))
    assert data.decode().removeprefix("" if form == "byte-level" else " ") == text


@forms
def test_every_byte_has_a_token(form: str) -> None:
    tokenizer = load(form)
    covered = {tokenizer.token_bytes(i) for i in range(tokenizer.vocab_size)}
    assert {bytes([n]) for n in range(256)} <= covered


def test_invalid_bytes_become_replacement_characters() -> None:
    tokenizer = load("byte-level")
    by_bytes = {tokenizer.token_bytes(i): i for i in range(tokenizer.vocab_size)}
    ids = [by_bytes[bytes([n])] for n in (0xE9, 0x85, 0x41, 0xFF)]
    assert tokenizer.decode(ids) == "\ufffdA\ufffd"


@forms
def test_ids_beyond_the_vocabulary_have_no_text(form: str) -> None:
    tokenizer = load(form)
    assert tokenizer.token_bytes(tokenizer.vocab_size + 5) == b""
    assert tokenizer.decode([tokenizer.vocab_size]) == ""


def test_bos_is_not_added() -> None:
    tokenizer = load("byte-level")
    assert tokenizer.encode("") == []
    assert tokenizer.bos_id not in tokenizer.encode("Hello", specials=True)


def test_text_that_continues_gets_no_prefix_space() -> None:
    tokenizer = load("first")
    bos = tokenizer.special_tokens["<s>"]
    whole = tokenizer.encode("<s>gold", specials=True)
    assert [bos, *tokenizer.encode("gold", continues=True)] == whole
    assert tokenizer.encode("gold") != tokenizer.encode("gold", continues=True)


def test_lone_surrogates_are_refused() -> None:
    with pytest.raises(ValueError, match="surrogate"):
        load("byte-level").encode("a\ud800b")


def test_control_tokens_inside_the_vocabulary_are_kept_out_of_text(tmp_path: Path) -> None:
    # `ignore_merges` looks whole words up, and here a word is a control token.
    names = ["endturn"]
    backend = Backend(BPE(ignore_merges=True))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend.train_from_iterator(
        small_tokenizers.corpus(),
        trainers.BpeTrainer(
            special_tokens=names, initial_alphabet=alphabet, vocab_size=400, show_progress=False
        ),
    )
    tokenizer = Tokenizer.from_directory(small_tokenizers.save(backend, tmp_path, {}))
    ids = tokenizer.encode("endturn")
    assert tokenizer.special_tokens["endturn"] not in ids
    assert tokenizer.decode(ids) == "endturn"
    assert tokenizer.encode("endturn", specials=True) == [tokenizer.special_tokens["endturn"]]


def test_what_the_chat_template_writes_is_a_control_token(tmp_path: Path) -> None:
    backend = Backend.from_file(str(directory("byte-level") / "tokenizer.json"))
    backend.add_tokens([AddedToken("<|im_start|>", special=False), AddedToken("<|other|>")])
    settings = {"chat_template": "<|im_start|>{{ messages }}"}
    tokenizer = Tokenizer.from_directory(small_tokenizers.save(backend, tmp_path, settings))
    marker = backend.token_to_id("<|im_start|>")
    assert marker not in tokenizer.encode("<|im_start|>")
    assert tokenizer.encode("<|im_start|>", specials=True) == [marker]
    assert tokenizer.decode([marker]) == ""
    assert tokenizer.decode(tokenizer.encode("<|other|>")) == "<|other|>"


def begin_text_with(model: Path, token: str) -> None:
    """Has the post-processor of a model directory put a token before a text."""
    backend = Backend.from_file(str(model / "tokenizer.json"))
    backend.post_processor = processors.TemplateProcessing(
        single=f"{token} $A", special_tokens=[(token, backend.token_to_id(token) or 0)]
    )
    backend.save(str(model / "tokenizer.json"))


def without_bytes(directory: Path, *lost: int) -> Path:
    """A byte-level vocabulary without tokens for some bytes, as those of SmolLM2 and GPT-NeoX."""
    small_tokenizers.byte_level(directory)
    model = json.loads((directory / "tokenizer.json").read_text())["model"]
    gone = {character for character, byte in BYTE_ALPHABET.items() if byte in lost}
    model["vocab"] = {t: i for t, i in model["vocab"].items() if not gone & set(t)}
    model["merges"] = [m for m in model["merges"] if not gone & set("".join(m))]
    edit(directory / "tokenizer.json", model=model)
    return directory


class TestVocabulariesWithoutSomeBytes:
    LOST = (0x04, 0x16, 0xC0, 0xF1, 0xFF)

    def test_what_cannot_be_written_is_dropped_as_in_the_reference(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        tokenizer = Tokenizer.from_directory(without_bytes(tmp_path, *self.LOST))
        (warning,) = caplog.records
        assert "04 16 f1" in warning.getMessage()  # c0 and ff are in no UTF-8 text
        oracle = PreTrainedTokenizerFast(tokenizer_file=str(tmp_path / "tokenizer.json"))
        for text in ("ale", "a\x04b \x16", "\U00040000!", "酒\x04場"):
            ids = tokenizer.encode(text)
            assert ids == oracle.encode(text, add_special_tokens=False)
            assert tokenizer.decode(ids) == oracle.decode(ids, clean_up_tokenization_spaces=False)

    def test_bytes_of_no_utf8_text_are_not_missed(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        Tokenizer.from_directory(without_bytes(tmp_path, 0xC0, 0xC1, *range(0xF5, 0x100)))
        assert not caplog.records


class TestAddedTokens:
    def load(self, directory: Path, template: str, *texts: str, special: bool = False) -> Tokenizer:
        backend = Backend.from_file(str(small_tokenizers.byte_level(directory) / "tokenizer.json"))
        backend.add_tokens([AddedToken(t, special=special, normalized=False) for t in texts])
        settings = {"chat_template": template}
        return Tokenizer.from_directory(small_tokenizers.save(backend, directory, settings))

    @pytest.mark.parametrize("special", [False, True])
    def test_white_space_is_no_control_token(self, tmp_path: Path, special: bool) -> None:
        white = ("\n\n", "    ", "\t")
        template = "{% for m in messages %}\n\n    \t{{ m.content }}{% endfor %}"
        tokenizer = self.load(tmp_path, template, *white, special=special)
        assert not tokenizer.special_tokens.keys() & set(white)
        text = "one\n\n    two\tthree"
        assert tokenizer.decode(tokenizer.encode(text)) == text

    def test_what_only_stands_in_the_templates_source_is_no_control_token(
        self, tmp_path: Path
    ) -> None:
        template = (
            "{# <c> #}{% for m in messages %}{% if '<think>' in m.content %}{{ '<a>' }}{% endif %}"
            "<b>{{ m.content.split('<think>')[-1] }}{% endfor %}"
            "{% if tools %}<tool>{% endif %}"
        )
        tokenizer = self.load(tmp_path, template, "<a>", "<b>", "<c>", "<think>", "<tool>")
        added = {"<a>", "<b>", "<c>", "<think>", "<tool>"}
        assert tokenizer.special_tokens.keys() & added == {"<b>"}

    def test_a_template_that_refuses_a_system_text_still_writes_its_tokens(
        self, tmp_path: Path
    ) -> None:
        template = (
            "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no') }}"
            "{% endif %}<b>{{ m.content }}{% endfor %}"
        )
        assert "<b>" in self.load(tmp_path, template, "<b>").special_tokens

    def test_u_2581_in_an_added_token_is_a_space(self, tmp_path: Path) -> None:
        directory = small_tokenizers.byte_fallback(tmp_path, form="first")
        backend = Backend.from_file(str(directory / "tokenizer.json"))
        backend.add_tokens([AddedToken("\u2581\u2581\u2581", normalized=False)])
        tokenizer = Tokenizer.from_directory(small_tokenizers.save(backend, directory, {}))
        token = backend.token_to_id("\u2581\u2581\u2581")
        assert tokenizer.token_bytes(token) == b"   "


class TestEndTokens:
    @pytest.fixture
    def model(self, tmp_path: Path) -> Path:
        return small_tokenizers.byte_level(tmp_path)

    def ids(self, model: Path) -> frozenset[int]:
        return Tokenizer.from_directory(model).eos_ids

    def names(self, model: Path) -> set[str]:
        tokenizer = Tokenizer.from_directory(model)
        by_id = {i: name for name, i in tokenizer.special_tokens.items()}
        return {by_id[i] for i in tokenizer.eos_ids}

    def test_a_list_in_the_generation_settings(self, model: Path) -> None:
        edit(model / "generation_config.json", eos_token_id=[1, 2])
        edit(model / "tokenizer_config.json", eos_token=None, chat_template=None)
        assert self.ids(model) == {1, 2}

    def test_the_generation_settings_override_the_model_configuration(self, model: Path) -> None:
        edit(model / "generation_config.json", eos_token_id=3)
        edit(model / "config.json", eos_token_id=4)
        edit(model / "tokenizer_config.json", eos_token=None, chat_template=None)
        assert self.ids(model) == {3}

    def test_the_model_configuration_alone(self, model: Path) -> None:
        (model / "generation_config.json").unlink()
        edit(model / "config.json", eos_token_id=4)
        edit(model / "tokenizer_config.json", eos_token=None, chat_template=None)
        assert self.ids(model) == {4}

    def test_the_end_of_a_turn_of_the_template_is_added(self, model: Path) -> None:
        (model / "generation_config.json").unlink()
        assert self.names(model) == {"<|end_of_text|>", "<|eot_id|>"}

    def test_a_base_model_has_no_turns_to_end(self, model: Path) -> None:
        (model / "generation_config.json").unlink()
        edit(model / "tokenizer_config.json", chat_template=None)
        assert self.names(model) == {"<|end_of_text|>"}

    def test_broken_ids_are_refused(self, model: Path) -> None:
        edit(model / "generation_config.json", eos_token_id="</s>")
        with pytest.raises(TokenizerError, match=r"eos_token_id in generation_config\.json"):
            self.ids(model)

    def test_an_unknown_end_token_is_refused(self, model: Path) -> None:
        edit(model / "tokenizer_config.json", eos_token="<|nowhere|>")
        with pytest.raises(TokenizerError, match=r"eos_token .*nowhere"):
            self.ids(model)


class TestSettings:
    @pytest.fixture
    def model(self, tmp_path: Path) -> Path:
        return small_tokenizers.byte_level(tmp_path)

    def test_names_and_bos(self, model: Path) -> None:
        tokenizer = Tokenizer.from_directory(model)
        assert tokenizer.named_tokens["bos_token"] == "<|begin_of_text|>"
        assert tokenizer.bos_id == tokenizer.special_tokens["<|begin_of_text|>"]

    def test_a_model_may_have_no_bos(self, model: Path) -> None:
        edit(model / "tokenizer_config.json", bos_token=None)
        assert Tokenizer.from_directory(model).bos_id is None

    def test_bos_of_the_model_configuration(self, model: Path) -> None:
        (model / "tokenizer_config.json").unlink()
        edit(model / "config.json", bos_token_id=7)
        assert Tokenizer.from_directory(model).bos_id == 7

    def test_the_post_processor_says_how_a_text_begins(self, model: Path) -> None:
        tokenizer = Tokenizer.from_directory(model)
        assert tokenizer.prefix_ids == (tokenizer.special_tokens["<|begin_of_text|>"],)
        oracle = PreTrainedTokenizerFast(tokenizer_file=str(model / "tokenizer.json"))
        assert oracle.encode("gold") == [*tokenizer.prefix_ids, *tokenizer.encode("gold")]

    def test_a_byte_level_vocabulary_that_says_nothing_begins_with_nothing(
        self, model: Path
    ) -> None:
        edit(model / "tokenizer.json", post_processor=None)
        tokenizer = Tokenizer.from_directory(model)
        oracle = PreTrainedTokenizerFast(tokenizer_file=str(model / "tokenizer.json"))
        assert oracle.encode("gold") == tokenizer.encode("gold")
        assert tokenizer.prefix_ids == ()
        assert tokenizer.bos_id is not None

    @pytest.mark.parametrize("adds", [True, False])
    def test_add_bos_token_has_the_last_word(self, model: Path, adds: bool) -> None:
        if adds:
            edit(model / "tokenizer.json", post_processor=None)
        edit(model / "tokenizer_config.json", add_bos_token=adds)
        tokenizer = Tokenizer.from_directory(model)
        assert tokenizer.prefix_ids == ((tokenizer.bos_id,) if adds else ())

    def test_a_byte_fallback_vocabulary_begins_with_bos_by_custom(self, tmp_path: Path) -> None:
        small_tokenizers.byte_fallback(tmp_path, form="first")
        assert Tokenizer.from_directory(tmp_path).prefix_ids == (1,)

    def test_without_a_begin_token_nothing_is_added(self, model: Path) -> None:
        edit(model / "tokenizer.json", post_processor=None)
        edit(model / "tokenizer_config.json", add_bos_token=True, bos_token=None)
        assert Tokenizer.from_directory(model).prefix_ids == ()

    def test_add_bos_token_that_is_no_truth_value_is_refused(self, model: Path) -> None:
        edit(model / "tokenizer_config.json", add_bos_token="yes")
        with pytest.raises(TokenizerError, match="add_bos_token"):
            Tokenizer.from_directory(model)

    def test_several_templates_without_a_default_are_said(
        self, model: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        edit(model / "tokenizer_config.json", chat_template=[{"name": "rag", "template": "t"}])
        assert Tokenizer.from_directory(model).chat_template is None
        assert "rag" in caplog.text
        assert "base model" in caplog.text

    def test_additional_templates_alone_are_said(
        self, model: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        edit(model / "tokenizer_config.json", chat_template=None)
        (model / "additional_chat_templates").mkdir()
        (model / "additional_chat_templates" / "tool_use.jinja").write_text("t")
        assert Tokenizer.from_directory(model).chat_template is None
        assert "tool_use" in caplog.text

    @pytest.mark.parametrize("content", ["from json", {"default": "from json", "rag": "t"}])
    def test_a_template_in_chat_template_json_is_taken_and_said(
        self, model: Path, caplog: pytest.LogCaptureFixture, content: object
    ) -> None:
        edit(model / "tokenizer_config.json", chat_template=None)
        edit(model / "chat_template.json", chat_template=content)
        assert Tokenizer.from_directory(model).chat_template == "from json"
        assert "chat_template.json" in caplog.text

    def test_a_template_that_is_not_utf8_is_refused(self, model: Path) -> None:
        (model / "chat_template.jinja").write_bytes(b"\xff")
        with pytest.raises(TokenizerError, match="jinja is not UTF-8"):
            Tokenizer.from_directory(model)

    def test_default_of_several_templates(self, model: Path) -> None:
        templates = [{"name": "tool_use", "template": "t"}, {"name": "default", "template": "d"}]
        edit(model / "tokenizer_config.json", chat_template=templates)
        assert Tokenizer.from_directory(model).chat_template == "d"

    def test_template_file_comes_first(self, model: Path) -> None:
        (model / "chat_template.jinja").write_text("from the file")
        assert Tokenizer.from_directory(model).chat_template == "from the file"


class TestBrokenFiles:
    @pytest.fixture
    def model(self, tmp_path: Path) -> Path:
        return small_tokenizers.byte_level(tmp_path)

    def test_no_tokenizer(self, tmp_path: Path) -> None:
        with pytest.raises(TokenizerError, match=r"no tokenizer\.json in"):
            Tokenizer.from_directory(tmp_path)

    def test_only_a_sentencepiece_model(self, tmp_path: Path) -> None:
        (tmp_path / "tokenizer.model").write_bytes(b"")
        with pytest.raises(TokenizerError, match="save_pretrained"):
            Tokenizer.from_directory(tmp_path)

    @pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer_config.json", "config.json"])
    @pytest.mark.parametrize("content", ["{", "[]", "\ufffd"])
    def test_not_a_json_object(self, model: Path, name: str, content: str) -> None:
        (model / name).write_text(content)
        with pytest.raises(TokenizerError, match=name):
            Tokenizer.from_directory(model)

    def test_another_kind_of_model(self, tmp_path: Path) -> None:
        backend = Backend(Unigram([("a", -1.0)]))
        small_tokenizers.save(backend, tmp_path, {})
        with pytest.raises(TokenizerError, match="only BPE"):
            Tokenizer.from_directory(tmp_path)

    def test_a_vocabulary_that_cannot_write_every_byte(self, tmp_path: Path) -> None:
        backend = Backend(BPE({"a": 0, "b": 1}, []))
        small_tokenizers.save(backend, tmp_path, {})
        with pytest.raises(TokenizerError, match="lacks 254 of the 256 bytes"):
            Tokenizer.from_directory(tmp_path)

    def test_characters_without_a_byte_level_are_refused(self, tmp_path: Path) -> None:
        vocab = {chr(n): n for n in range(0x20, 0x7F)} | {"\u0120": 0}
        small_tokenizers.save(Backend(BPE(vocab, [])), tmp_path, {})
        with pytest.raises(TokenizerError, match="neither byte-level nor"):
            Tokenizer.from_directory(tmp_path)

    def test_a_post_processor_with_an_unknown_token_is_refused(self, model: Path) -> None:
        begin_text_with(model, "<nowhere>")
        with pytest.raises(TokenizerError, match="post_processor names the token '<nowhere>'"):
            Tokenizer.from_directory(model)

    def test_an_added_token_without_an_id(self, model: Path) -> None:
        edit(model / "tokenizer.json", added_tokens=[{"content": "<s>"}])
        with pytest.raises(TokenizerError, match="added_tokens"):
            Tokenizer.from_directory(model)

    def test_a_model_the_library_cannot_read(self, model: Path) -> None:
        edit(model / "tokenizer.json", pre_tokenizer={"type": "Nonsense"})
        with pytest.raises(TokenizerError, match="cannot be read"):
            Tokenizer.from_directory(model)


def test_control_tokens_take_white_space_along_if_they_say_so(tmp_path: Path) -> None:
    backend = Backend.from_file(str(directory("byte-level") / "tokenizer.json"))
    tokens = [
        AddedToken("<mask>", special=True, lstrip=True),
        AddedToken("<masked>", special=True),
        AddedToken("<mask", special=True, rstrip=True),
    ]
    backend.add_special_tokens(tokens)
    tokenizer = Tokenizer.from_directory(small_tokenizers.save(backend, tmp_path, {}))
    text = "the <mask> ale <masked> of <mask wolves <mask>\n<mask  <masked>"
    expected = backend.encode(text, add_special_tokens=False).ids
    assert tokenizer.encode(text, specials=True) == expected
