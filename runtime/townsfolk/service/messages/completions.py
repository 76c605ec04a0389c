"""Completions of a prompt, with no character involved."""

from __future__ import annotations

from townsfolk.engine.generation import Generation
from townsfolk.engine.outputs import Completion, TextDelta
from townsfolk.service.messages.sampling import FINISH_REASONS, add_tokens, usage_message
from townsfolk.text.tokenizer import Tokenizer
from townsfolk.v1 import townsfolk_pb2


def echo_message(generation: Generation, tokenizer: Tokenizer) -> townsfolk_pb2.GenerateResponse:
    """Return a completion's prompt."""
    message = townsfolk_pb2.GenerateResponse(prompt=townsfolk_pb2.EchoedPrompt())
    add_tokens(message.prompt.tokens, generation.prompt_tokens, tokenizer)
    return message


def text_message(delta: TextDelta, tokenizer: Tokenizer) -> townsfolk_pb2.GenerateResponse:
    """Return more of a completion."""
    message = townsfolk_pb2.GenerateResponse()
    message.text.text = delta.text
    add_tokens(message.text.tokens, delta.tokens, tokenizer)
    return message


def finished_message(completion: Completion) -> townsfolk_pb2.GenerateResponse:
    """Return a completion's end."""
    finished = townsfolk_pb2.GenerationFinished(
        finish_reason=FINISH_REASONS[completion.finish_reason],
        usage=usage_message(completion.usage),
        stop_text=completion.stop_text or "",
    )
    return townsfolk_pb2.GenerateResponse(finished=finished)
