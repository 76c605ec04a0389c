"""Fast paths of the operations on a CPU."""
