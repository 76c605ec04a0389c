"""When a process learns that it should end; see test_process.py for the whole of it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from townsfolk.service import lifetime
from townsfolk.service.lifetime import Lifetime


@pytest.mark.parametrize("wait", [lifetime.wait_for_exit, lifetime._wait_by_polling])
def test_waiting_for_another_process_ends_with_it_and_not_before(wait):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        waiting = threading.Thread(target=wait, args=(other.pid,), daemon=True)
        waiting.start()
        waiting.join(timeout=0.2)
        assert waiting.is_alive()
        other.kill()
        other.wait()
        waiting.join(timeout=300)
        assert not waiting.is_alive()


async def test_the_first_reason_counts_and_a_second_one_hurries():
    life = Lifetime()
    assert not life.ended.is_set()
    life.end("the game has ended")
    assert life.ended.is_set()
    assert not life.hurried.is_set()
    life.end("SIGINT received")
    assert life.hurried.is_set()
    assert life.reason == "the game has ended"


async def test_the_end_of_a_process_wakes_the_loop():
    life = Lifetime()
    with subprocess.Popen([sys.executable, "-c", ""]) as other:
        life.with_parent(other.pid)
        other.wait()
        async with asyncio.timeout(300):
            await life.ended.wait()
    assert str(other.pid) in life.reason


SCRIPT = """
import asyncio, logging, re, sys, time
from townsfolk.service import lifetime
lifetime.HEARS_S, lifetime.BLOCKED_S, lifetime.GIVEN_UP_S = {times}
lifetime.POLL_S = 0.1
logging.basicConfig()

class Said(logging.Handler):
    def emit(self, record):
        said.append(record.getMessage())

said = []
logging.getLogger().addHandler(Said())

def has_said(text):
    return any(text in message for message in said)

def python():
    while True:
        pass

async def main():
    life = lifetime.Lifetime(lambda: print("the last act", flush=True))
    life.on_signals()
    life.with_stdin()
    {watch}
    print("ready", flush=True)
    {block}

asyncio.run(main())
"""
NEVER = (3600, 3600, 3600)


@pytest.fixture
def child():
    """Starts a process whose event loop does something, and gives it when it is ready."""
    with contextlib.ExitStack() as ends:

        def start(block: str, times=NEVER, watch: str = "pass") -> subprocess.Popen[str]:
            script = SCRIPT.format(block=block, times=times, watch=watch)
            process = subprocess.Popen(
                [sys.executable, "-c", script],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            ends.enter_context(process)
            ends.callback(process.kill)  # one that hangs would do so for ever
            assert process.stdout.readline() == "ready\n"
            return process

        yield start


def test_a_process_that_takes_too_long_to_end_is_ended(child):
    process = child("life.end_hard_after(0.2); await asyncio.sleep(600)")
    out, log = process.communicate(timeout=300)
    assert process.returncode == 1
    assert "took too long" in log
    assert "the last act" in out


BLOCKS = [
    "time.sleep(600)",
    "python()",
    "await asyncio.sleep(0); python()",
    # It hears that it should end, and hangs before anything comes of it.
    "end = life.end; life.end = lambda reason: (end(reason), life._loop.call_soon(python)); "
    "await asyncio.sleep(600)",
]


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("how", ["a signal", "closed input"])
def test_an_event_loop_that_hangs_does_not_keep_the_process(child, block, how):
    """It was asked to end, and can't hear it."""
    process = child(block, times=(0.3, 3600, 3600))
    if how == "a signal":
        process.send_signal(signal.SIGTERM)
        process.wait(300)
    out, log = process.communicate(timeout=300)  # closes its standard input
    assert process.returncode == 1
    assert "does not answer" in log
    assert "the last act" in out


def test_an_event_loop_that_hangs_is_noticed_and_given_up(child):
    process = child("python()", times=(3600, 0.2, 0.5), watch="life.watch_loop()")
    assert process.wait(300) == 1
    log = process.stderr.read()
    assert "the event loop is blocked" in log
    assert "in python" in log  # where
    assert "blocked for 0.5 s" in log
    process.communicate()


def test_an_event_loop_that_was_busy_goes_on(child):
    block = """
    while not has_said("the event loop is blocked"):
        time.sleep(0.01)
    while not has_said("the event loop goes on"):
        await asyncio.sleep(0.01)
    print("done", flush=True)
"""
    process = child(block, times=(3600, 0.2, 3600), watch="life.watch_loop()")
    assert process.stdout.readline() == "done\n"
    _, log = process.communicate(timeout=300)
    assert "the event loop is blocked" in log
    assert "the event loop goes on" in log
    assert process.returncode == 0


@pytest.mark.skipif(os.name != "posix", reason="the kernel's timers are POSIX's")
def test_who_never_lets_python_run_is_ended_by_the_kernel(child):
    """A regular expression computes for ages and keeps the interpreter's lock."""
    block = "re.match('(a+)+$', 'a' * 60 + 'b')"
    watch = "lifetime.os.cpu_count = lambda: 1; life.watch_loop()"
    process = child(block, times=(3600, 3600, 0.5), watch=watch)
    assert process.wait(300) == -signal.SIGPROF
    process.communicate()


@pytest.mark.skipif(os.name != "posix", reason="signals to another process are POSIX's")
def test_a_process_that_was_stopped_has_not_hung(child):
    times = (3600, 0.5, 1.5)
    process = child("await asyncio.sleep(4)", times=times, watch="life.watch_loop()")
    process.send_signal(signal.SIGSTOP)
    time.sleep(3)
    process.send_signal(signal.SIGCONT)
    process.communicate(timeout=300)
    assert process.returncode == 0
