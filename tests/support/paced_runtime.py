"""What a token costs on its way from the engine's step to the client's loop.

A runtime with the real engine loop, sessions and service, in which only the model is replaced: its
runner takes as long as a GPU does and draws random tokens of a large vocabulary. With --shape, the
real runner and random weights instead. A client in another process talks to it over gRPC. By hand:

    PYTHONPATH=runtime:kernels:tests/support python -m paced_runtime --streams 1,32,64

One line for each number of streams: tokens a second through gRPC and in the engine's own process,
and CPU microseconds a token of the engine's thread, the service's event loop, gRPC's own threads,
and the client. Counts of CPU time bear other work on the machine better than rates do.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import torch
from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from townsfolk.client import AsyncRuntime, Persona
from townsfolk.config import EngineSettings
from townsfolk.engine import Engine, residency
from townsfolk.engine.outputs import TokenInfo
from townsfolk.engine.pace import Pace
from townsfolk.engine.step import ItemOutput, StepItem, StepPlan
from townsfolk.models import Decoder, named_spec
from townsfolk.sampling.params import SamplingParams
from townsfolk.service import interpreter
from townsfolk.service.gate import Backend
from townsfolk.service.server import RuntimeServer
from townsfolk.service.settings import ServiceSettings
from townsfolk.text.tokenizer import Tokenizer as TextTokenizer
from townsfolk.v1 import sampling_pb2

VOCABULARY = 128_000
SPECIALS = ("<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n"
    "{{ m.content }}<|eot_id|>{% endfor %}<|start_header_id|>assistant<|end_header_id|>\n\n"
)
# Llama-3.2-1B on an H200: rows of the batch, and milliseconds a step; the host's part of one.
STEP_ROWS, STEP_MS = (1, 2, 4, 8, 16, 32, 64), (0.77, 0.87, 1.08, 1.07, 1.12, 1.28, 1.55)
PREFILL_MS_A_TOKEN = 0.005


class PacedRunner:
    """Steps that take as long as on a GPU, one after the other, two in flight."""

    depth = 2
    least_forced: int | None = None

    def __init__(self, host_us: float) -> None:
        self._host_s = host_us / 1e6
        self._ready = 0.0
        rng = np.random.default_rng(0)
        self._tokens: deque[int] = deque(rng.integers(300, VOCABULARY, 1 << 16).tolist())

    def pace(self) -> Pace:
        return Pace()

    def launch(self, plan: StepPlan) -> tuple[list[StepItem], float]:
        begin = time.perf_counter()
        rows = sum(item.draws for item in plan.items)
        prompt = sum(item.count for item in plan.items) - len(plan.items)
        step_ms = float(np.interp(rows, STEP_ROWS, STEP_MS)) + PREFILL_MS_A_TOKEN * prompt
        while time.perf_counter() - begin < self._host_s:
            pass
        self._ready = max(self._ready, time.perf_counter()) + step_ms / 1000
        return plan.items, self._ready

    def prepare(self) -> None:
        return None

    def seconds(self, step: tuple[list[StepItem], float]) -> None:
        return None

    def close(self) -> None:
        pass

    def collect(self, step: tuple[list[StepItem], float]) -> list[ItemOutput]:
        items, ready = step
        left = ready - time.perf_counter()
        if left > 0:
            time.sleep(left)
        self._tokens.rotate(-len(items))
        return [
            ItemOutput((TokenInfo(self._tokens[n]),) if item.draws else ())
            for n, item in enumerate(items)
        ]


def write_tokenizer(directory: Path) -> TextTokenizer:
    """A byte-level vocabulary of the size of Llama 3's, of random words that look like text."""
    draw = random.Random(0)
    vocabulary = {symbol: n for n, symbol in enumerate(pre_tokenizers.ByteLevel.alphabet())}
    while len(vocabulary) < VOCABULARY:
        word = "".join(draw.choices("etaoinshrdlucmfwyp", k=draw.randint(2, 7)))
        end = draw.choices(("", ".", ",", "!"), (93, 4, 2, 1))[0]
        vocabulary.setdefault(draw.choices(("\u0120", ""), (4, 1))[0] + word + end, len(vocabulary))
    backend = Tokenizer(BPE(vocabulary, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens([AddedToken(text, special=True) for text in SPECIALS])
    backend.save(str(directory / "tokenizer.json"))
    settings = {"bos_token": SPECIALS[0], "eos_token": SPECIALS[3], "chat_template": TEMPLATE}
    (directory / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    return TextTokenizer.from_directory(directory)


def make_engine(arguments: argparse.Namespace) -> Engine:
    """The engine, with the runner in the place of a model, or with random weights of a shape."""
    streams = max(arguments.streams)
    with tempfile.TemporaryDirectory() as directory:
        tokenizer = write_tokenizer(Path(directory))
    if arguments.shape:
        device = torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
        decoder = Decoder.random(named_spec(arguments.shape), torch.bfloat16, device)
        settings = EngineSettings(kv_memory_mib=8192, max_batch=max(64, streams))
        return Engine(decoder, tokenizer, settings, name=arguments.shape)
    spec = named_spec(
        "llama-tiny",
        vocab_size=VOCABULARY + len(SPECIALS),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=1,
        head_dim=16,
        max_position_embeddings=4096,
        eos_token_id=VOCABULARY + 3,
    )
    decoder = Decoder.random(spec, torch.float32, torch.device("cpu"))
    residency._runner = lambda *_: PacedRunner(arguments.host_us)  # type: ignore[assignment]
    settings = EngineSettings(
        kv_memory_mib=64, max_batch=max(64, streams), step_token_budget=2048, threads=1
    )
    return Engine(decoder, tokenizer, settings, name="paced")


async def serve(arguments: argparse.Namespace) -> None:
    """The runtime's process: serves until standard input ends; answers `measure N` itself."""
    made = make_engine(arguments)
    settings = ServiceSettings(port=0)
    server = RuntimeServer(settings)
    await server.start()
    backend = Backend.make(made, settings)
    interpreter.settle()
    await server.open(backend)
    thread = next(t for t in threading.enumerate() if t.name == "townsfolk-engine")
    print(json.dumps({"port": server.port, "engine": thread.native_id}), flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        streams, tokens = map(int, line.split())
        prompt = [300] * arguments.prompt_tokens
        firsts = await asyncio.gather(*(_alone(made, prompt, tokens) for _ in range(streams)))
        print(decode_rate(streams, tokens, firsts), flush=True)
    await server.stop()
    await backend.aclose()


async def _alone(made: Engine, prompt: list[int], tokens: int) -> float:
    """Reads one reply; gives when it began."""
    params = SamplingParams(max_new_tokens=tokens, min_new_tokens=tokens)
    generation = made.submit(prompt, params)
    await anext(generation)
    first = time.perf_counter()
    async for _ in generation:
        pass
    return first


def decode_rate(streams: int, tokens: int, firsts: list[float]) -> float:
    """Tokens a second from when all replies have begun until now, when all have ended."""
    return streams * (tokens - 1) / (time.perf_counter() - max(firsts))


def cpu_seconds(pid: int) -> dict[int, float]:
    """CPU seconds of each thread of a process."""
    found = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            found[int(task.name)] = int((task / "schedstat").read_text().split()[0]) / 1e9
        except FileNotFoundError:  # a sandbox that counts in ticks only
            ticks = (task / "stat").read_text().rpartition(")")[2].split()
            found[int(task.name)] = (int(ticks[11]) + int(ticks[12])) / os.sysconf("SC_CLK_TCK")
    return found


class Client:
    """Streams over gRPC, and what a reader sees of them."""

    def __init__(self, runtime: AsyncRuntime, prompt_tokens: int, tokens: int) -> None:
        self.gaps: list[float] = []
        self.firsts: list[float] = []
        self._runtime = runtime
        self._prompt_tokens = prompt_tokens
        self._sampling = sampling_pb2.SamplingParams(max_new_tokens=tokens, min_new_tokens=tokens)

    async def generate(self, number: int) -> float:
        prompt = [300] * self._prompt_tokens
        return await self._read(self._runtime.generate(prompt, self._sampling))

    async def converse(self, number: int) -> float:
        persona = Persona(name=f"Npc {number}", description="x" * self._prompt_tokens)
        npc = self._runtime.npc(persona, sampling=self._sampling)
        await npc.open()
        first = await self._read(npc.say("Hello there."))
        await npc.close()
        return first

    async def _read(self, messages: AsyncIterator[object]) -> float:
        """Reads one reply; gives when it began."""
        began = time.perf_counter()
        await anext(messages)
        first = last = time.perf_counter()
        self.firsts.append(first - began)
        async for _ in messages:
            now = time.perf_counter()
            self.gaps.append(now - last)
            last = now
        return first


async def measure(arguments: argparse.Namespace) -> None:
    """The client's process."""
    command = [sys.executable, "-m", "paced_runtime", "--serve", *sys.argv[1:]]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        interpreter.settle()  # a game's process is not full of PyTorch
        async with AsyncRuntime.connect(f"127.0.0.1:{ready['port']}") as runtime:
            way = "converse" if arguments.converse else "generate"
            for streams in [1, *arguments.rounds * arguments.streams]:  # the first warms up
                tokens = arguments.tokens if streams > 1 else 4 * arguments.tokens
                process.stdin.write(f"{streams} {tokens}\n")
                process.stdin.flush()
                alone = float(await asyncio.to_thread(process.stdout.readline))
                client = Client(runtime, arguments.prompt_tokens, tokens)
                cpu, own = cpu_seconds(process.pid), time.process_time()
                firsts = await asyncio.gather(*(getattr(client, way)(n) for n in range(streams)))
                rate = decode_rate(streams, tokens, firsts)
                own = time.process_time() - own
                after = cpu_seconds(process.pid)
                spent = {task: used - cpu.get(task, 0) for task, used in after.items()}
                parts = {
                    "engine": spent.pop(ready["engine"]),
                    "loop": spent.pop(process.pid),
                    "others": sum(spent.values()),
                    "client": own,
                }
                each = " ".join(
                    f"{name} {seconds / streams / tokens * 1e6:5.1f}"
                    for name, seconds in parts.items()
                )
                gaps = np.array(client.gaps) * 1000
                print(
                    f"{way} {streams:3} streams: {rate:7.0f} tok/s "
                    f"(in process {alone:7.0f}, loss {1 - rate / alone:5.1%}); us/token: {each}; "
                    f"tokens/message {streams * tokens / len(client.gaps):4.1f}; ms: "
                    f"first p50 {1000 * np.median(client.firsts):.1f} "
                    f"gap p50 {np.quantile(gaps, 0.5):.2f} p99 {np.quantile(gaps, 0.99):.2f}",
                    flush=True,
                )
        process.stdin.close()


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", action="store_true", help="be the runtime")
    parser.add_argument("--converse", action="store_true", help="sessions, not completions")
    parser.add_argument("--shape", help="random weights instead, such as llama-3.2-1b")
    parser.add_argument("--prompt-tokens", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=1, help="runs of each")
    parser.add_argument("--host-us", type=float, default=100.0, help="the runner's own, a step")
    parser.add_argument("--tokens", type=int, default=500, help="of each reply")
    parser.add_argument(
        "--streams", type=lambda text: [int(n) for n in text.split(",")], default=[1, 32, 64]
    )
    arguments = parser.parse_args()
    asyncio.run(serve(arguments) if arguments.serve else measure(arguments))


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
