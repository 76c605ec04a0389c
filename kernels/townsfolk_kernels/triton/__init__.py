"""Triton kernels for CUDA devices (Tillet, Kung, Cox 2019). Importing this needs Triton."""
