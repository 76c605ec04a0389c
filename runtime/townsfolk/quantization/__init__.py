"""Models in 16 bits to smaller ones: `townsfolk quantize`."""
