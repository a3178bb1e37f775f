#!/usr/bin/env bash
# A TPU slice of several hosts, by queued resources; with spot capacity again and again until the run is finished.
#
#   bash launch/tpu_slice.sh up --zone us-west4-a --type v5litepod-16 --bucket my-bucket
#   bash launch/tpu_slice.sh status|logs|down  (with the same options)
#
# `up` asks for the slice, waits for it, brings this repository's last commit to all hosts and starts the run there. It
# stays: a slice that was taken away is asked for again, and the run goes on where its files say; once the run's report
# is in the bucket the slice is given back. Stopped, or on a laptop that sleeps, it does neither: the hosts go on, cost
# money until `down`, and a slice that is taken away stays away.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
source "$root/launch/common.sh"
source "$root/launch/tpu.sh"
setting SPOT yes "yes: spot capacity, cheaper, and taken away at any time; no: on demand"
setting EVERY 60 "seconds between looks at the slice"

request() {
    local spot=()
    [[ "$SPOT" != yes ]] || spot=(--spot)
    run gcloud compute tpus queued-resources create "$NAME" "${where[@]}" --node-id "$NAME" --accelerator-type "$TYPE" \
        --runtime-version "$VERSION" "${spot[@]}"
}

give_back() {
    run gcloud compute tpus queued-resources delete "$NAME" "${where[@]}" --force --quiet
}

# The state of the queued resource; nothing where there is none.
state() {
    gcloud compute tpus queued-resources describe "$NAME" "${where[@]}" --format 'value(state.state)' 2>/dev/null || true
}

keep_up() {
    local now before=
    while ! is_finished; do
        now=$(state)
        [[ "$now" == "$before" ]] || say "$(date +%H:%M:%S) slice $NAME: ${now:-not there}"
        case $now in
        '') request ;;
        ACTIVE) [[ "$before" == ACTIVE ]] || start_hosts || now= ;; # a host may have gone meanwhile; look again
        SUSPENDED | FAILED) give_back ;;
        esac
        before=$now
        sleep "$EVERY"
    done
    say "The run is finished; the slice is given back."
    give_back
}

read_flags "$@"
place
need gcloud "it is part of the Google Cloud CLI."
case ${rest[0]:-} in
up)
    if [[ -n "$dry_run" ]]; then
        request
        start_hosts
        echo "# and again when the slice is taken away; once the run is finished:"
        give_back
    else
        keep_up
    fi
    ;;
status) run gcloud compute tpus queued-resources describe "$NAME" "${where[@]}" ;;
logs) show_logs "${rest[1]:-0}" ;;
down) give_back ;;
*) fail "Say what to do: up, status, logs or down." ;;
esac
