"""Which models there are, where they lie, and how they come here. Reads no weights."""

from townsfolk.library.catalogue import CatalogueModel, catalogue
from townsfolk.library.errors import DownloadError, ModelNotFoundError, NoRoomError
from townsfolk.library.places import models_folder
from townsfolk.library.resolve import find, find_known, pull, resolve

AUTO = "auto"
"""In place of a model's name: the engine chooses one."""

__all__ = [
    "AUTO",
    "CatalogueModel",
    "DownloadError",
    "ModelNotFoundError",
    "NoRoomError",
    "catalogue",
    "find",
    "find_known",
    "models_folder",
    "pull",
    "resolve",
]
