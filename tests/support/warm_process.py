"""`townsfolk` as a child process, forked from one that has imported PyTorch and the like already.

Imports take most of the two or three processor seconds of a short command. What is forked here is
all the same a process of its own whose parent is the test, with its own pipes, environment and
signals, and runs `townsfolk.cli.main` to its end. What a test says of imports, or of variables that
are read while something is imported (`ONEDNN_MAX_CPU_ISA`, say), needs a fresh process.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import json
import os
import socket
import subprocess
import sys
import time
from functools import cache
from pathlib import Path
from typing import Any

_PR_SET_CHILD_SUBREAPER = 36
_WARM = f"""
import sys
sys.path.append({str(Path(__file__).parent)!r})
import warm_process
exec(warm_process.program_of_fork())
"""


class Townsfolk(subprocess.Popen):
    """A child process that runs a command; where none can be forked, it is a fresh one.

    `prelude` is Python that the child runs before anything else. Other options are those of Popen.
    """

    def __init__(self, *arguments: str, prelude: str = "", **options: Any) -> None:
        program = f"{prelude}\nfrom townsfolk.cli import main\nmain()"
        super().__init__([sys.executable, "-c", program, *arguments], **options)

    def _execute_child(self, args, executable, preexec_fn, close_fds, pass_fds, cwd, env, *rest):
        if sys.platform != "linux":
            super()._execute_child(
                args, executable, preexec_fn, close_fds, pass_fds, cwd, env, *rest
            )
            return
        assert preexec_fn is None, "a prelude does as well"
        pipes = rest[3:9]  # the child's and this process's end of each of the three
        ends = (pipes[0], pipes[3], pipes[5])
        files = [standard if end == -1 else end for standard, end in enumerate(ends)]
        environment = dict(os.environ if env is None else env)
        order = {"arguments": args[2:], "cwd": str(cwd or Path.cwd())}
        order |= {"environment": environment, "parent": os.getpid()}
        try:
            self.pid = _warm().fork(order, files)
            self._child_created = True
        finally:
            self._close_pipe_fds(*pipes)


def run(*arguments: str, **options: Any) -> subprocess.CompletedProcess:
    """Run a command to its end, as `subprocess.run` does, and return what it printed."""
    text, timeout_s = options.pop("input", None), options.pop("timeout", 500)
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with Townsfolk(*arguments, **(pipes | {"text": True} | options)) as process:
        try:
            printed = process.communicate(text, timeout_s)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(process.args, process.returncode, *printed)


class _Warm:
    """The process that has imported what commands need, and forks."""

    def __init__(self) -> None:
        self._orders, theirs = socket.socketpair()
        environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}  # NumPy's starts them at once
        with theirs:
            command = [sys.executable, "-c", _WARM]
            self._process = subprocess.Popen(command, stdin=theirs, env=environment)
        self._answers = self._orders.makefile("r")
        atexit.register(self._close)

    def fork(self, order: dict[str, Any], files: list[int]) -> int:
        """Return the id of a new child of this process."""
        content = os.memfd_create("order")
        os.write(content, json.dumps(order).encode())
        os.lseek(content, 0, os.SEEK_SET)
        # The child's parent ends at once, and leaves it to the nearest process that takes orphans.
        _take_orphans(True)
        try:
            socket.send_fds(self._orders, [b"!"], [content, *files])
            return int(self._answers.readline())
        finally:
            _take_orphans(False)
            os.close(content)

    def _close(self) -> None:
        self._answers.close()
        self._orders.close()
        self._process.wait()


@cache
def _warm() -> _Warm:
    return _Warm()


def _take_orphans(wanted: bool) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, int(wanted), 0, 0, 0)


def program_of_fork() -> str:
    """Import what commands need and fork at each order; return, in a fork, what it is to run."""
    import townsfolk.service.loading
    import townsfolk.service.process  # noqa: F401

    gc.collect()
    gc.freeze()  # else each child would touch, and so copy, all of it when it ends
    assert len(list(Path("/proc/self/task").iterdir())) == 1, "threads do not outlive a fork"
    with socket.socket(fileno=os.dup(0)) as orders:
        while True:
            _, files, _, _ = socket.recv_fds(orders, 1, 4)
            if not files:  # the test process has ended
                os._exit(0)
            reader, writer = os.pipe()
            between = os.fork()
            if between == 0:
                if child := os.fork():
                    os.write(writer, str(child).encode())
                    os._exit(0)
                os.close(reader)
                os.close(writer)
                break
            os.waitpid(between, 0)
            orders.sendall(os.read(reader, 20) + b"\n")
            for each in (reader, writer, *files):
                os.close(each)
    return _become(*files)


def _become(content: int, *files: int) -> str:
    """Take over an order's arguments, folder, environment and files; return its program."""
    with os.fdopen(content, "rb") as file:
        order = json.load(file)
    for standard, given in enumerate(files):
        os.dup2(given, standard)
        os.close(given)
    options = {"encoding": sys.stdin.encoding, "closefd": False}
    sys.stdin = open(0, errors=sys.stdin.errors, **options)  # noqa: SIM115
    sys.stdout = open(1, "w", errors=sys.stdout.errors, **options)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, errors=sys.stderr.errors, **options)  # noqa: SIM115
    os.environ.clear()
    os.environ.update(order["environment"])
    os.chdir(order["cwd"])
    program, *arguments = order["arguments"]
    sys.argv = ["-c", *arguments]
    while os.getppid() != order["parent"]:  # the one between is about to end
        time.sleep(0.001)
    return program
