"""Chat templates, and tiny tokenizers and models on disk that use them.

The templates are in the manner of well-known families: what they do is the same, the text is ours.
"""

from __future__ import annotations

import json
from pathlib import Path

import small_tokenizers
import torch
from tokenizers import Tokenizer
from transformers import LlamaConfig, LlamaForCausalLM

LLAMA3_CONTROLS = tuple(small_tokenizers.LLAMA3_SPECIALS)
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

# How each family's vocabulary treats spaces; see small_tokenizers.byte_fallback.
_FORMS = {
    "llama2": "normalizer",
    "zephyr": "always",
    "mistral": "normalizer",
    "mistral-last": "first",
}


def write_tokenizer(directory: Path, style: str | None) -> Path:
    """A tokenizer with the chat template of this style; None is that of a base model."""
    if style in BYTE_LEVEL:
        small_tokenizers.byte_level(directory)
    else:
        small_tokenizers.byte_fallback(directory, form=_FORMS.get(style, "normalizer"))
    return use_template(directory, None if style is None else TEMPLATES[style])


def use_template(directory: Path, template: str | None) -> Path:
    """Gives a model directory another chat template; None takes it away."""
    path = directory / "tokenizer_config.json"
    settings = json.loads(path.read_text(encoding="utf-8"))
    settings.pop("chat_template", None)
    for name in ("bos_token", "eos_token"):  # transformers takes them as text only
        token = settings[name]
        settings[name] = token["content"] if isinstance(token, dict) else token
    if template is not None:
        settings["chat_template"] = template
    path.write_text(json.dumps(settings), encoding="utf-8")
    return directory


def write_model(directory: Path, style: str | None, *, context: int = 1024) -> Path:
    """A random Llama in fp32 with the tokenizer of `write_tokenizer`."""
    write_tokenizer(directory, style)
    ids = Tokenizer.from_file(str(directory / "tokenizer.json")).get_vocab(with_added_tokens=True)
    ends = [ids[text] for text in ("</s>", "<|end_of_text|>", "<|eot_id|>") if text in ids]
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=max(ids.values()) + 1,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=context,
        initializer_range=0.3,
        bos_token_id=ids.get("<s>", ids.get("<|begin_of_text|>")),
        eos_token_id=ends[0],
    )
    model = LlamaForCausalLM(config)
    model.generation_config.eos_token_id = ends
    model.save_pretrained(directory)
    return directory
