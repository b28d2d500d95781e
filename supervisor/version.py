"""Which greenroom this is."""

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("greenroom")
except PackageNotFoundError:  # Run from a tree that was never installed.
    VERSION = "0"
