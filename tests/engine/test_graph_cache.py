"""Graphs are made when their kernels are there, and in the meantime nobody waits."""

from concurrent.futures import Future

import pytest
from townsfolk.engine.graph_cache import GraphCache


class Step:
    def __init__(self, name):
        self.name = name
        self.captured = 0

    def run(self):
        pass

    def capture(self):
        if "broken" in self.name:
            raise RuntimeError("no such graph")
        self.captured += 1


class Compiler:
    """Compiles when it is told to."""

    def __init__(self):
        self.kernels = {}
        self.is_slow = False

    def compile(self, run):
        name = getattr(run, "__self__", None)
        self.kernels[name and name.name] = kernel = Future()
        return [kernel]

    def slow_down(self):
        self.is_slow = True

    def close(self):
        self.is_closed = True

    def finish(self, *names):
        for name in names:
            self.kernels[name].set_result(None)


@pytest.fixture(autouse=True)
def no_pause(monkeypatch):
    monkeypatch.setattr("townsfolk.engine.graph_cache._PAUSE_S", 0.0)


def begun(*wanted):
    compiler = Compiler()
    cache = GraphCache(Step, wanted, compiler)

    def needed():
        pass

    def compile_at_once(run):
        kernels = Compiler.compile(compiler, run)
        if run is needed:
            kernels[0].set_result(None)
        return kernels

    compiler.compile = compile_at_once
    cache.begin(needed, most_wait_s=0.0)
    assert compiler.is_slow
    return cache, compiler


def test_graphs_are_captured_in_idle_moments_as_their_kernels_come():
    cache, compiler = begun("a", "b", "c")
    assert cache.prepare() > 0  # comes back later
    compiler.finish("b")
    assert cache.prepare() == 0
    assert cache.prepare() > 0
    compiler.finish("a", "c")
    assert [cache.prepare() for _ in range(3)] == [0, 0, None]
    assert [cache.get(name).captured for name in "abc"] == [1, 1, 1]


def test_graphs_without_anything_to_compile_are_noted_when_nobody_speaks():
    noted = []

    class Built(Compiler):
        def compile(self, run):
            noted.append(getattr(run, "__self__", None) and run.__self__.name)
            return []

    cache = GraphCache(Step, ["a", "b", "c"], Built())
    cache.begin(lambda: None, most_wait_s=0.0)
    assert noted == [None, "a"]  # one is tried: kernels of graphs may be others
    assert cache.get("c") is None
    assert noted == [None, "a", "c"]
    while cache.prepare() is not None:
        pass
    assert sorted(noted[1:]) == ["a", "b", "c"]
    assert [cache.get(name).captured for name in "abc"] == [1, 1, 1]


def test_a_graph_that_is_missed_is_made_as_soon_as_it_can_be():
    cache, compiler = begun("a")
    assert cache.get("a") is None
    compiler.finish("a")
    assert cache.get("a").captured == 1
    assert cache.get("new") is None  # begins to compile
    assert cache.get("new") is None
    compiler.finish("new")
    assert cache.get("new").captured == 1
    assert cache.prepare() is None


def test_while_others_speak_graphs_are_made_one_now_and_then(monkeypatch):
    monkeypatch.setattr("townsfolk.engine.graph_cache._PAUSE_S", 1000.0)
    cache, compiler = begun("a")
    compiler.finish("a")
    assert cache.get("a") is None
    assert cache.prepare() == 0  # nobody speaks
    assert cache.get("a").captured == 1


@pytest.mark.parametrize("compiles", [True, False], ids=["at capture", "at compiling"])
def test_what_can_not_be_captured_stays_without_a_graph_and_harms_no_other(compiles):
    cache, compiler = begun("broken", "b")
    if compiles:
        compiler.finish("broken")
    else:
        compiler.kernels["broken"].set_exception(RuntimeError("ptxas"))
    compiler.finish("b")
    assert [cache.prepare() for _ in range(3)] == [0, 0, None]
    assert cache.get("broken") is None
    assert cache.get("broken") is None
    assert cache.get("b").captured == 1


def test_a_closed_book_has_nothing():
    cache, compiler = begun("a", "b")
    compiler.finish("a")
    assert cache.prepare() == 0
    cache.close()
    assert compiler.is_closed
    assert cache.prepare() is None
    assert cache._graphs == {}


def test_kernels_that_are_needed_must_compile():
    compiler = Compiler()
    cache = GraphCache(Step, [], compiler)
    failed = Future()
    failed.set_exception(RuntimeError("ptxas"))
    compiler.compile = lambda run: [failed]
    with pytest.raises(RuntimeError, match="ptxas"):
        cache.begin(lambda: None, most_wait_s=0.0)
