"""The house rules of STYLE that a machine can check, each with an example it refuses and one it allows."""

from dataclasses import dataclass
from fnmatch import fnmatch

import pytest
from tests.tidy import manners, walls
from tests.tidy.source import ROOMS, ROOT, Rule, Source, broken, sources

BENCHMARKS_AND_TESTS = ("benchmarks", "tests")


@dataclass(frozen=True, slots=True)
class House:
    """A rule, where it holds, and what it thinks of two small files called `path`."""

    rule: Rule
    bad: str
    good: str
    path: str = "actors/example.py"
    folders: tuple[str, ...] = ROOMS


RULES = [
    House(
        walls.arrows_point_inward,
        "from greenroom.storage.store import Store",
        "from greenroom.actors.model import Message",
    ),
    House(walls.arrows_point_inward, "from greenroom import Supervisor", "import pykka", path="storage/example.py"),
    House(
        walls.arrows_point_inward, "import greenroom.platforms", "import greenroom.actors", path="storage/example.py"
    ),
    House(
        walls.arrows_point_inward,
        "from actors.model import Message",
        "from greenroom import storage",
        path="supervisor/x.py",
    ),
    House(walls.imports_are_absolute, "from .model import Message", "from greenroom.actors.model import Message"),
    House(walls.the_world_is_given, "import time as t\nnow = t.monotonic()", "def step(time):\n    return time.time()"),
    House(
        walls.the_world_is_given, "from time import time\nclock = time", "from time import struct_time\nx = struct_time"
    ),
    House(walls.the_world_is_given, "import random\nrandom.random()", "import random\nrandom.Random(7).random()"),
    House(
        walls.the_world_is_given,
        "import datetime as d\nd.datetime.now(d.UTC)",
        "import datetime as d\nd.datetime.fromtimestamp(0, d.UTC)",
    ),
    House(walls.the_world_is_given, "import threading\nthreading.Thread()", "import threading\nthreading.Lock()"),
    House(
        walls.deciders_are_pure,
        "import structlog\ndef decide_resume(): ...",
        "import structlog\ndef resume(): ...",
        folders=("actors", "supervisor"),
    ),
    House(walls.shells_decide_nothing, "def step(): ...", "def on_receive(): ...", path="actors/session_actor.py"),
    House(walls.asks_name_a_timeout, "ref.ask(1)", "ref.ask(1, timeout=3)", path="supervisor/example.py"),
    House(walls.asks_name_a_timeout, "ref.ask(1, timeout=None)", "ref.tell(1)", path="supervisor/example.py"),
    House(walls.actors_never_ask, "ref.ask(1, timeout=3)", "ref.tell(1)"),
    House(walls.no_registry, "from pykka import ActorRegistry", "from pykka import Actor"),
    House(walls.no_registry, "import pykka\npykka.ActorRegistry.stop_all()", "import pykka\npykka.Actor"),
    House(
        walls.threads_have_names,
        "import threading\nthreading.Thread(target=f)",
        "import threading\nthreading.Thread(target=f, name='greenroom-x')",
    ),
    House(manners.files_are_chapters, "x = 1\n" * 401, "x = 1\n" * 400, folders=(*ROOMS, *BENCHMARKS_AND_TESTS)),
    House(manners.functions_fit_a_screen, "def f():\n" + "    x = 1\n" * 60, "def f():\n" + "    x = 1\n" * 59),
    House(
        manners.names_say_something,
        "class SessionManager: ...",
        "class Session: ...",
        folders=(*ROOMS, *BENCHMARKS_AND_TESTS),
    ),
    House(manners.names_say_something, "", "class Commonwealth: ...", path="actors/session_utils.py"),
    House(manners.nothing_prints, "print('hello')", "log.info('hello')"),
    House(
        manners.broad_catches_say_why,
        "try: f()\nexcept Exception: g()",
        "try: f()\nexcept Exception: g()  # one guest's crash stays his",
    ),
    House(
        manners.broad_catches_say_why,
        "try: f()\nexcept (OSError, BaseException):  # noqa: BLE001\n    g()",
        "try: f()\nexcept OSError: g()",
    ),
    House(
        manners.broad_catches_say_why,
        "import contextlib as c\nwith c.suppress(Exception): f()",
        "import contextlib as c\nwith c.suppress(OSError): f()",
    ),
    House(manners.sql_is_bound, "db.execute(f'select {x}')", "db.execute('select ?', (x,))"),
    House(
        manners.sql_is_bound,
        "def f(x):\n    q = 'select ' + x\n    db.execute(q)",
        "db.execute(f'pragma user_version = {x}')",
    ),
    House(manners.sql_is_bound, "db.execute('select %s' % x)", "db.execute(f'select {COLUMNS}' + ' from x')"),
    House(
        manners.sql_is_bound,
        "def f(x):\n    w = '' if x else f' where a = {x}'\n    db.execute(f'select 1{w}')",
        "def f(x):\n    w, b = ('', ()) if x else (' where a = ?', (x,))\n    db.execute(f'select 1{w}', b)",
    ),
    House(
        manners.sql_is_bound,
        "db.execute('select {}'.format(x))",
        'db.execute(f\'select 1 where a in ({",".join("?" * len(x))})\', x)',
    ),
    House(
        manners.tests_do_not_sleep,
        "import time\ntime.sleep(1)",
        "event.wait(1)",
        path="tests/test_x.py",
        folders=("tests",),
    ),
    House(
        manners.tests_do_not_mock,
        "from unittest.mock import Mock",
        "import pytest",
        path="tests/test_x.py",
        folders=("tests",),
    ),
]

by_example = pytest.mark.parametrize("house", RULES, ids=lambda h: h.rule.__name__)


def test_the_house_keeps_its_rules() -> None:
    """All of them in one go: a file is read once, and not once a rule."""
    rules = {house.rule: house.folders for house in RULES}
    found = [
        f"{rule.__name__}: {line}"
        for source in sources(*sorted({folder for folders in rules.values() for folder in folders}))
        for rule, folders in rules.items()
        if source.room in folders
        for line in broken(rule, source)
    ]
    assert not found, "\n" + "\n".join(found)


@by_example
def test_a_rule_refuses_its_bad_example(house: House) -> None:
    assert broken(house.rule, Source(house.path, house.bad))


@by_example
def test_a_rule_allows_its_good_example(house: House) -> None:
    path = "actors/example.py" if house.rule is manners.names_say_something else house.path
    assert not broken(house.rule, Source(path, house.good))


def test_every_rule_has_files_to_hold_for() -> None:
    assert all(any(True for _ in sources(folder)) for house in RULES for folder in house.folders)


def test_no_exemption_outlives_its_files() -> None:
    paths = [source.path for source in sources("actors", "supervisor")]
    stale = [pattern for pattern in walls.RUNTIME if not any(fnmatch(path, pattern) for path in paths)]
    assert not stale, f"take these out of tests/tidy/walls.py: {stale}"


def test_the_rooms_are_linked_into_the_package() -> None:
    for room in ROOMS:
        link = ROOT / "src" / "greenroom" / room
        assert link.is_symlink(), f"src/greenroom/{room} must be a relative link to ../../{room}"
        assert link.resolve() == ROOT / room
