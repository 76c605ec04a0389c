"""Tensor operations of the engine: a public function each, its PyTorch reference, its Triton kernel."""
