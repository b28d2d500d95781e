# Sourced by the executables beside it, which set $root: the one place where the virtual environment is looked after.
# shellcheck shell=sh disable=SC2154

# A stamp holds what was installed, and where: it no longer matches when pyproject.toml changes or the clone moves.
stamped() {
    [ -x "$root/.venv/bin/python" ] && [ ! -e "$root/.venv/unfinished" ] &&
        { printf '%s\n' "$root" && cat "$root/pyproject.toml"; } | cmp -s - "$root/.venv/stamp-$1"
}

find_python() {
    for candidate in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11 python; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' </dev/null >/dev/null 2>&1; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    {
        echo 'greenroom: needs Python 3.11 or newer and found none on the PATH.'
        echo '  Debian or Ubuntu: apt-get install python3 python3-venv      Fedora: dnf install python3      macOS: brew install python3'
        echo '  If it stands somewhere else: PYTHON=/path/to/python3 bin/greenroom'
    } >&2
    return 1
}

# ensure_environment web|dev|dev-all: returns at once when the environment is as pyproject.toml asks, and makes it so otherwise.
ensure_environment() {
    stamped "$1" && return
    python=$(find_python) || exit 1
    "$python" -I "$root/bin/_environment.py" "$root" "$1" </dev/null >&2 || exit 1
}
