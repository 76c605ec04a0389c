"""Triton kernels for a flat batch: chunks of prompts, and steps of layers without fused kernels."""
