"""What can be configured: the sections of greenroom.toml, their types and their defaults."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr
from pydantic_core import PydanticCustomError
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from greenroom.platforms.chats.secret import WRONG_SECRET, Secret
from greenroom.supervisor.daemon.config_problems import AGENT_TARGET
from greenroom.supervisor.daemon.paths import default_database

ENVIRONMENT_PREFIX = "GREENROOM_"
DEFAULT_PORT = 8765
DEFAULT_VIEW_PORT = 8764
PORT_MAX = 65535


TOKEN_MIN = 16
"""Characters of the live view's token: it is all that keeps others out."""


def refuse_weak(token: SecretStr) -> SecretStr:
    """Refuse a token that could be guessed."""
    if len(token.get_secret_value()) < TOKEN_MIN:
        problem = "must have {least} characters or more; remove it, and one is made"
        raise PydanticCustomError(WRONG_SECRET, problem, {"least": TOKEN_MIN})
    return token


class Section(BaseModel):
    """One table of the file. What it does not know it refuses."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class StoreSection(Section):
    """Where the sessions are kept. A relative path in a file counts from the file's folder."""

    path: Path = Field(default_factory=default_database)  # the database; small files are kept beside it


class WebSection(Section):
    """The web chat."""

    enabled: bool = True  # whether there is a web chat
    host: str = Field(default="127.0.0.1", min_length=1)
    """Where it listens; at 0.0.0.0 others reach it, and `policy.allow` must say who may write."""
    port: int = Field(default=DEFAULT_PORT, ge=0, le=PORT_MAX)  # the port of that address; 0: any free one
    hosts: tuple[str, ...] = ()  # further names by which browsers may address it


class ViewSection(Section):
    """The live view for whoever is on call, behind a token: `env:VARIABLE`, `file:/path` or the token itself.

    A relative path in a file counts from the file's folder. Without a token it is read from the credential `view-token`
    (systemd), or made and kept in a file beside the database.
    """

    enabled: bool = False  # whether there is a live view, with /metrics
    host: str = Field(default="127.0.0.1", min_length=1)
    """Where it listens; before it is reached from elsewhere, put something there that speaks TLS."""
    port: int = Field(default=DEFAULT_VIEW_PORT, ge=0, le=PORT_MAX)  # the port of that address; 0: any free one
    hosts: tuple[str, ...] = ()  # further names by which browsers may address it
    token: Annotated[Secret, AfterValidator(refuse_weak)] | None = None
    """What whoever looks must show, 16 characters or more; else the credential `view-token`, or one that is made."""


class AgentSection(BaseModel):
    """Who answers: the built-in demo, `module:function` found on the Python path or beside the file, or another kind.

    Each other kind has a table of its own, such as `[agent.openai]`; the only one there names the kind.

    `summariser` is another one, `async def summarise(messages) -> str`: what it says stands for the rows of a
    transcript that the agent's window (`policy.transcript_window`) leaves out.
    """

    model_config = ConfigDict(extra="allow", frozen=True)  # Tables of kinds; each kind judges its own.

    kind: str = "demo"
    """`demo`, `python` (with a `target`), or as a table `[agent.KIND]`; where there is but one, that names it."""
    target: str | None = Field(default=None, pattern=AGENT_TARGET)  # the agent's function, with kind python
    summariser: str | None = Field(default=None, pattern=AGENT_TARGET)
    """Another function, `module:function`: what it says of rows stands for them when they leave the agent's window."""

    @property
    def tables(self) -> dict[str, dict[str, Any]]:
        """The tables of kinds."""
        return {name: table for name, table in (self.model_extra or {}).items() if isinstance(table, dict)}

    @property
    def chosen(self) -> str:
        """The kind in force."""
        only = next(iter(self.tables), None) if len(self.tables) == 1 else None
        return self.kind if "kind" in self.model_fields_set or only is None else only


class LogSection(Section):
    """What goes to stderr. `auto` writes for people at a terminal and JSON lines elsewhere."""

    level: Literal["debug", "info", "warning", "error"] = "info"  # what is less than this is not written
    format: Literal["auto", "console", "json"] = "auto"  # for people, or lines of JSON


class Settings(BaseSettings):
    """All sections, from options, then the environment (`GREENROOM_WEB_PORT=...`), then the file, then defaults.

    Build it through `load_config`, which reports every mistake in words; pydantic's own are for programmers.
    `policy` is judged by `Policy`, which knows its knobs and their limits; `platforms`, `tools` and `mcp` are judged by
    what they name.
    """

    model_config = SettingsConfigDict(
        env_prefix=ENVIRONMENT_PREFIX,
        env_nested_delimiter="_",
        env_nested_max_split=1,  # Sections are single words: all after the second underscore is the key.
        extra="forbid",
        frozen=True,
    )

    store: StoreSection = Field(default_factory=StoreSection)
    web: WebSection = WebSection()
    view: ViewSection = ViewSection()
    agent: AgentSection = AgentSection()
    policy: dict[str, Any] = Field(default_factory=dict)
    log: LogSection = LogSection()
    platforms: dict[str, dict[str, Any]] = Field(default_factory=dict)
    tools: dict[str, dict[str, Any]] = Field(default_factory=dict)
    mcp: dict[str, dict[str, Any]] = Field(default_factory=dict)


def read_settings(tables: dict[str, Any], options: dict[str, Any]) -> Settings:
    """Lay options over the environment over the tables of a file over the defaults."""

    class OfTables(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic's signature
            file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the same
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            """Take options, environment and tables, in this order; no .env file is read behind anyone's back."""
            return (init_settings, env_settings, InitSettingsSource(settings_cls, init_kwargs=tables))

    return OfTables(**options)
