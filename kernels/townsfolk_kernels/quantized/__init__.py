"""Weights in blocks of small integers with scales."""
