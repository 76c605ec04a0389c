"""What the catalogue holds."""

import pytest
import torch
from townsfolk.library import catalogue
from townsfolk.library.catalogue import parse
from townsfolk.models import named_spec
from townsfolk.models.mixes import MIXES
from townsfolk.models.outline import WeightOutline
from townsfolk_kernels import use_reference

MODELS = list(catalogue().values())
ENTRY = """
[[model]]
name = "tavern"
title = "Tavern"
parameters = 100
repository = "someone/tavern"
file = "tavern.gguf"
bytes = 1000
sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
quantisation = "Q8_0"
licence = "MIT"
shape = "llama-tiny"
notes = ""
"""


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_a_model_is_what_its_entry_says(model):
    spec = named_spec(model.shape)
    assert spec.num_parameters / 1e6 == pytest.approx(model.parameters, rel=0.001)
    bits = {"Q8_0": (8.4, 8.75), "Q4_K_M": (4.7, 6.6)}[model.quantisation]
    assert bits[0] < 8 * model.bytes / spec.num_parameters < bits[1]
    assert model.quantisation.lower() in model.file.lower()


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_a_file_has_the_bytes_of_its_mix_of_formats(model):
    """But for its vocabulary, which is large beside the smallest models."""
    mix, spec = MIXES[model.quantisation.lower()], named_spec(model.shape)
    with use_reference():  # whose layout is the file's
        outline = WeightOutline.of_mix(spec, mix, spec.dtype, torch.device("cuda"))
    assert 0.97 < outline.nbytes / model.bytes < 1


def test_the_smallest_come_first_and_no_two_have_the_same_file():
    assert sorted(MODELS, key=lambda model: model.parameters) == MODELS
    assert len({model.sha256 for model in MODELS}) == len({m.file for m in MODELS}) == len(MODELS)


def test_an_entry_is_read():
    assert parse(ENTRY)["tavern"].size == "0.0 GiB"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('name = "tavern"', 'name = "Tavern Inn"'),
        ('repository = "someone/tavern"', 'repository = "tavern"'),
        ('file = "tavern.gguf"', 'file = "../tavern.gguf"'),
        ('file = "tavern.gguf"', 'file = "tavern.bin"'),
        ("bytes = 1000", "bytes = -1"),
        ('sha256 = "0', 'sha256 = "x'),
        ('licence = "MIT"', ""),
        ('licence = "MIT"', 'licence = "MIT"\nauthor = "nobody"'),
        ("[[model]]", ENTRY + "[[model]]"),
    ],
)
def test_an_entry_that_lacks_something_is_refused(old, new):
    with pytest.raises(ValueError, match=r"validation error|same name"):
        parse(ENTRY.replace(old, new))
