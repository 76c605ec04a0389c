"""Take the picture of the tavern for the README, as it comes: tavern-terminal.png.

    pip install cairosvg
    python docs/images/tavern_terminal.py

It starts a runtime with the starter model, says four lines to everybody, and takes the first
answers.
"""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

import cairosvg
from textual.widgets import Input
from townsfolk.client import AsyncRuntime

ROOT = Path(__file__).resolve().parents[2]
LINES = (
    "Good evening, everyone! What are you called?",
    "Who is the mayor here?",
    "What are you afraid of?",
    "Where do you live?",
)


async def main() -> None:
    """Take the picture."""
    sys.path.insert(0, str(ROOT / "samples" / "python"))
    from tavern import Tavern

    async with AsyncRuntime.launch() as runtime:
        app = Tavern(runtime)
        async with app.run_test(size=(146, 42)) as pilot:
            for count, line in enumerate(LINES, start=1):
                app.query_one("#say", Input).value = line
                await pilot.press("enter")
                while any(len(speaker.said) < 3 * count for speaker in app.speakers):
                    await pilot.pause(0.1)
            await pilot.pause(0.5)
            svg = app.export_screenshot(title=app.TITLE)
    # No font is fetched: one of this machine is taken.
    svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)
    svg = svg.replace("Fira Code", "DejaVu Sans Mono")
    picture = Path(__file__).with_name("tavern-terminal.png")
    cairosvg.svg2png(svg.encode(), write_to=str(picture), output_width=1400)


if __name__ == "__main__":
    asyncio.run(main())
