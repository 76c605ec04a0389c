"""Compiled vectors and teams."""

import gc
import math
import threading

import numpy as np
import pytest
import torch
from numba import types
from townsfolk_kernels.compiled import compiler, vectors
from townsfolk_kernels.compiled.compiler import entry
from townsfolk_kernels.compiled.team import Team, enter, finish, leave, take, wait


@entry(types.void(types.int64, types.int64))
def exponentials(source, target):
    vectors.store(target, vectors.exponential(vectors.load(source)))


@entry(types.void(types.int64, types.int64))
def rounded(source, target):
    vectors.store_bf16(target, vectors.load(source))


@entry(types.void(types.int64, types.int64, types.int64, types.int64))
def count_up(team, chunks, phases, thread):
    """Each phase adds what the one before it has written, once for each of its chunks."""
    if not enter(team):
        return
    for phase in range(phases):
        chunk = take(team, phase)
        while chunk < chunks:
            finish(team, phase)
            chunk = take(team, phase)
        wait(team, phase, chunks)
    leave(team, thread == 0)


def compile_anew():
    """Compile a function in the folder that the environment names; hits and misses of the cache."""

    @entry(types.void(types.int64, types.int64))
    def copied(source, target):
        vectors.store(target, vectors.load(source))

    x, found = torch.randn(16), torch.empty(16)
    copied(x.data_ptr(), found.data_ptr())
    assert torch.equal(found, x)
    return sum(copied.stats.cache_hits.values()), sum(copied.stats.cache_misses.values())


def test_what_is_compiled_is_kept_until_any_file_changes(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert compile_anew() == (0, 1)
    assert compile_anew() == (1, 0)
    monkeypatch.setattr(compiler, "_digest", lambda: "another version")
    assert compile_anew() == (0, 1)


def test_without_a_folder_it_is_compiled_each_time(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    for _ in range(2):
        hits, _ = compile_anew()
        assert hits == 0


def test_exponential():
    x = torch.empty(16).uniform_(-86, 86)
    x[0] = 0
    found = torch.empty(16)
    exponentials(x.data_ptr(), found.data_ptr())
    torch.testing.assert_close(found, x.exp(), rtol=3e-7, atol=0)
    x.fill_(-math.inf)
    exponentials(x.data_ptr(), found.data_ptr())
    assert (found < 1e-37).all()


@pytest.mark.parametrize("extension", ["own", "avx2", "none"])
def test_products_of_bytes_on_other_processors(tmp_path, monkeypatch, extension):
    if extension != "own":
        monkeypatch.setattr(vectors, "HAS_VNNI", False)
        monkeypatch.setattr(vectors, "HAS_AVX2", extension == "avx2" and vectors.HAS_AVX2)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))  # not that of another extension

    @entry(types.void(types.int64, types.int64, types.int64))
    def multiplied(left, right, target):
        sums = vectors.dot(vectors.no_ints(), vectors.load_bytes(left), vectors.load_bytes(right))
        vectors.store(target, vectors.to_floats(sums))

    found = torch.empty(16)
    for most in (2, 64, 256):
        left = torch.randint(most, (16, 4), dtype=torch.uint8)
        right = torch.randint(-128, 128, (16, 4), dtype=torch.int8)
        left[:2] = most - 1
        right[0], right[1] = 127, -128
        multiplied(left.data_ptr(), right.data_ptr(), found.data_ptr())
        assert torch.equal(found, (left.int() * right.int()).sum(dim=1).float())


def test_bf16_is_rounded_as_torch_does():
    x = torch.randint(-(2**31), 2**31 - 1, (16,)).int().view(torch.float32).clone()
    x[:4] = torch.tensor([math.nan, math.inf, -math.inf, 0.0])
    found = torch.empty(16, dtype=torch.bfloat16)
    rounded(x.data_ptr(), found.data_ptr())
    assert torch.equal(found.isnan(), x.isnan())
    assert torch.equal(found.nan_to_num(), x.bfloat16().nan_to_num())


@pytest.mark.parametrize("size", [1, 2, 6])
def test_a_team_comes_back_from_every_step(size):
    team = Team(size, 40)
    for _ in range(50):
        team.run(lambda thread: count_up(team.address, 7, 40, thread))
        done = team._state[8:].reshape(40, 16)[:, 8]
        assert (done == 7).all()
    team.close()


def test_threads_end_with_their_team():
    before = set(threading.enumerate())
    team = Team(4, 3)
    team.run(lambda thread, address=team.address: count_up(address, 3, 3, thread))
    helpers = set(threading.enumerate()) - before
    assert len(helpers) == 3
    del team
    gc.collect()
    for helper in helpers:
        helper.join(timeout=500)
        assert not helper.is_alive()


def test_two_teams_know_nothing_of_each_other():
    teams = [Team(3, 20) for _ in range(2)]

    def steps(team):
        for _ in range(30):
            team.run(lambda thread: count_up(team.address, 5, 20, thread))

    threads = [threading.Thread(target=steps, args=(team,)) for team in teams]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for team in teams:
        assert (team._state[8:].reshape(20, 16)[:, 8] == np.int64(5)).all()
        team.close()
