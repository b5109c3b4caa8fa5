#!/bin/sh
# Installs the program as the image has it. The Dockerfile runs these steps, and so does the test.
#   install.sh dependencies TARGET LOCK   a virtual environment with what the lock file names
#   install.sh program TARGET             the program, from the current directory, and the SBOM
# Only wheels, so that nothing is compiled; nothing whose hash is not in a lock file.
set -eu
here=$(dirname "$0")
step=$1
target=$2
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore

locked() {
    "$1/bin/python" -m pip install --quiet --require-hashes --no-deps --only-binary :all: -r "$2"
}

dependencies() {
    python3 -m venv "$target"
    locked "$target" "$1"
}

program() {
    tools=$(mktemp -d)
    trap 'rm -rf "$tools"' EXIT
    python3 -m venv "$tools"
    locked "$tools" "$here/build.lock"
    "$tools/bin/python" -m pip wheel --quiet --no-build-isolation --no-deps --wheel-dir "$tools/wheels" .
    "$target/bin/python" -m pip install --quiet --no-index --no-deps "$tools"/wheels/*.whl
    "$target/bin/python" -m pip check
    # Who gets in can install nothing more. The base image's own goes in the Dockerfile.
    "$target/bin/python" -m pip uninstall --quiet --yes pip setuptools
    mkdir -p "$target/share"
    "$tools/bin/cyclonedx-py" environment --output-reproducible --output-format JSON \
        --output-file "$target/share/sbom.cdx.json" "$target/bin/python"
}

shift 2
"$step" "$@"
