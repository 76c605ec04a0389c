"""Townsfolk: a local runtime that makes a game's characters talk."""

__version__ = "0.1.0"
