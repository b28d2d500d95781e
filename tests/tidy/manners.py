"""House rules about how a file is written: its size, its names, its silence, its errors, its SQL."""

import ast
import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from tests.tidy.source import Finding, Source

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60

EMPTY_WORDS = {"manager", "handler", "helper", "util", "common", "misc"}
WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")

RUNS_SQL = {"execute", "executemany", "executescript"}


def files_are_chapters(source: Source) -> Iterator[Finding]:
    lines = len(source.text.splitlines())
    if lines > FILE_LINES_MAX:
        yield Finding(
            FILE_LINES_MAX + 1, f"{lines} lines are two files: move one whole subject out (at most {FILE_LINES_MAX})"
        )


def functions_fit_a_screen(source: Source) -> Iterator[Finding]:
    for node in source.nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES_MAX:
                yield Finding(
                    node.lineno, f"{node.name}() has {lines} lines: name its parts (at most {FUNCTION_LINES_MAX})"
                )


def names_say_something(source: Source) -> Iterator[Finding]:
    named = [(1, PurePosixPath(source.path).stem)]
    named += [(node.lineno, node.name) for node in source.nodes if isinstance(node, ast.ClassDef)]
    for line, name in named:
        words = {word.lower().removesuffix("s") for word in WORD.findall(name)}
        for word in sorted(words & EMPTY_WORDS):
            yield Finding(line, f"{name}: say what it does; '{word}' says nothing")


def nothing_prints(source: Source) -> Iterator[Finding]:
    if source.path.startswith("supervisor/cli/"):
        return
    for node in source.nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
            yield Finding(node.lineno, "log it, or return it to supervisor/cli: stdout is the host's")


def broad_catches_say_why(source: Source) -> Iterator[Finding]:
    """Look for the comment beside, above, or inside. A handler that ends in a bare `raise` lets go what it caught."""
    for node in source.nodes:
        if isinstance(node, ast.ExceptHandler):
            caught = [node.type] if node.type else []
            last_act = node.body[-1]
            lets_go = isinstance(last_act, ast.Raise) and last_act.exc is None
            lines = range(node.lineno - 1, (node.end_lineno or node.lineno) + 1)
        elif isinstance(node, ast.Call) and source.full_name(node.func) == "contextlib.suppress":
            caught, lets_go, lines = list(node.args), False, range(node.lineno - 1, node.lineno + 2)
        else:
            continue
        if _is_broad(caught) and not lets_go and source.comments.isdisjoint(lines):
            yield Finding(
                node.lineno, "add a comment that names the invariant this protects, or catch what you can answer"
            )


def _is_broad(caught: list[ast.expr]) -> bool:
    """Whether nothing is named, or something names (Base)Exception."""
    names = [inner.id for expression in caught for inner in ast.walk(expression) if isinstance(inner, ast.Name)]
    return not caught or bool({"Exception", "BaseException"} & set(names))


def sql_is_bound(source: Source) -> Iterator[Finding]:
    """Refuse SQL put together from values, in the call or in a variable of the same function."""
    scopes = [node for node in source.nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    found: set[int] = set()
    for scope in [source.tree, *scopes]:
        given = _assigned(scope)
        for node in ast.walk(scope):
            runs_sql = (
                isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in RUNS_SQL
            )
            if isinstance(node, ast.Call) and runs_sql and node.args and not _is_bound(node.args[0], given):
                found.add(node.lineno)
    for line in sorted(found):
        yield Finding(line, "execute('… where id = ?', (id,)): bind values; only CONSTANTS may be put into SQL")


Assigned = dict[str, list[ast.expr]]


def _assigned(scope: ast.AST) -> Assigned:
    """Everything each plain name is given in a function; of an unpacked tuple, its own part."""
    given: Assigned = {}
    for node in ast.walk(scope):
        if isinstance(node, ast.Assign):
            for name, value in ((n, v) for target in node.targets for n, v in _paired(target, node.value)):
                given.setdefault(name, []).append(value)
    return given


def _paired(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    match target, value:
        case ast.Name(name), _:
            yield name, value
        case ast.Tuple(), ast.IfExp(_, one, other):
            yield from _paired(target, one)
            yield from _paired(target, other)
        case ast.Tuple(names), ast.Tuple(values) if len(names) == len(values):
            for inner, part in zip(names, values, strict=True):
                yield from _paired(inner, part)


def _is_bound(sql: ast.expr, given: Assigned) -> bool:
    """Whether no value of run time is put into the text. An argument or a call is taken at its word.

    A PRAGMA may hold any: SQLite binds nothing in it.
    """
    match sql:
        case ast.JoinedStr([ast.Constant(str(start)), *_]) if start.lstrip().upper().startswith("PRAGMA "):
            return True
        case ast.Name(name) if name in given:
            return all(isinstance(value, ast.Name) or _is_bound(value, given) for value in given[name])
        case ast.JoinedStr() | ast.BinOp() | ast.IfExp() | ast.Call(ast.Attribute(ast.Constant(), "format")):
            return _is_fixed(sql, given)
        case _:
            return True


def _is_fixed(part: ast.expr, given: Assigned) -> bool:
    """Whether a part of SQL is the same in every call: text, CONSTANTS, question marks, or a choice among them."""
    match part:
        case ast.Constant():
            return True
        case ast.Name(name) | ast.Attribute(_, name):
            values = given.get(name, []) if isinstance(part, ast.Name) else []
            return name.isupper() or (bool(values) and all(_is_fixed(value, {}) for value in values))
        case ast.JoinedStr(parts):
            return all(
                _is_fixed(piece.value if isinstance(piece, ast.FormattedValue) else piece, given) for piece in parts
            )
        case ast.BinOp(left, ast.Add() | ast.Mod(), right) | ast.IfExp(_, left, right):
            return _is_fixed(left, given) and _is_fixed(right, given)
        case ast.Call(ast.Attribute(ast.Constant(), "join"), [ast.BinOp(ast.Constant("?"), ast.Mult())]):
            return True
        case _:
            return False


def tests_do_not_sleep(source: Source) -> Iterator[Finding]:
    """Look at tests only. Those in end_to_end wait for real processes, which may have no signal to wait for."""
    if source.path.startswith("tests/end_to_end/"):
        return
    for node in source.nodes:
        if isinstance(node, ast.Call) and source.full_name(node.func) == "time.sleep":
            yield Finding(node.lineno, "wait on an event or a condition with a timeout, or advance the clock")


def tests_do_not_mock(source: Source) -> Iterator[Finding]:
    for node in source.nodes:
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
            if any(name.startswith("unittest.mock") or name == "mock" for name in names):
                yield Finding(
                    node.lineno, "use the simulated disk, the scripted agent, a fake platform or the virtual clock"
                )
