"""What the steps of a CUDA device work on is large enough for each of them."""

import pytest
import torch
from townsfolk.engine.cuda_steps import CudaSteps
from townsfolk.engine.launch_list import random_on_paper
from townsfolk.engine.step_inputs import StepShape
from townsfolk.kv import KvCache
from townsfolk.models import named_spec
from townsfolk_kernels.gpu.card import known_cards, on_paper

META = torch.device("meta")


@pytest.mark.parametrize("max_batch", [1, 2, 3, 8, 9, 12, 17, 33, 64, 65, 100, 128, 130, 200])
def test_every_sequence_of_a_step_has_a_place_in_the_masks(max_batch):
    spec = named_spec("llama-tiny")
    with on_paper(known_cards()[0]):
        decoder = random_on_paper(spec, torch.bfloat16)
        kv = KvCache.allocate(spec, 8, 16, torch.bfloat16, META)
        steps = CudaSteps.make(decoder, kv, spec.eos_ids, max_batch, spec.context_length)
    places = len(steps.resources.masks.slots)
    graphs = [shape.sequences for shape in steps.wanted if isinstance(shape, StepShape)]
    assert places >= max(graphs)
    assert places >= max_batch
    assert len(steps.resources.masks.bits) == places
