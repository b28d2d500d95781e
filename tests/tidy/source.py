"""What a house rule reads: one parsed file, with the names its imports bind; and what it yields."""

import ast
import functools
import io
import re
import tokenize
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("actors", "storage", "platforms", "supervisor")

MARKS_FOR_TOOLS = re.compile(r"noqa|type: ignore|pragma")


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken rule: the line, and what to write instead."""

    line: int
    instead: str


@dataclass(frozen=True)
class Source:
    """A file of the clone; `path` counts from its root, in POSIX form."""

    path: str
    text: str

    @functools.cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    @functools.cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """Every node of the tree."""
        return tuple(ast.walk(self.tree))

    @property
    def room(self) -> str:
        return PurePosixPath(self.path).parts[0]

    @functools.cached_property
    def names(self) -> dict[str, str]:
        """Local name -> full name, for everything imported anywhere in the file."""
        bound: dict[str, str] = {}
        for node in self.nodes:
            if isinstance(node, ast.Import):
                bound |= {
                    a.asname or a.name.partition(".")[0]: a.name if a.asname else a.name.partition(".")[0]
                    for a in node.names
                }
            elif isinstance(node, ast.ImportFrom) and node.module:
                bound |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
        return bound

    @functools.cached_property
    def comments(self) -> set[int]:
        """The lines that carry a comment written for people."""
        tokens = tokenize.generate_tokens(io.StringIO(self.text).readline)
        return {
            token.start[0]
            for token in tokens
            if token.type == tokenize.COMMENT
            for said in [MARKS_FOR_TOOLS.split(token.string)[0] + token.string.partition(" - ")[2]]
            if said.strip("# \t")
        }

    def full_name(self, node: ast.expr) -> str | None:
        """`dt.now` -> `datetime.datetime.now`, if `dt` was imported; None for anything else."""
        if isinstance(node, ast.Name):
            return self.names.get(node.id)
        if isinstance(node, ast.Attribute) and (base := self.full_name(node.value)):
            return f"{base}.{node.attr}"
        return None


Rule = Callable[[Source], Iterator[Finding]]


def sources(*folders: str) -> Iterator[Source]:
    """Every Python file in these folders of the clone, one at a time: parsed, all of them would fill the memory."""
    for path in sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py")):
        yield Source(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))


def broken(rule: Rule, source: Source) -> list[str]:
    """Say where a rule is broken as `file:line: what to write instead`."""
    return [f"{source.path}:{found.line}: {found.instead}" for found in rule(source)]
