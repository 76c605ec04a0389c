"""Learning from play: a runtime plays episodes, and an adapter learns from what they came to."""
