import pytest
import torch


@pytest.fixture(autouse=True)
def one_thread():
    """Small shapes: threads cost more than they bring, and the machine is shared."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
