"""The words that stand where something is defined: the comment behind a field or a member, or the text below it."""

import ast
import inspect
import textwrap
import tokenize
from io import StringIO


def words_of(kind: type) -> dict[str, str]:
    """What a class says of each name that it defines; of those that it inherits, see their own class."""
    source = textwrap.dedent(inspect.getsource(kind))
    comments = {
        token.start[0]: token.string.lstrip("# ")
        for token in tokenize.generate_tokens(StringIO(source).readline)
        if token.type == tokenize.COMMENT and not token.string.startswith(("# type:", "# noqa"))
    }
    (tree,) = ast.parse(source).body
    assert isinstance(tree, ast.ClassDef)
    found: dict[str, str] = {}
    for line, below in zip(tree.body, [*tree.body[1:], None], strict=True):
        if (name := _defined(line)) is None:
            continue
        behind = [comments[at] for at in range(line.lineno, (line.end_lineno or 0) + 1) if at in comments]
        if said := " ".join(behind) or _text(below):
            found[name] = said
    return found


def _defined(line: ast.stmt) -> str | None:
    target = (
        line.target if isinstance(line, ast.AnnAssign) else line.targets[0] if isinstance(line, ast.Assign) else None
    )
    return target.id if isinstance(target, ast.Name) else None


def _text(line: ast.stmt | None) -> str:
    if isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant) and isinstance(line.value.value, str):
        return inspect.cleandoc(line.value.value)
    return ""
