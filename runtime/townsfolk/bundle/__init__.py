"""The runtime as a folder that ships with a game, and needs nothing else where it is played."""
