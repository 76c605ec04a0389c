"""Tiny tokenizers and models on disk, as Hugging Face writes them, and chat templates for them.

The templates are in the manner of well-known families: what they do is the same, the text is ours.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tokenizers
from tokenizers import decoders, models, normalizers, pre_tokenizers, trainers

LLAMA3_CONTROLS = (
    "<|begin_of_text|>",
    "<|end_of_text|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eot_id|>",
)
LLAMA2_CONTROLS = ("<unk>", "<s>", "</s>")

LLAMA3 = """\
{%- for message in messages %}
{%- set piece = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' \
+ message['content'] | trim + '<|eot_id|>' %}
{%- if loop.first %}{%- set piece = bos_token + piece %}{%- endif %}
{{- piece }}
{%- endfor %}
{%- if add_generation_prompt %}
{{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}
{%- endif %}"""

# Llama 3.1 always writes a system message, with dates.
LLAMA31 = """\
{{- bos_token }}
{%- if not date_string is defined %}{%- set date_string = "26 Jul 2024" %}{%- endif %}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content'] | trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\n\n" }}
{%- if tools is not none %}{{- "Environment: ipython\n" }}{%- endif %}
{{- "Cutting Knowledge Date: December 2023\n" }}
{{- "Today Date: " + date_string + "\n\n" }}
{{- system_message }}
{{- "<|eot_id|>" }}
{%- for message in messages %}
    {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' }}
    {{- message['content'] | trim + '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}
{%- endif %}
"""

LLAMA2 = """\
{% if messages[0]['role'] == 'system' %}
{% set turns = messages[1:] %}{% set system_message = messages[0]['content'] %}
{% else %}{% set turns = messages %}{% set system_message = false %}{% endif %}
{% for message in turns %}
{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}
{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}
{% endif %}
{% if loop.index0 == 0 and system_message != false %}
{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}
{% else %}{% set content = message['content'] %}{% endif %}
{% if message['role'] == 'user' %}
{{- bos_token + '[INST] ' + content.strip() + ' [/INST]' }}
{%- elif message['role'] == 'assistant' %}
{{- ' ' + content.strip() + ' ' + eos_token }}
{%- endif %}
{% endfor %}"""

# TinyLlama and Zephyr: the role markers are plain text.
ZEPHYR = """\
{% for message in messages %}
{% if message['role'] == 'user' %}
{{ '<|user|>\n' + message['content'] + eos_token }}
{% elif message['role'] == 'system' %}
{{ '<|system|>\n' + message['content'] + eos_token }}
{% elif message['role'] == 'assistant' %}
{{ '<|assistant|>\n'  + message['content'] + eos_token }}
{% endif %}
{% if loop.last and add_generation_prompt %}
{{ '<|assistant|>' }}
{% endif %}
{% endfor %}"""

# Mistral 0.1: no system role, strict turns.
MISTRAL = """\
{{ bos_token }}{% for message in messages %}
{%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}
{{- raise_exception('Roles must alternate user/assistant/user/assistant/...') }}
{%- endif %}
{%- if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}
{%- elif message['role'] == 'assistant' %}{{ message['content'] + eos_token + ' ' }}
{%- else %}{{ raise_exception('Only user and assistant roles are supported!') }}
{%- endif %}{% endfor %}"""

# Mistral 0.3: the system text moves along with the newest message.
MISTRAL_LAST = """\
{%- if messages[0]['role'] == 'system' %}
{%- set system_message = messages[0]['content'] %}{%- set turns = messages[1:] %}
{%- else %}{%- set turns = messages %}{%- endif %}
{{- bos_token }}
{%- for message in turns %}
{%- if message['role'] == 'user' %}
{%- if loop.last and system_message is defined %}
{{- '[INST] ' + system_message + '\n\n' + message['content'] + '[/INST]' }}
{%- else %}{{- '[INST] ' + message['content'] + '[/INST]' }}{%- endif %}
{%- else %}{{- ' ' + message['content'] + eos_token }}{%- endif %}
{%- endfor %}"""

TEMPLATES = {
    "llama3": LLAMA3,
    "llama31": LLAMA31,
    "llama2": LLAMA2,
    "zephyr": ZEPHYR,
    "mistral": MISTRAL,
    "mistral-last": MISTRAL_LAST,
}
BYTE_LEVEL = frozenset({"llama3", "llama31"})

_CORPUS = (
    "You are Mira. An innkeeper of the Gilded Goose, who knows every road and every rumour.",
    "What everyone here knows:\nThe king is dead. The bridge is closed.\n\nYou never: lie; steal",
    "Player: Hello! What is your name? Anna: I'd like a room for the night, please.",
    "[The door opens] Welcome, traveller. The rooms are upstairs, and the ale is three coppers.",
    "[INST] <<SYS>> <</SYS>> [/INST] <|user|> <|assistant|> <|system|> Today Date: 26 Jul 2024",
    "system user assistant Cutting Knowledge Date: December 2023",
)


def write_tokenizer(directory: Path, style: str | None) -> Path:
    """A byte-level (Llama 3) or SentencePiece-like (Llama 2) BPE tokenizer of 600 tokens.

    Args:
        directory: Where to write; it is made.
        style: A key of TEMPLATES, or None for a SentencePiece-like one without a chat template.
    """
    directory.mkdir(parents=True, exist_ok=True)
    controls = LLAMA3_CONTROLS if style in BYTE_LEVEL else LLAMA2_CONTROLS
    backend = _byte_level(controls) if style in BYTE_LEVEL else _sentencepiece(controls)
    backend.save(str(directory / "tokenizer.json"))
    settings: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": controls[0 if style in BYTE_LEVEL else 1],
        "eos_token": controls[-1],
    }
    if style is not None:
        settings["chat_template"] = TEMPLATES[style]
    (directory / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    return directory


def _byte_level(controls: Sequence[str]) -> tokenizers.Tokenizer:
    backend = tokenizers.Tokenizer(models.BPE(ignore_merges=True))
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(
                tokenizers.Regex(
                    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
                    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
                ),
                "isolated",
            ),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    backend.decoder = decoders.ByteLevel()
    backend.train_from_iterator(
        _CORPUS,
        trainers.BpeTrainer(
            vocab_size=600,
            show_progress=False,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            special_tokens=[],
        ),
    )
    backend.add_special_tokens([_control(text) for text in controls])
    return backend


def _sentencepiece(controls: Sequence[str]) -> tokenizers.Tokenizer:
    backend = tokenizers.Tokenizer(models.BPE(byte_fallback=True, fuse_unk=True, unk_token="<unk>"))
    backend.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    backend.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    # Training needs words; without a pre-tokenizer the whole line would be one.
    backend.pre_tokenizer = pre_tokenizers.Split(tokenizers.Regex(" ?[^▁]+|▁"), "merged_with_next")
    backend.train_from_iterator(
        _CORPUS,
        trainers.BpeTrainer(
            vocab_size=600,
            show_progress=False,
            special_tokens=[*controls, *(f"<0x{byte:02X}>" for byte in range(256))],
        ),
    )
    backend.pre_tokenizer = None
    spec = json.loads(backend.to_str())
    # The bytes are ordinary tokens of the vocabulary, only the controls are added ones.
    spec["added_tokens"] = [t for t in spec["added_tokens"] if t["content"] in controls]
    return tokenizers.Tokenizer.from_str(json.dumps(spec))


def _control(text: str) -> tokenizers.AddedToken:
    return tokenizers.AddedToken(text, special=True, normalized=False)
