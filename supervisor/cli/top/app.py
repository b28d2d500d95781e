"""`greenroom top`: a table of sessions, what becomes true, and one session's page, for a person at a terminal."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen, Screen
from textual.widgets import DataTable, Footer, Label, RichLog, Static
from textual.worker import get_current_worker

from greenroom.storage.sqlite import CannotOpen
from greenroom.storage.views import Only, SessionRow, SessionState
from greenroom.supervisor.cli.outcome import CommandFailed
from greenroom.supervisor.cli.pages import reading
from greenroom.supervisor.cli.paper import clean, count, say_age, say_time
from greenroom.supervisor.cli.session_page import print_decisions, print_session
from greenroom.supervisor.cli.top.glance import Glance, Watch
from greenroom.supervisor.cli.top.orders import Wish, carry_out, wishes_of
from greenroom.supervisor.connections import describe_connection

LOOK_EVERY_S = 1.0
NEWS_KEPT = 500
LAST_SHOWN = 20
"""Rows of everything on a session's page."""

COLUMNS = ("session", "chat", "state", "run", "waiting", "owed", "messages", "moved", "why")
FILTERS: tuple[Only | None, ...] = (None, *Only)
STYLES = {
    SessionState.RUNNING: "green",
    SessionState.ASKING: "cyan",
    SessionState.INTERRUPTED: "yellow",
    SessionState.WAITING: "yellow",
    SessionState.OWING: "yellow",
    SessionState.QUARANTINED: "bold red",
    SessionState.SUSPENDED: "magenta",
    SessionState.IDLE: "dim",
}


def cells(row: SessionRow) -> tuple[Text, ...]:
    """A session as a row of the table."""
    state = Text(row.state.value, style=STYLES[row.state])
    words = (row.generation, row.waiting, row.owed, row.messages, say_age(row.last_at), row.reason or "")
    return (
        Text(str(row.id)),
        Text(clean(row.key, lines=False)),
        state,
        *(Text(clean(str(w), lines=False)) for w in words),
    )


def describe(glance: Glance, only: Only | None) -> Text:
    """The lines above the table."""
    store, holder = glance.store, glance.holder
    if holder is None:
        running = Text("greenroom is not running on this database", style="bold yellow")
    else:
        running = Text(f"running: pid {holder.pid}, since {say_time(holder.started_at)}", style="bold green")
    counts = (
        f"{count(store.runs_open, 'open run')}, {count(store.asking, 'question')}, {store.inbound_waiting} waiting, "
        f"{store.deliveries_owed} owed, {store.set_aside} set aside, {count(store.dead_letters, 'dead letter')}"
    )
    lines = [running, Text(counts)]
    for each in glance.connections or ():
        style = "" if each.connected else "yellow"
        lines.append(Text(clean(describe_connection(each), lines=False), style=style))
    lines.append(Text(f"sessions: {'all, the newest first' if only is None else only.value}", style="dim"))
    return Text("\n").join(lines)


class Sure(ModalScreen[bool]):
    """Asks whether an order is meant."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "dismiss(True)", "yes"),
        Binding("n,escape", "dismiss(False)", "no"),
    ]
    CSS = "Sure { align: center middle; } Sure Label { padding: 1 3; border: round $warning; background: $surface; }"

    def __init__(self, question: str) -> None:
        """`question` ends in what to press."""
        super().__init__()
        self._question = question

    def compose(self) -> ComposeResult:
        """One question."""
        yield Label(Text(f"{self._question}\n\ny: yes    n: no"))


class SessionScreen(Screen[None]):
    """One session: its transcript and all that belongs to it, or why it was resumed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "app.pop_screen", "back"),
        Binding("e", "explain", "why resumed, or not"),
        Binding("u", "renew", "look again"),
        Binding("s", "order('suspend')", "suspend"),
        Binding("r", "order('resume')", "resume"),
        Binding("t", "order('retry')", "retry"),
        Binding("l", "order('release')", "release"),
    ]

    def __init__(self, row: SessionRow, path: Path) -> None:
        """`row` as the table had it."""
        super().__init__()
        self._row, self._path = row, path
        self._explaining = False

    def compose(self) -> ComposeResult:
        """A text that scrolls, and the keys."""
        with VerticalScroll():
            yield Static(id="page")
        yield Footer()

    def on_mount(self) -> None:
        """Show the page, from its top."""
        self._show()

    def action_explain(self) -> None:
        """Change between the transcript and the decisions."""
        self._explaining = not self._explaining
        self._show()

    def action_renew(self) -> None:
        """Read it again."""
        self._show()

    def action_order(self, word: str) -> None:
        """Ask, then order it."""
        wish = Wish(word)
        if wish not in wishes_of(self._row.state):
            self.notify(f"a session that is {self._row.state.value} cannot be given {wish.value!r}", severity="warning")
            return
        question = f"{wish.value} session {self._row.id} ({clean(self._row.key, lines=False)})?"

        def answered(sure: bool | None) -> None:
            if sure:
                self.run_worker(partial(self._order, wish), thread=True, exit_on_error=False)

        self.app.push_screen(Sure(question), answered)

    def _order(self, wish: Wish) -> None:
        """On a thread of its own: the daemon may take its time."""
        try:
            said, severity = carry_out(self._path, self._row, wish), "information"
        except CommandFailed as error:
            said, severity = str(error), "error"
        if not get_current_worker().is_cancelled:
            self.app.call_from_thread(self.notify, clean(said), severity=severity)
            self.app.call_from_thread(self._show)

    def _show(self) -> None:
        page = io.StringIO()
        try:
            with reading(self._path) as views, redirect_stdout(page):
                if self._explaining:
                    print_decisions(views, str(self._row.id), last=LAST_SHOWN, as_json=False)
                else:
                    print_session(views, str(self._row.id), last=LAST_SHOWN, before=None, as_json=False)
        except (CommandFailed, CannotOpen) as error:
            page.write(str(error))
        self.query_one("#page", Static).update(Text(page.getvalue()))


