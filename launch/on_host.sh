#!/usr/bin/env bash
# One host of a TPU slice: finds out which one it is and how many there are, and drives a run together with the others.
#
#   bash launch/on_host.sh CONFIG RUN_DIR [options of experiments/drive.py]
#
# The launchers start it on every host. On GKE the variables TPU_WORKER_ID and TPU_WORKER_HOSTNAMES tell the hosts, on
# a TPU VM the machine's metadata do. RUN_DIR has to be a folder that all hosts see; relative paths of the config are
# looked for in the folder that holds it. By default trainers shard weights over all chips, and an engine over the four
# of its host. What is done already is not done again, so a host that was lost is simply started anew.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
source "$root/launch/environment.sh"

(($# >= 2)) || fail "Give a config and a run directory: bash launch/on_host.sh CONFIG RUN_DIR"
config=$1 run_dir=$(realpath -m "$2")
shift 2

metadata() {
    curl --silent --fail --retry 5 -H 'Metadata-Flavor: Google' \
        "http://metadata.google.internal/computeMetadata/v1/instance/attributes/$1"
}

if [[ -n "${TPU_WORKER_HOSTNAMES:-}" ]]; then
    index=${TPU_WORKER_ID:-0} hosts=$TPU_WORKER_HOSTNAMES
else
    index=$(metadata agent-worker-number) hosts=$(metadata worker-network-endpoints) ||
        fail "This host does not say which one of a slice it is: it is no TPU VM, and TPU_WORKER_HOSTNAMES is not set."
fi
IFS=, read -ra hosts <<<"$hosts"
first=${hosts[0]##*:} # an address, or name:id:address

# In a search every host uses its own chips as if there were no others. Hosts of a slice have 2 x 2 of them.
type=${TPU_ACCELERATOR_TYPE:-$([[ -n "${TPU_WORKER_HOSTNAMES:-}" ]] || metadata accelerator-type)}
case $type in
v4-* | v5p-*) one_host=${type%%-*}-8 ;; # named by their cores, two a chip
*) one_host=${type%%-*}-4 ;;
esac
alone="TPU_SKIP_MDS_QUERY=1 TPU_ACCELERATOR_TYPE=$one_host TPU_WORKER_HOSTNAMES=localhost TPU_WORKER_ID=0"
alone+=" TPU_HOST_BOUNDS=1,1,1 TPU_CHIPS_PER_HOST_BOUNDS=2,2,1"

# A host whose chips cannot be had is to fail, not to go on with its CPU. A config's paths are looked for beside the run.
export JAX_PLATFORMS=${JAX_PLATFORMS:-tpu,cpu}
cd "$(dirname "$run_dir")"
meshes=(--mesh 1 $((4 * ${#hosts[@]})) 1 --search-mesh 1 1 4) # unless the options say others

[[ -n "${RSTAR_PYTHON:-}" ]] || prepare_environment "$root" tpu
python=${RSTAR_PYTHON:-$root/.venv/bin/python}
if ((${#hosts[@]} == 1)); then
    exec "$python" "$root/experiments/drive.py" --config "$config" --run-dir "$run_dir" "${meshes[@]}" "$@"
fi
exec "$python" "$root/experiments/drive.py" --config "$config" --run-dir "$run_dir" \
    --host "$index/${#hosts[@]}" --coordinator "$first:8476" --alone "$alone" "${meshes[@]}" "$@"
