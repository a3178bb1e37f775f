#!/usr/bin/env bash
# The tests.
#
#   bash launch/test.sh [options of pytest]
#
# Needs Python 3.11 or 3.12. The first start installs everything into .venv; later starts begin at once. Paths in the
# options are relative to the repository. Two processes share the tests, a file each; `-n 0` is one process, which is
# quicker for a few tests.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
source "$root/launch/environment.sh"

prepare_environment "$root" test
cd "$root"
exec "$root/.venv/bin/python" -m pytest -n 2 --dist loadfile "$@"
