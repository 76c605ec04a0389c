"""Why a model is not to be had."""

from __future__ import annotations


class ModelNotFoundError(FileNotFoundError):
    """No model of this name can be had, and the message says what to do."""


class DownloadError(ModelNotFoundError):
    """A model could not be fetched; what has arrived of it is kept where it is of use."""


class NoRoomError(DownloadError):
    """The disk has no room for a model."""
