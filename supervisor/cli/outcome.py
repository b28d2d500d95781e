"""How commands end: exit codes, and which exceptions are refusals that an operator can mend."""

import errno

DONE = 0
FAILED = 1
WRONG_USE = 2
NOT_RUNNING = 3
INTERRUPTED = 130  # As shells say it: 128 and the number of SIGINT.


class CommandFailed(Exception):
    """The command could not do what it was asked to; the message says why and what to do."""

    def __init__(self, message: str, code: int = FAILED) -> None:
        """Remember the exit code."""
        super().__init__(message)
        self.code = code


def describe_refusal(error: BaseException) -> CommandFailed | None:
    """Put a failure that the operator can mend into one message with its exit code; None for a defect of ours."""
    message = _describe(error)
    if message is None:
        return None
    from greenroom.supervisor.daemon.config_problems import ConfigError  # noqa: PLC0415

    return CommandFailed(message, WRONG_USE if isinstance(error, ConfigError) else FAILED)


def _describe(error: BaseException) -> str | None:
    import apsw  # noqa: PLC0415 - a failing command may take the time

    from greenroom.platforms.agents.function import NotAnAgentError  # noqa: PLC0415
    from greenroom.storage.lock import Held  # noqa: PLC0415
    from greenroom.storage.sqlite import CannotOpen  # noqa: PLC0415
    from greenroom.storage.trouble import TroubleKind, classify_error  # noqa: PLC0415
    from greenroom.supervisor.daemon.config_problems import ConfigError  # noqa: PLC0415

    match error:
        case ConfigError():
            return "\n  ".join(("the configuration cannot be used:", *error.problems))
        case CannotOpen() | NotAnAgentError():
            return str(error)
        case Held():
            return describe_held(error)
        case apsw.Error():
            judged = classify_error(error, path="the database")
            return None if judged.kind is TroubleKind.MISTAKE else judged.refusal
        case Exception() if type(error).__module__ == "greenroom.platforms.chats.web.server":
            return str(error)  # ListenError, named without importing the extra.
        case OSError(errno=code) if code is not None:
            where = f"{error.filename}: " if error.filename else ""
            return f"{where}{error.strerror or errno.errorcode.get(code, str(code))}"
        case _:
            return None


def describe_held(error: BaseException) -> str:
    """Name who has the database, and where it can be reached."""
    from greenroom.storage.lock import Held  # noqa: PLC0415

    holder = error.holder if isinstance(error, Held) else None
    if holder is None:
        return str(error)
    where = f"; it serves {holder.address}" if holder.address else ""
    return f"{error}{where}. `greenroom stop` ends it"
