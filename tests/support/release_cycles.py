"""Releases a model and warms it again and again; prints one JSON line of what it took each time.

To be run with a JSON object of a model and settings, in a process of its own: memory that another
test left would count.
"""

from __future__ import annotations

import asyncio
import json
import sys

import psutil
import torch
from townsfolk.config import EngineSettings
from townsfolk.engine import Engine
from townsfolk.sampling import SamplingParams

MIB = 2**20
GREEDY = SamplingParams(temperature=0, max_new_tokens=16, min_new_tokens=16)


def taken() -> dict[str, float]:
    """Return MiB: on the GPU all that anybody takes, on the host what this process has."""
    host = psutil.Process().memory_info()
    # Not what is mapped from files: pages of libraries come and go as the system likes.
    report = {"host": (host.rss - getattr(host, "shared", 0)) / MIB}
    if torch.cuda.is_available():
        free, total = torch.cuda.mem_get_info()
        report |= {"gpu": (total - free) / MIB, "torch": torch.cuda.memory_reserved() / MIB}
    return report


async def cycle(job: dict[str, object]) -> dict[str, object]:
    engine = Engine.from_pretrained(job["model"], EngineSettings(**job["settings"]))
    prompt, texts, released, warm = [1, 2, 3, 5, 7] * 20, set(), [], []
    for _ in range(job["cycles"]):
        texts.add((await engine.generate(prompt, GREEDY)).token_ids)
        # One is under way while the model goes, and goes on when it is back.
        under_way = engine.submit(prompt, GREEDY)
        await engine.release()
        released.append(taken())
        await engine.warm()
        texts.add((await under_way.result()).token_ids)
        warm.append(taken())
    await engine.check()
    await engine.aclose()
    return {"texts": len(texts), "released": released, "warm": warm}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(cycle(json.loads(sys.argv[1])))))
