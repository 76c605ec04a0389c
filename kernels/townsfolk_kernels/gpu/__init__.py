"""What the kernels of a GPU share: launching, compiling ahead, tiles tuned for a model of GPU."""
