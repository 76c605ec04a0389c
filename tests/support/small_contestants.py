"""Contestants of the bench that compute nothing; a child process imports this file."""

from townsfolk.bench.decode import Rates


def make_counter(offset):
    return lambda prompts, new_tokens: Rates(offset + sum(map(len, prompts)), new_tokens)


def make_failing():
    raise RuntimeError("no model")
