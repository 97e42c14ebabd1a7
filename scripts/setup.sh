#!/bin/sh
# Makes .venv hold the packages of one requirements file, every one checked against its hash. Done already: instant.
# A copy of the file kept in .venv marks what is installed; it is written last, so an interrupted set-up is done again.
set -eu
cd "$(dirname "$0")/.."

requirements=$1
installed=.venv/installed

stop() {
    echo "$*" >&2
    exit 1
}

new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

find_python() {
    for name in python3 python3.14 python3.13 python3.12 python3.11; do
        if new_enough "$name"; then
            echo "$name"
            return
        fi
    done
    stop "This needs Python 3.11 or newer; python3 is $(python3 --version 2>/dev/null || echo missing): install a newer one."
}

make_environment() {
    python=$(find_python)
    rm -rf .venv
    if command -v uv >/dev/null; then
        uv venv --quiet --python "$(command -v "$python")" .venv
    elif "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        "$python" -m venv .venv
    else
        stop "$python cannot make virtual environments: install its venv package (on Debian: apt-get install python3-venv)."
    fi
}

install() {
    if command -v uv >/dev/null; then
        uv pip install --quiet --python .venv/bin/python --require-hashes --only-binary :all: --requirement "$1"
        return
    fi
    .venv/bin/python -c 'import pip' 2>/dev/null || .venv/bin/python -m ensurepip >/dev/null
    .venv/bin/python -m pip install -qq --no-input --disable-pip-version-check \
        --require-hashes --only-binary :all: --requirement "$1"
}

if new_enough .venv/bin/python; then
    if cmp -s "$requirements" "$installed/$requirements"; then exit; fi
else
    make_environment
fi

echo "Setting up .venv from $requirements (once; under a minute)"
install "$requirements"
mkdir -p "$installed"
cp "$requirements" "$installed/$requirements"
# The development requirements contain the runtime ones, pinned alike.
if [ "$requirements" = requirements-dev.txt ]; then cp requirements.txt "$installed/"; fi
