"""When a process learns that it should end; see test_process.py for the whole of it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

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
        waiting.join(timeout=30)
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
        async with asyncio.timeout(30):
            await life.ended.wait()
    assert str(other.pid) in life.reason


def test_a_process_that_hangs_is_ended_all_the_same():
    script = (
        "import time; from townsfolk.service.lifetime import end_hard_after;"
        "end_hard_after(0.2); time.sleep(60)"
    )
    done = subprocess.run([sys.executable, "-c", script], timeout=50, stderr=subprocess.PIPE)
    assert done.returncode == 1
    assert b"too long" in done.stderr
