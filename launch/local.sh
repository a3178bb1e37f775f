#!/usr/bin/env bash
# The built-in example on this machine: four rounds of self-evolution with a small model.
#
#   bash launch/local.sh [options of experiments/evolve.py]
#
# Needs Python 3.11 or 3.12. The first start installs everything into .venv; later starts begin at once. Relative paths
# in the options mean the folder that the command is called from.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
source "$root/launch/environment.sh"

prepare_environment "$root"
exec "$root/.venv/bin/python" "$root/experiments/evolve.py" --config cpu "$@"
