"""The HTTP interface that OpenAI's clients speak, over the same engine; see docs/openai.md."""
