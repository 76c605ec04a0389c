"""A tavern in a terminal: five characters share their lore and answer at once, in one batch.

Type to speak to all of them; begin with `@Mira` to speak to one. Escape interrupts whoever
speaks. Run it with `make tavern`, or `python samples/python/tavern.py --model path/to/model`.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.containers import Grid, VerticalScroll
from textual.widgets import Footer, Header, Input, Static
from townsfolk.client import AsyncNpc, AsyncRuntime, AsyncTurn, Persona, TownsfolkError
from townsfolk.starter.cast import LORE, cast


class Speaker(VerticalScroll):
    """One character's corner: what was said there, the newest line growing as it streams."""

    def __init__(self, persona: Persona) -> None:
        """Prepare the corner of one character; `seat` brings the character itself."""
        super().__init__(classes="speaker")
        self.persona = persona
        self.border_title = persona.name
        self._lines: list[str] = []
        self._text = Static(markup=False)
        self._npc: AsyncNpc | None = None
        self._turn: AsyncTurn | None = None
        self._shown = 0

    @property
    def said(self) -> list[str]:
        """The lines that stand here."""
        return list(self._lines)

    def compose(self) -> ComposeResult:
        """Hold one growing text."""
        yield self._text

    async def seat(self, runtime: AsyncRuntime) -> None:
        """Open the character's session."""
        self._npc = await runtime.npc(self.persona, lore=["port-merrow"]).open()

    async def answer(self, text: str) -> None:
        """Say something to the character and show the answer as it comes."""
        assert self._npc is not None
        self._turn = turn = self._npc.say(text)
        self._shown = 0
        self._lines += [f"> {text}", ""]
        try:
            async for piece in turn:
                self._lines[-1] += piece if self._shown else piece.lstrip()
                self._shown = len(self._lines[-1])
                self._show()
        except TownsfolkError as error:
            self._lines[-1] = f"[{error}]"
        usage = turn.usage
        self.border_subtitle = (
            f"{usage.time_to_first_token_ms:.0f} ms, {usage.tokens_per_second:.0f} tokens/s, "
            f"{usage.cached_tokens} of {usage.prompt_tokens} cached"
        )
        if turn.interrupted:
            self._lines[-1] += " —"
        self._lines.append("")
        self._turn = None
        self._show()

    async def interrupt(self) -> None:
        """Cut the character off; it remembers exactly what stands on the screen."""
        if self._turn is not None:
            await self._turn.interrupt(self._shown)

    def _show(self) -> None:
        self._text.update("\n".join(self._lines))
        self.scroll_end(animate=False)


class Tavern(App[None]):
    """The room: five corners and a line to speak."""

    TITLE = "The Salted Herring"
    BINDINGS: ClassVar[list[BindingType]] = [
        ("escape", "interrupt", "Interrupt"),
        ("ctrl+q", "quit", "Leave"),
    ]
    CSS = """
    Grid { grid-size: 3 2; }
    .speaker { border: round $accent; padding: 0 1; }
    """

    def __init__(self, runtime: AsyncRuntime) -> None:
        """Prepare the room for the cast."""
        super().__init__()
        self._runtime = runtime
        self.speakers = [Speaker(persona) for persona in cast()]

    def compose(self) -> ComposeResult:
        """Lay the corners out."""
        yield Header()
        yield Grid(*self.speakers)
        yield Input(placeholder="Say something to everyone, or @Name to one", id="say")
        yield Footer()

    async def on_mount(self) -> None:
        """Let everybody in."""
        await self._runtime.register_lore("port-merrow", LORE)
        await asyncio.gather(*(speaker.seat(self._runtime) for speaker in self.speakers))
        self.query_one("#say", Input).focus()

    async def on_input_submitted(self, event: Input.Submitted) -> None:
        """Pass on what the player says."""
        text = event.value.strip()
        event.input.clear()
        addressed = self.speakers
        if text.startswith("@"):
            name, _, text = text[1:].partition(" ")
            addressed = [
                speaker
                for speaker in self.speakers
                if name.lower() in speaker.persona.name.lower().split()
            ]
            if not addressed:
                self.notify(f"Nobody here is called {name}.")
        if text:
            for speaker in addressed:
                self.run_worker(speaker.answer(text))

    async def action_interrupt(self) -> None:
        """Cut off whoever speaks."""
        await asyncio.gather(*(speaker.interrupt() for speaker in self.speakers))


async def main() -> None:
    """Run the sample."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="starter", help="a directory or a hub id")
    options = parser.parse_args()
    if not sys.stdin.isatty():
        parser.error("the tavern is played in a terminal; `townsfolk talk` also reads from a pipe")
    async with AsyncRuntime.launch("--model", options.model) as runtime:
        await Tavern(runtime).run_async()


if __name__ == "__main__":
    asyncio.run(main())
