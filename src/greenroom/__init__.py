"""greenroom keeps an agent's chat sessions alive.

The public names below are stable. They are loaded when they are first used, so that `import greenroom` costs little.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from greenroom.actors.keeper import CannotSpawnError
    from greenroom.actors.model import Attachment, Change, Inbound, Message, Receipt, SessionKey, ToolPolicy
    from greenroom.actors.naming import with_names
    from greenroom.actors.ports import (
        Agent,
        BusyError,
        Choices,
        Conclusion,
        Door,
        MisconfiguredError,
        NotSentError,
        Outgoing,
        Platform,
        Process,
        ProviderError,
        QuestionTimedOutError,
        QuestionUndeliveredError,
        RefusedError,
        RetryLaterError,
        SendRefusedError,
        TargetGoneError,
        ToolFailedError,
        ToolInDoubtError,
        Traits,
        Turn,
    )
    from greenroom.platforms.chats.hosted import HostedChat
    from greenroom.supervisor.answers import NeverAnsweredError, SupervisorFailedError
    from greenroom.supervisor.drain import Intent
    from greenroom.supervisor.policy import Policy
    from greenroom.supervisor.supervisor import AsyncRoom, BlockingRoom, Supervisor

_PORTS = "greenroom.actors.ports"
_HOMES = {
    "CannotSpawnError": "greenroom.actors.keeper",
    "with_names": "greenroom.actors.naming",
    "MisconfiguredError": _PORTS,
    "Supervisor": "greenroom.supervisor.supervisor",
    "AsyncRoom": "greenroom.supervisor.supervisor",
    "BlockingRoom": "greenroom.supervisor.supervisor",
    "HostedChat": "greenroom.platforms.chats.hosted",
    "Intent": "greenroom.supervisor.drain",
    "NeverAnsweredError": "greenroom.supervisor.answers",
    "SupervisorFailedError": "greenroom.supervisor.answers",
    "Policy": "greenroom.supervisor.policy",
    "Attachment": "greenroom.actors.model",
    "Change": "greenroom.actors.model",
    "Choices": _PORTS,
    "Inbound": "greenroom.actors.model",
    "Message": "greenroom.actors.model",
    "Receipt": "greenroom.actors.model",
    "SessionKey": "greenroom.actors.model",
    "ToolPolicy": "greenroom.actors.model",
    "Agent": _PORTS,
    "BusyError": _PORTS,
    "Conclusion": _PORTS,
    "Door": _PORTS,
    "NotSentError": _PORTS,
    "Outgoing": _PORTS,
    "Process": _PORTS,
    "Platform": _PORTS,
    "ProviderError": _PORTS,
    "QuestionTimedOutError": _PORTS,
    "QuestionUndeliveredError": _PORTS,
    "RefusedError": _PORTS,
    "RetryLaterError": _PORTS,
    "SendRefusedError": _PORTS,
    "TargetGoneError": _PORTS,
    "ToolFailedError": _PORTS,
    "ToolInDoubtError": _PORTS,
    "Traits": _PORTS,
    "Turn": _PORTS,
}

__all__ = [
    "Agent",
    "AsyncRoom",
    "Attachment",
    "BlockingRoom",
    "BusyError",
    "CannotSpawnError",
    "Change",
    "Choices",
    "Conclusion",
    "Door",
    "HostedChat",
    "Inbound",
    "Intent",
    "Message",
    "MisconfiguredError",
    "NeverAnsweredError",
    "NotSentError",
    "Outgoing",
    "Platform",
    "Policy",
    "Process",
    "ProviderError",
    "QuestionTimedOutError",
    "QuestionUndeliveredError",
    "Receipt",
    "RefusedError",
    "RetryLaterError",
    "SendRefusedError",
    "SessionKey",
    "Supervisor",
    "SupervisorFailedError",
    "TargetGoneError",
    "ToolFailedError",
    "ToolInDoubtError",
    "ToolPolicy",
    "Traits",
    "Turn",
    "with_names",
]


def __getattr__(name: str) -> Any:
    """Load a public name from its home."""
    home = _HOMES.get(name)
    if home is None:
        msg = f"module 'greenroom' has no attribute {name!r}; its public names are {', '.join(__all__)}"
        raise AttributeError(msg)
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    """List the public names."""
    return __all__
