"""Measurements: what the engine reaches, beside what the hardware and a peer reach."""
