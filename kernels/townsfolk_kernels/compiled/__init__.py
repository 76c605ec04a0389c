"""Kernels for processors, compiled by Numba on the machine that runs them.

They read and write memory by address: what they are called with must stay alive meanwhile.
"""
