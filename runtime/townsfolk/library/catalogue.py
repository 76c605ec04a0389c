"""The models that Townsfolk knows by name: data in `catalogue.toml`, and their schema."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, PositiveInt

GIB = 1024**3


class CatalogueModel(BaseModel):
    """A model worth using for characters, and the file of it that is recommended."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9.-]*$", description="What `--model` and `pull` take."
    )
    title: str = Field(min_length=1, description="What it is called.")
    parameters: PositiveInt = Field(description="Its number of parameters, in millions.")
    repository: str = Field(
        pattern=r"^\w[\w.-]*/\w[\w.-]*$", description="Where the hub has it: owner/name."
    )
    file: str = Field(pattern=r"^[\w.-]+\.gguf$", description="The file in the repository.")
    bytes: PositiveInt = Field(description="Size of the file.")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="Its checksum.")
    quantisation: str = Field(min_length=1, description="The type of most of its weights.")
    licence: str = Field(min_length=1, description="Under which it may be used.")
    shape: str = Field(min_length=1, description="Its entry in models/shapes.toml.")
    notes: str = Field(description="What it is good for.")

    @property
    def size(self) -> str:
        """The file's size, to read."""
        return f"{self.bytes / GIB:.1f} GiB"


def parse(text: str) -> Mapping[str, CatalogueModel]:
    """Read a catalogue.

    Raises:
        ValueError: it is not TOML, an entry lacks something, or a name is there twice.
    """
    entries: list[dict[str, Any]] = tomllib.loads(text)["model"]
    models = [CatalogueModel.model_validate(entry) for entry in entries]
    named = {model.name: model for model in models}
    if len(named) < len(models):
        raise ValueError("two models of the catalogue have the same name")
    return MappingProxyType(named)


@cache
def catalogue() -> Mapping[str, CatalogueModel]:
    """Return the catalogue that ships with Townsfolk, the smallest models first."""
    folder = resources.files("townsfolk.library")
    return parse(folder.joinpath("catalogue.toml").read_text(encoding="utf-8"))
