"""From logits to tokens: the PyTorch reference, and the Triton kernels that a GPU runs."""
