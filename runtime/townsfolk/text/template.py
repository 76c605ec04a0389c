"""A chat template as a program: how it is compiled, and which tokens it writes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NoReturn

from jinja2 import Template, nodes
from jinja2.exceptions import TemplateError
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

# Conversations to try on a template: some have no system role, some want the user first.
_SAMPLES = (
    ("system", "user", "assistant", "user"),
    ("user", "assistant", "user"),
    ("user",),
)
_CONTENT = "\ue000"  # of a message; in no vocabulary


def compile_template(source: str) -> Template:
    """Return the template, ready to render in a sandbox, with the functions of Hugging Face's.

    Raises:
        TemplateError: The source is no template.
    """
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_GenerationBlock, loopcontrols]
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _raise_exception
    environment.globals["strftime_now"] = _strftime_now
    return environment.from_string(source)


def written(source: str, variables: Mapping[str, str], texts: Iterable[str]) -> frozenset[str]:
    """Return which of `texts` the template writes around the messages of a conversation.

    What only stands in the source, in a comparison, a comment or a branch for tools, is not
    written. A template that fails to render writes nothing.

    Args:
        source: The template.
        variables: What it may use besides the messages, such as `bos_token`.
        texts: What to look for.
    """
    try:
        template = compile_template(source)
    except TemplateError:
        return frozenset()
    for roles in _SAMPLES:
        try:
            rendered = template.render(
                **variables,
                messages=[{"role": role, "content": _CONTENT} for role in roles],
                add_generation_prompt=True,
                tools=None,
                documents=None,
            )
        except Exception:  # A template can raise anything: it is a program.
            continue
        return frozenset(text for text in texts if text in rendered)
    return frozenset()


class _GenerationBlock(Extension):
    """`{% generation %}`: marks replies for training; here it shows what is inside."""

    tags = {"generation"}  # noqa: RUF012 - jinja2 declares it so

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _raise_exception(message: str) -> NoReturn:
    raise TemplateError(message)


def _strftime_now(form: str) -> str:
    return datetime.now().strftime(form)


def _to_json(value: Any, **options: Any) -> str:
    return json.dumps(value, ensure_ascii=False, **options)
