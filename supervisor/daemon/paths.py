"""Where greenroom looks for its configuration, and where it keeps its database unless told otherwise."""

from collections.abc import Mapping
from pathlib import Path

from platformdirs import user_config_path, user_data_path

CONFIG_NAME = "greenroom.toml"
DATABASE_NAME = "greenroom.db"
CONFIG_VARIABLE = "GREENROOM_CONFIG"


class ConfigMissingError(Exception):
    """A configuration file was named and is not there. The message says who named it."""


def default_database() -> Path:
    """The database of this user, when nothing names another."""
    return user_data_path("greenroom", appauthor=False) / DATABASE_NAME


def find_config(named: Path | None, environment: Mapping[str, str]) -> Path | None:
    """Find the configuration: named by option, by environment, in the working folder, in the user's config folder.

    None when there is none, which is fine: everything has a default. Raises ConfigMissingError for a name that leads
    nowhere.
    """
    if named is not None:
        return _existing(named, by="--config")
    if variable := environment.get(CONFIG_VARIABLE):
        return _existing(Path(variable), by=CONFIG_VARIABLE)
    for folder in (Path.cwd(), user_config_path("greenroom", appauthor=False)):
        if (folder / CONFIG_NAME).is_file():
            return folder / CONFIG_NAME
    return None


def _existing(path: Path, *, by: str) -> Path:
    path = path.expanduser()
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "is not there"
        raise ConfigMissingError(f"{path}: the configuration file named by {by} {what}; name the right file")
    return path.absolute()