class Top(App[None]):
    """See the module."""

    TITLE = "greenroom"
    ENABLE_COMMAND_PALETTE = False
    CSS = """
    #head { height: auto; padding: 0 1; }
    #sessions { height: 2fr; }
    #news { height: 1fr; min-height: 5; border-top: solid $primary; padding: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "quit"),
        Binding("f", "narrow", "narrow the list"),
        Binding("enter", "open", "open a session", priority=True),
    ]

    def __init__(self, path: Path, watch: Watch) -> None:
        """`watch` is closed by whoever made it."""
        super().__init__()
        self._path, self._watch = path, watch
        self._rows: dict[str, SessionRow] = {}
        self._filter = 0
        self._looking, self._anyway = False, True

    def compose(self) -> ComposeResult:
        """How it stands, the sessions, and what becomes true."""
        yield Static(id="head")
        yield DataTable[Text](id="sessions", cursor_type="row", zebra_stripes=True)
        yield RichLog(id="news", max_lines=NEWS_KEPT, wrap=False)
        yield Footer()

    def on_mount(self) -> None:
        """Look at once, and then every second."""
        self.query_one("#news", RichLog).can_focus = False
        self.query_one(DataTable).add_columns(*COLUMNS)
        self.look()
        self.set_interval(LOOK_EVERY_S, self.look)

    def look(self) -> None:
        """Look, unless somebody does: a daemon that hangs keeps nobody from leaving."""
        if not self._looking:
            self._looking = True
            self.run_worker(self._look, thread=True, exit_on_error=False)

    def _look(self) -> None:
        """On a thread of its own."""
        anyway, self._anyway = self._anyway, False
        found: Glance | str | None
        try:
            found = self._watch.look(FILTERS[self._filter], anyway=anyway)
        except Exception as error:  # Invariant: what cannot be read now is said, and looked at again.
            found = f"cannot be read now: {clean(str(error))}"
        if not get_current_worker().is_cancelled:
            self.call_from_thread(self._show, found)

    def _show(self, found: Glance | str | None) -> None:
        self._looking = False
        if isinstance(found, str):
            self.query_one("#head", Static).update(Text(found, style="bold red"))
        elif found is not None:
            self.query_one("#head", Static).update(describe(found, FILTERS[self._filter]))
            self._tell(found)
            self._fill(found)
        if self._anyway:
            self.look()

    def _tell(self, glance: Glance) -> None:
        news = self.query_one("#news", RichLog)
        for entry in glance.news:
            whose = entry.chat or (f"session {entry.session}" if entry.session is not None else "")
            news.write(Text(clean(f"{say_time(entry.at)}  {entry.what:<36} {whose}", lines=False)))

    def _fill(self, glance: Glance) -> None:
        table = self.query_one(DataTable)
        chosen = self._chosen()
        table.clear()
        self._rows = {str(row.id): row for row in glance.sessions}
        for key, row in self._rows.items():
            table.add_row(*cells(row), key=key)
        if chosen is not None and str(chosen.id) in self._rows:
            table.move_cursor(row=table.get_row_index(str(chosen.id)))

    def _chosen(self) -> SessionRow | None:
        table = self.query_one(DataTable)
        if not table.is_valid_row_index(table.cursor_row):
            return None
        return self._rows.get(str(table.coordinate_to_cell_key(table.cursor_coordinate).row_key.value))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002 - Textual's
        """What is done to the list is done where the list is seen."""
        return action not in {"narrow", "open"} or len(self.screen_stack) == 1

    def action_narrow(self) -> None:
        """Take the next of the filters."""
        self._filter, self._anyway = (self._filter + 1) % len(FILTERS), True
        self.look()

    def action_open(self) -> None:
        """Open the session under the cursor."""
        if (row := self._chosen()) is not None:
            self.push_screen(SessionScreen(row, self._path))

    def on_data_table_row_selected(self, _: DataTable.RowSelected) -> None:
        """Enter, or a click, on a row."""
        self.action_open()


def watch_at(path: Path) -> None:
    """Show it until its person leaves. Raises CannotOpen."""
    watch = Watch(path)
    try:
        Top(path, watch).run()
    finally:
        watch.close()
