"""The debugger in a terminal."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.css.query import NoMatches
from textual.widgets import DataTable, Footer, Header, Static, TabbedContent, TabPane

from townsfolk.client import AsyncRuntime, TownsfolkError
from townsfolk.inspector.recording import Recording
from townsfolk.inspector.snapshot import SessionView, Snapshot, take
from townsfolk.inspector.tables import (
    ERRORS,
    SESSIONS,
    TURNS,
    errors,
    session,
    step_times,
    turn,
)
from townsfolk.v1.dialogue_pb2 import EntryKind, TranscriptEntry

Table = DataTable[Text]


class Inspector(App[None]):
    """Shows a runtime's sessions, and of the chosen one prompt, turns, transcript and errors."""

    CSS = """
    #sessions { width: 42; }
    #status { height: auto; background: $panel; padding: 0 1; }
    .text { padding: 0 1; }
    """
    TITLE = "Townsfolk"
    BINDINGS: ClassVar[list[BindingType]] = [
        ("q", "quit", "Quit"),
        ("space", "pause", "Pause"),
        ("p", "show('prompt')", "Prompt"),
        ("t", "show('turns')", "Turns"),
        ("l", "show('lines')", "Transcript"),
        ("e", "show('errors')", "Errors"),
    ]

    def __init__(
        self, runtime: AsyncRuntime, recording: Recording | None = None, interval_s: float = 1.0
    ) -> None:
        """Look at an open runtime every so many seconds, and record what is seen."""
        super().__init__()
        self._runtime = runtime
        self._recording = recording
        self._interval_s = interval_s
        self._snapshot: Snapshot | None = None
        self._chosen = ""
        self._paused = False

    @property
    def chosen(self) -> SessionView | None:
        """The session that is looked into; None while there is none."""
        views = () if self._snapshot is None else self._snapshot.sessions
        return next((v for v in views if v.summary.session_id == self._chosen), None)

    def compose(self) -> ComposeResult:
        """Lay sessions out to the left, the chosen one to the right, the runtime below."""
        yield Header()
        with Horizontal():
            yield DataTable(id="sessions", cursor_type="row")
            with Vertical(), TabbedContent(initial="prompt"):
                with TabPane("Prompt", id="prompt"), VerticalScroll():
                    yield Static(id="prompt-text", classes="text", markup=False)
                with TabPane("Turns", id="turns"):
                    yield DataTable(id="turn-table", cursor_type="row")
                with TabPane("Transcript", id="lines"), VerticalScroll():
                    yield Static(id="line-text", classes="text", markup=False)
                with TabPane("Errors", id="errors"):
                    yield DataTable(id="error-table", cursor_type="row")
        yield Static("connecting", id="status", markup=False)
        yield Footer()

    def on_mount(self) -> None:
        """Begin to look."""
        for name, columns in (
            ("#sessions", SESSIONS),
            ("#turn-table", TURNS),
            ("#error-table", ERRORS),
        ):
            self._table(name).add_columns(*columns)
        self.run_worker(self._look(), group="look")

    def action_pause(self) -> None:
        """Keep what is on the screen, or go on."""
        self._paused = not self._paused
        self.sub_title = "paused" if self._paused else ""

    def action_show(self, pane: str) -> None:
        """Turn to a page."""
        self.query_one(TabbedContent).active = pane

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        """Look into the session that the cursor is on."""
        if event.data_table.id == "sessions" and event.row_key.value not in (None, self._chosen):
            self._chosen = str(event.row_key.value)
            with suppress(NoMatches):
                self._show_chosen()

    def _table(self, name: str) -> Table:
        return self.query_one(name, DataTable)

    async def _look(self) -> None:
        while True:
            if not self._paused:
                with suppress(NoMatches):  # the view was taken down meanwhile
                    await self._take()
            await asyncio.sleep(self._interval_s)

    async def _take(self) -> None:
        try:
            snapshot = await take(self._runtime)
        except TownsfolkError as error:
            self.query_one("#status", Static).update(f"can't look: {error}")
            if self._recording is not None:
                self._recording.fail(time.time(), str(error))
            return
        self._snapshot = snapshot
        if self._recording is not None:
            self._recording.add(snapshot)
        self._show(snapshot)

    def _show(self, snapshot: Snapshot) -> None:
        names = [view.summary.session_id for view in snapshot.sessions]
        if self._chosen not in names:
            self._chosen = names[0] if names else ""
        rows = [(name, session(v)) for name, v in zip(names, snapshot.sessions, strict=True)]
        _fill(self._table("#sessions"), rows, self._chosen)
        self._show_chosen()
        info, stats = snapshot.info, snapshot.stats
        self.query_one("#status", Static).update(
            f"{info.model} on {info.device}   {stats.running} run, {stats.waiting} wait   "
            f"first token {stats.ttft_p50_ms:.0f} ms (p99 {stats.ttft_p99_ms:.0f})   "
            f"step {step_times(stats.decode_steps)}, "
            f"with prompts {step_times(stats.prompt_steps)}   "
            f"{stats.tokens_per_second:.0f} tokens/s   KV {stats.kv_blocks_used} used, "
            f"{stats.kv_blocks_cached} cached, {stats.kv_blocks_free} free   "
            f"{stats.memory_used_mib} MiB"
        )

    def _show_chosen(self) -> None:
        view = self.chosen
        self.query_one("#prompt-text", Static).update(_prompt(view))
        self.query_one("#line-text", Static).update(_transcript(view))
        turns = [] if view is None else view.seen.turns
        rows = [(one.turn_id, turn(one)) for one in reversed(turns)]
        _fill(self._table("#turn-table"), rows)
        own = [] if view is None else [*view.seen.errors]
        others = [] if self._snapshot is None else [*self._snapshot.errors]
        found = sorted(own + others, key=lambda error: -error.unix_ms)
        rows = [(str(number), errors(error)) for number, error in enumerate(found)]
        _fill(self._table("#error-table"), rows)


def _fill(table: Table, rows: list[tuple[str, tuple[str, ...]]], chosen: str = "") -> None:
    """Show rows, with the cursor where it was or on the chosen one."""
    place = table.cursor_row
    table.clear()
    for key, row in rows:
        table.add_row(*map(Text, row), key=key)  # not markup: players write it
        if key == chosen:
            place = table.row_count - 1
    if table.row_count:
        table.move_cursor(row=min(place, table.row_count - 1), animate=False)


def _prompt(view: SessionView | None) -> Text:
    """Return the prompt; what came from the cache is dim."""
    if view is None:
        return Text("no session is open")
    prompt = view.seen.prompt
    if not prompt.token_ids:
        return Text("nothing was said to this character yet")
    whole = len(prompt.token_ids)
    head = f"{whole} tokens for {prompt.turn_id}, "
    if prompt.HasField("cached_tokens"):
        head += f"{prompt.cached_tokens} of them from the cache (dim)"
    else:
        head += "what came from the cache is known at the end of the turn"
    return Text.assemble(
        (f"{head}\n\n", "bold"), (prompt.cached_text, "dim"), (prompt.computed_text, "bold green")
    )


def _transcript(view: SessionView | None) -> Text:
    entries = [] if view is None else view.saved.config.history
    return Text("\n".join(map(_line, entries)) or "nothing was said yet")


def _line(entry: TranscriptEntry) -> str:
    if entry.kind == EntryKind.ENTRY_KIND_EVENT:
        return f"[{entry.text}]"
    return f"{entry.speaker}: {entry.text}{' —' if entry.cut else ''}"
