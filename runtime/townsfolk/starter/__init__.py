"""The small model that ships with Townsfolk: its corpus, its evaluation and its weights."""
