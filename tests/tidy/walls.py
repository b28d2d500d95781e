"""House rules about what a file may reach for: other rooms, the clock, chance, threads, other actors."""

import ast
from collections.abc import Iterator
from fnmatch import fnmatch

from tests.tidy.source import ROOMS, Finding, Source

MAY_IMPORT = {
    "actors": {"actors"},
    "storage": {"actors", "storage"},
    "platforms": {"actors", "platforms"},
    "supervisor": set(ROOMS),
}

THE_WORLD = (
    "time.time*", "time.monotonic*", "time.perf_counter*", "time.process_time*", "time.sleep", "time.localtime", "time.gmtime",
    "datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today", "datetime.date.today",
    "random.[!R]*", "secrets.*", "uuid.uuid1", "uuid.uuid4", "os.urandom",
    "threading.Thread", "threading.Timer", "concurrent.futures.ThreadPoolExecutor", "asyncio.to_thread",
)  # fmt: skip
"""Clocks, chance and threads. `random.Random(seed)` is given its seed and so is allowed."""

RUNTIME = (
    "actors/pool.py",
    "actors/timers.py",
    "actors/loops.py",
    "actors/threads.py",
    "supervisor/aside.py",
    "supervisor/daemon/*",
    "supervisor/cli/*",
)
"""The files that hand clock, chance and threads to all others. Keep it short: each line is a hole in the simulation."""

IMPURE = {
    "apsw",
    "asyncio",
    "logging",
    "os",
    "pykka",
    "random",
    "socket",
    "structlog",
    "subprocess",
    "threading",
    "time",
}


def imported(source: Source) -> Iterator[tuple[int, str]]:
    """Each imported module or name, in full, with its line."""
    for node in source.nodes:
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def arrows_point_inward(source: Source) -> Iterator[Finding]:
    allowed = MAY_IMPORT[source.room]
    for line, name in imported(source):
        first, _, rest = name.partition(".")
        if first in ROOMS:
            yield Finding(line, f"import greenroom.{name}: the folders are no packages of their own")
        if first != "greenroom":
            continue
        room = rest.partition(".")[0]
        if room in ROOMS and room not in allowed:
            ports = "take what you need as a value or a port of actors/ports.py, and let supervisor join the two"
            yield Finding(line, f"{source.room} may not import {room}; {ports}")
        if room not in ROOMS and source.room != "supervisor":
            yield Finding(line, f"{source.room} may not import the roof; name the file: greenroom.{source.room}.…")


def imports_are_absolute(source: Source) -> Iterator[Finding]:
    for node in source.nodes:
        if isinstance(node, ast.ImportFrom) and node.level:
            yield Finding(node.lineno, f"write the whole path: from greenroom.{source.room}.… import …")


def the_world_is_given(source: Source) -> Iterator[Finding]:
    """Refuse to name a clock, chance or a thread, called or not, outside the runtime's own files."""
    if source.room not in {"actors", "supervisor"} or any(fnmatch(source.path, pattern) for pattern in RUNTIME):
        return
    named = [
        (node.lineno, name)
        for node in source.nodes
        if isinstance(node, ast.Attribute | ast.Name) and (name := source.full_name(node))
    ]
    for line, name in sorted(set(named)):
        if any(fnmatch(name, pattern) for pattern in THE_WORLD):
            yield Finding(line, f"{name}: take `now`, the Clock port, a seeded Random or the runtime as an argument")


def deciders_are_pure(source: Source) -> Iterator[Finding]:
    """Keep threads, I/O, clocks, chance and loggers out of every file with a function that decides."""
    names = [node.name for node in source.tree.body if isinstance(node, ast.FunctionDef)]
    deciders = [name for name in names if name == "step" or name.startswith(("decide_", "classify_"))]
    if not deciders:
        return
    for line, name in imported(source):
        if name.partition(".")[0] in IMPURE:
            yield Finding(
                line, f"{deciders[0]}() is a decision, so its file imports no {name}: pass in what it learned"
            )


def shells_decide_nothing(source: Source) -> Iterator[Finding]:
    if not source.path.endswith("_actor.py"):
        return
    for node in source.nodes:
        if isinstance(node, ast.FunctionDef) and (
            node.name == "step" or node.name.startswith(("decide_", "classify_"))
        ):
            yield Finding(
                node.lineno, f"move {node.name}() to a pure file beside it; an _actor.py receives, commits and acts"
            )


def asks_name_a_timeout(source: Source) -> Iterator[Finding]:
    for call in calls_of(source, "ask"):
        timeouts = [keyword.value for keyword in call.keywords if keyword.arg == "timeout"]
        if not timeouts or (isinstance(timeouts[0], ast.Constant) and timeouts[0].value is None):
            yield Finding(call.lineno, "ask(..., timeout=seconds): an actor that is gone or stuck answers nobody")


def actors_never_ask(source: Source) -> Iterator[Finding]:
    if source.room == "actors" or source.path.endswith("_actor.py"):
        for call in calls_of(source, "ask"):
            yield Finding(
                call.lineno, "tell, and let the answer come back as an event: an actor that asks can wait for itself"
            )


def calls_of(source: Source, method: str) -> Iterator[ast.Call]:
    for node in source.nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == method:
            yield node


def no_registry(source: Source) -> Iterator[Finding]:
    for node in source.nodes:
        if not isinstance(node, ast.ImportFrom | ast.Attribute):
            continue
        names = [alias.name for alias in node.names] if isinstance(node, ast.ImportFrom) else [node.attr]
        if "ActorRegistry" in names:
            yield Finding(
                node.lineno, "keep actors in a map of your own: the registry is linear, and shared with the host's bot"
            )


def threads_have_names(source: Source) -> Iterator[Finding]:
    wanted = {"threading.Thread": "name", "concurrent.futures.ThreadPoolExecutor": "thread_name_prefix"}
    for node in source.nodes:
        keyword = wanted.get(source.full_name(node.func) or "") if isinstance(node, ast.Call) else None
        if isinstance(node, ast.Call) and keyword and keyword not in {given.arg for given in node.keywords}:
            yield Finding(node.lineno, f"{keyword}='greenroom-…': whoever reads a stack dump must know whose it is")
