"""Which command prints what with `--json`: the one table of it. docs/json.md is printed from it.

A command that takes `--json` stands here, or a test fails. Nothing imports this at run time: it needs everything.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from greenroom.storage.letters import Letter
from greenroom.storage.session_view import SessionView
from greenroom.storage.views import SessionRow
from greenroom.supervisor.cli import printed as p
from greenroom.supervisor.cli import printed_sandbox as s
from greenroom.supervisor.sandbox.campaign import Summary
from greenroom.supervisor.sandbox.matrix_page import MatrixTable

PRINTED_BY: Mapping[str, Any] = MappingProxyType(
    {
        "init": p.Begun,
        "audit": p.Audit,
        "stop": p.Stopped,
        "status": p.Status,
        "status --ready": p.Readiness,
        "sessions": tuple[SessionRow, ...],
        "show": SessionView,
        "explain": p.Explained,
        "search": tuple[p.FoundMessage, ...],
        "config check": p.Configuration,
        "release": p.Released,
        "suspend": p.Ordered,
        "cancel": p.Ordered,
        "resume": p.Ordered,
        "retry": p.Ordered,
        "send": p.Ordered,
        "backup": p.BackedUp,
        "restore": p.PutBack,
        "export": p.Exported,
        "import": p.TakenIn,
        "dead list": tuple[Letter, ...],
        "dead retry": p.Retried,
        "dead purge": p.Purged,
        "forget": p.Forgotten,
        "doctor": p.Doctored,
        "pair": tuple[p.PairedChat, ...],
        "pair approve": p.Approved,
        "pair revoke": p.Revoked,
        "sandbox run": Summary,
        "sandbox replay": s.Replayed,
        "sandbox exhaust": s.Exhausted,
        "sandbox mutants": s.Mutants,
        "sandbox storm": s.Storm,
        "matrix": MatrixTable,
        "bench": s.Measured,
    }
)
"""The type of the one value on stdout, by the words after `greenroom`."""
