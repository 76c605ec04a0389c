"""Triton kernels of a decode step: one new token of each sequence, operations fused."""
