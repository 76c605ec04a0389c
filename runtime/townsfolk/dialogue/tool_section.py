"""What a model's own chat template tells it of tools, with places for a game's actions."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from townsfolk.text.renderer import RenderingError
from townsfolk.text.tokenizer import Tokenizer

# Stand for outside text while the template is rendered, which thus never sees any.
_SYSTEM, _USER, _TOOLS = "SYSTEM-7c1e", "USER-7c1e", ("TOOL-7c1e-A", "TOOL-7c1e-B")
_INDENT = re.compile(r"tojson\(\s*indent\s*=\s*([0-9])\s*\)")


@dataclass(frozen=True, slots=True)
class ToolSection:
    """The part of a template's system message that is about tools.

    It stands in a prompt behind what the system text says else, wherever the template has it.
    """

    begins: str
    between: str
    ends: str
    indent: int | None
    """Of the tools' JSON; None for one line."""

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> Self | None:
        """Return a template's section; None where it has none that takes tools as plain JSON."""
        source = tokenizer.chat_template or ""
        if tokenizer.renderer is None or "tools" not in source:
            return None
        try:
            plain, with_tools = (_rendered(tokenizer, tools) for tools in (None, [*_TOOLS]))
        except RenderingError:
            return None
        section = _added(plain, with_tools)
        parts = [] if section is None else re.split("|".join(f'"{t}"' for t in _TOOLS), section)
        if len(parts) != 3:
            return None
        indent = _INDENT.search(source)
        begins, between, ends = parts
        return cls(
            begins.lstrip("\n"),
            between,
            ends.rstrip("\n"),
            None if indent is None else int(indent[1]),
        )

    def text(self, tools: Sequence[Mapping[str, Any]]) -> str:
        """Return it with these tools, as the template writes them."""
        written = (json.dumps(tool, ensure_ascii=False, indent=self.indent) for tool in tools)
        return self.begins + self.between.join(written) + self.ends


def _rendered(tokenizer: Tokenizer, tools: list[str] | None) -> str:
    assert tokenizer.renderer is not None
    return tokenizer.renderer.render(
        [{"role": "system", "content": _SYSTEM}, {"role": "user", "content": _USER}],
        add_generation_prompt=True,
        tools=tools,
        tools_in_user_message=False,  # Llama's templates put them there otherwise
        enable_thinking=False,
        thinking=False,
    )


def _added(plain: str, with_tools: str) -> str | None:
    """Return what tools add on one side of the system text; None where that can't be told."""
    if plain.count(_SYSTEM) != 1 or with_tools.count(_SYSTEM) != 1:
        return None
    (head, tail), (tool_head, tool_tail) = plain.split(_SYSTEM), with_tools.split(_SYSTEM)
    if _TOOLS[0] in tool_tail:
        return tool_tail.removesuffix(tail) if tool_tail.endswith(tail) else None
    # Before it, and perhaps elsewhere: as much as stands behind the last of what is always there.
    for start in range(len(head)):
        if head[start:] in tool_head:
            return tool_head.rpartition(head[start:])[2]
    return None
