"""Which files of a repository are meant."""

import pytest
from townsfolk.library.files import NoSuchFileError, choose, first_parts, parts_of

GGUF = [
    "README.md",
    "Model-Q4_K_M.gguf",
    "Model-Q8_0.gguf",
    "model.IQ4_XS.gguf",
    "mmproj-Model-Q8_0.gguf",
    "BF16/Model-BF16-00001-of-00002.gguf",
    "BF16/Model-BF16-00002-of-00002.gguf",
]
DIRECTORY = ["config.json", "tokenizer.json", "model.safetensors", "pytorch_model.bin", "a.py"]


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [
        ("", ["Model-Q4_K_M.gguf"]),
        ("Q8_0", ["Model-Q8_0.gguf"]),
        ("q4_k_m", ["Model-Q4_K_M.gguf"]),
        ("IQ4_XS", ["model.IQ4_XS.gguf"]),
        ("Model-Q8_0.gguf", ["Model-Q8_0.gguf"]),
        ("BF16", [f"BF16/Model-BF16-0000{n}-of-00002.gguf" for n in (1, 2)]),
        (
            "BF16/Model-BF16-00001-of-00002.gguf",
            [f"BF16/Model-BF16-0000{n}-of-00002.gguf" for n in (1, 2)],
        ),
    ],
)
def test_a_type_or_a_name_says_which(wanted, chosen):
    assert choose(GGUF, wanted) == chosen


def test_safetensors_come_with_what_belongs_to_them_and_nothing_that_runs():
    assert choose(DIRECTORY) == ["config.json", "tokenizer.json", "model.safetensors"]


def test_a_single_file_is_meant_whatever_its_type():
    assert choose(["x.gguf", "mmproj-x.gguf", "README.md"]) == ["x.gguf"]


@pytest.mark.parametrize(
    ("names", "wanted", "message"),
    [
        (GGUF, "Q3_K_M", r"no file 'Q3_K_M': it has BF16/.*Model-Q4_K_M\.gguf"),
        (GGUF, "K_M", "no file 'K_M'"),
        (["a-Q8_0.gguf", "b-Q8_0.gguf"], "Q8_0", "several that could be meant: it has a-Q8_0"),
        (["a-Q8_0.gguf", "a-Q6_K.gguf"], "", "several that could be meant"),
        (["pytorch_model.bin", "config.json"], "", "no model: it has no GGUF file"),
    ],
)
def test_what_cannot_be_told_is_refused_with_what_there_is(names, wanted, message):
    with pytest.raises(NoSuchFileError, match=message):
        choose(names, wanted)


def test_parts():
    names = ["m-00002-of-00003.gguf", "m-00001-of-00003.gguf", "n.gguf"]
    assert first_parts(names) == ["m-00001-of-00003.gguf", "n.gguf"]
    assert parts_of(names[0]) == [f"m-0000{n}-of-00003.gguf" for n in (1, 2, 3)]
    assert parts_of("n.gguf") == ["n.gguf"]
