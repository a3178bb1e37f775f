#!/usr/bin/env bash
# One TPU VM (a single host), on demand or spot.
#
#   bash launch/tpu_vm.sh up --zone us-west4-a --type v5litepod-4 --bucket my-bucket
#   bash launch/tpu_vm.sh logs|down  (with the same options)
#
# `up` creates the machine if there is none, brings this repository's last commit there and starts the run as a service, which goes on
# when you close the laptop. The machine costs money until `down`, also when the run is finished.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
source "$root/launch/common.sh"
source "$root/launch/tpu.sh"
setting SPOT "" "yes: spot capacity, cheaper, and taken away at any time"

read_flags "$@"
place
need gcloud "it is part of the Google Cloud CLI."
spot=()
[[ "$SPOT" != yes ]] || spot=(--spot)
case ${rest[0]:-} in
up)
    if [[ -n "$dry_run" ]] || ! gcloud compute tpus tpu-vm describe "$NAME" "${where[@]}" >/dev/null 2>&1; then
        run gcloud compute tpus tpu-vm create "$NAME" "${where[@]}" --accelerator-type "$TYPE" --version "$VERSION" \
            "${spot[@]}"
    fi
    start_hosts
    [[ -n "$dry_run" ]] || say "The run goes on without this computer. It costs money until: bash launch/tpu_vm.sh down --name $NAME ..."
    ;;
logs) show_logs ;;
down) run gcloud compute tpus tpu-vm delete "$NAME" "${where[@]}" --quiet ;;
*) fail "Say what to do: up, logs or down." ;;
esac
