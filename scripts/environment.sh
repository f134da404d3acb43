# Sourced by the scripts beside it: makes .venv if it is not there yet and keeps it up to date.
#
# Needs Python 3.11, 3.12 or 3.13 with its venv module and nothing else; PYTHON chooses the
# interpreter.
# Sets `root`, the project's folder, and `environment`, its virtual environment.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
environment=$root/.venv
# There from before the first change to .venv until after the last one.
unfinished=$environment/unfinished
# What was installed, and for which folder: an editable install does not survive a move.
installed=$environment/installed

say() {
    echo "$(basename "$0"): $*" >&2
}

fail() {
    say "error: $*"
    exit 1
}

is_suitable_python() {
    # A name that is found need not run: version managers put empty shells into the path.
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null
}

find_python() {
    local candidate
    if [ -n "${PYTHON:-}" ]; then
        is_suitable_python "$PYTHON" || fail "Expected a Python 3.11, 3.12 or 3.13. Received: PYTHON=$PYTHON"
        echo "$PYTHON"
        return
    fi
    for candidate in python3.11 python3.12 python3.13 python3 python; do
        if is_suitable_python "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    fail "Python 3.11, 3.12 or 3.13 was not found. Install one, or say where it is:" \
        "PYTHON=/path/to/python $0"
}

set_up_environment() {
    local wanted python
    wanted=$root$'\n'$(cat "$root/setup.cfg" "$root/constraints.txt")
    if command -v flock >/dev/null; then
        # Two scripts at once: the second waits until the first has set everything up.
        exec 9<"$root/constraints.txt"
        flock 9
    fi
    if [ -e "$unfinished" ] || ! is_suitable_python "$environment/bin/python" ||
        { [ -e "$installed" ] && [ "$(head -n 1 "$installed")" != "$root" ]; }; then
        python=$(find_python)
        say "making .venv with $("$python" --version)"
        rm -rf "$environment"
        mkdir "$environment"
        touch "$unfinished"
        "$python" -m venv "$environment" ||
            fail "$python could not make a virtual environment. Its venv module may be missing" \
                "(on Debian and Ubuntu: apt install python3-venv)."
    fi
    if [ ! -e "$installed" ] || [ "$(cat "$installed")" != "$wanted" ]; then
        say "installing the versions of constraints.txt into .venv (the first time: a minute or two)"
        touch "$unfinished"
        install_packages || fail "the packages could not be installed; pip says why above."
        echo "$wanted" >"$installed"
        rm "$unfinished"
    fi
    exec 9<&-
}

install_packages() {
    local pip=("$environment/bin/python" -m pip --disable-pip-version-check --quiet)
    "${pip[@]}" install --constraint "$root/constraints.txt" pip setuptools setuptools-scm wheel &&
        # The build uses the pinned versions that were just installed.
        "${pip[@]}" install --constraint "$root/constraints.txt" --no-build-isolation \
            --editable "$root[test]"
}
