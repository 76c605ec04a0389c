"""Dialogues to train characters on: a teacher's, recorded ones, and what is kept of them."""
