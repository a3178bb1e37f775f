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

# The state of the queued resource; NONE where there is none, UNKNOWN where nobody tells.
state() {
    local said
    if said=$(gcloud compute tpus queued-resources describe "$NAME" "${where[@]}" --format 'value(state.state)' 2>&1); then
        echo "$said" | tail -n 1
    elif [[ "$said" == *NOT_FOUND* ]]; then
        echo NONE
    else
        echo UNKNOWN
    fi
}

keep_up() {
    local now before='' looks=0
    while ! is_finished; do
        now=$(state)
        [[ "$now" == "$before" ]] || say "$(date +%H:%M:%S) slice $NAME: $now"
        case $now in
        NONE) request || say "the request was refused; trying again" ;;
        ACTIVE)
            if [[ "$before" != ACTIVE ]]; then
                start_hosts || now=UNKNOWN # a host may have gone meanwhile; look again
            elif ((++looks % 10 == 0)); then
                say_if_ended
            fi
            ;;
        SUSPENDED | FAILED) give_back || say "the slice cannot be given back yet; trying again" ;;
        UNKNOWN) now=$before ;; # gcloud had no answer; nothing is known to have changed
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
