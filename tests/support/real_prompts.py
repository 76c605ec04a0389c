"""What real models are asked to go on with."""

PROMPTS = (
    "The capital of France is",
    "Once upon a time there was a",
    "def fibonacci(n):\n    ",
    "The innkeeper's special ale costs",
    "Water boils at a temperature of",
    "My name is Mira, and I keep the",
    "Dear Sir or Madam,\n\nI am writing to",
    "1, 2, 3, 4, 5,",
    "The three primary colours are",
    "In the year 1492, Christopher",
    "Ingredients:\n- 2 cups of flour\n-",
    "Q: What is the largest planet?\nA:",
    "The dragon slept upon its hoard of",
    "To be, or not to be, that is",
    "import numpy as np\n\n",
    "Der schnelle braune Fuchs",
    '{"name": "Tom", "age":',
    "Chapter One\n\nIt was a dark and",
    "A cat has four legs; a bird has",
    "She looked at the old map and said",
)
