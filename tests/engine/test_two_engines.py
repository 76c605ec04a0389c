"""Two engines in one process leave each other alone."""

import asyncio
import threading

import torch
from townsfolk.models import Decoder
from townsfolk.sampling import SamplingParams

GREEDY = SamplingParams(temperature=0, max_new_tokens=60, min_new_tokens=60)


def threads_of_a_new_thread():
    found = []
    thread = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    return found[0]


async def test_each_computes_with_its_own_threads_and_nobody_else_does(start, monkeypatch):
    torch.set_num_threads(3)
    counted = []
    forward = Decoder.forward

    def note(*args):
        counted.append(torch.get_num_threads())
        return forward(*args)

    one, two = start(threads=1), start(threads=2)
    monkeypatch.setattr(Decoder, "forward", note)
    await one.generate([1, 2, 3], GREEDY)
    assert set(counted) == {1}
    counted.clear()
    await two.generate([1, 2, 3], GREEDY)
    assert set(counted) == {2}
    assert torch.get_num_threads() == threads_of_a_new_thread() == 3


async def test_side_by_side_each_gives_the_text_it_gives_alone(start):
    one = start(dtype="bfloat16", threads=2)
    expected = (await one.generate([1, 2, 3], GREEDY)).token_ids
    flags = torch.backends.mkldnn.enabled, torch.are_deterministic_algorithms_enabled()
    two = start(dtype="bfloat16", threads=1)
    for _ in range(5):
        found = await asyncio.gather(*(e.generate([1, 2, 3], GREEDY) for e in (one, two)))
        assert [reply.token_ids for reply in found] == [expected] * 2
    assert flags == (torch.backends.mkldnn.enabled, torch.are_deterministic_algorithms_enabled())
