"""No row of the list of scenarios is silently dropped, and none is tested under a name that is not on it.

`rows.txt` holds the list's ids with their themes. A test cites its row in its name and in its docstring.
"""

import ast
import re
from pathlib import Path

HERE = Path(__file__).parent
NAME = re.compile(r"test_(s\d{3})_")


def rows() -> list[str]:
    return [line.split()[0] for line in (HERE / "rows.txt").read_text(encoding="utf-8").splitlines()]


def cited() -> list[tuple[str, str]]:
    """The row of each test, and its docstring."""
    nodes = [node for path in HERE.glob("test_*.py") for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef)]
    return [(match[1].upper(), ast.get_docstring(node) or "") for node in functions if (match := NAME.match(node.name))]


def test_every_row_has_its_test_and_every_test_its_row() -> None:
    assert {row for row, _ in cited()} == set(rows())


def test_no_row_is_listed_twice() -> None:
    assert len(rows()) == len(set(rows())) == 115


def test_each_test_cites_its_row() -> None:
    assert [row for row, docstring in cited() if not docstring.startswith(f"{row}.")] == []
