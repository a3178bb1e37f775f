# Machines with TPUs, one or the hosts of a slice, by `gcloud compute tpus`; sourced by tpu_vm.sh and tpu_slice.sh.

setting NAME rstar "of the machine and of the run"
setting ZONE '!' "zone, such as us-central2-b"
setting TYPE '!' "accelerator type, such as v5litepod-16"
setting BUCKET '!' "bucket for the run directory, without gs://; its folder NAME is the run"
setting PROJECT "" "project, if it is not gcloud's own"
setting VERSION "" "runtime version; by default the one for the type"
setting CONFIG qwen2_5_math_7b "config of the run"
setting OPTIONS "" "further options of experiments/drive.py, such as '--mesh 1 16 1 --search-mesh 1 1 4'"

place() {
    where=(--zone "$ZONE")
    [[ -z "$PROJECT" ]] || where+=(--project "$PROJECT")
    if [[ -z "$VERSION" ]]; then
        case $TYPE in
        v5litepod-*) VERSION=v2-alpha-tpuv5-lite ;;
        v5p-*) VERSION=v2-alpha-tpuv5 ;;
        v6e-*) VERSION=v2-alpha-tpuv6e ;;
        *) VERSION=tpu-ubuntu2204-base ;;
        esac
    fi
}

# What the hosts do once: Python, the bucket as a folder, and the run as a service that outlives this connection and a
# restart of the machine. A config's relative paths are looked for beside the run, in the bucket.
host_script() {
    cat <<END
set -e
tar -xzf rstar.tar.gz --one-top-level=rstar_jax
$(host_packages)
mkdir -p bucket
chmod 600 rstar.secrets
cat >rstar.run.sh <<'RUN'
set -e
cd "\$HOME"
$(mount_bucket)
source rstar.secrets
exec bash rstar_jax/launch/on_host.sh $(printf %q "$CONFIG") "\$HOME/bucket/$NAME" $OPTIONS
RUN
sudo tee /etc/systemd/system/rstar.service >/dev/null <<UNIT
[Unit]
After=network-online.target
Wants=network-online.target
[Service]
User=\$USER
ExecStart=/bin/bash \$HOME/rstar.run.sh
Restart=on-failure
RestartSec=30
RestartPreventExitStatus=2
TimeoutStopSec=120
[Install]
WantedBy=multi-user.target
UNIT
sudo systemctl daemon-reload
sudo systemctl enable rstar
sudo systemctl restart rstar
END
}

# start_hosts: bring this repository's last commit to all hosts of NAME, and start the run there.
start_hosts() {
    local folder code
    if [[ -n "$dry_run" ]]; then
        echo "# rstar.secrets (mode 600):"
        secret_lines
        echo "# rstar.host.sh:"
        host_script
        send_and_start FOLDER
        return
    fi
    folder=$(mktemp -d)
    trap 'rm -rf "'"$folder"'"' EXIT
    git -C "$root" archive --format=tar.gz --output "$folder/rstar.tar.gz" HEAD
    (umask 077 && secret_lines >"$folder/rstar.secrets")
    host_script >"$folder/rstar.host.sh"
    send_and_start "$folder" && code=0 || code=$?
    rm -rf "$folder"
    return "$code"
}

send_and_start() {
    run gcloud compute tpus tpu-vm scp "$1/rstar.tar.gz" "$1/rstar.secrets" "$1/rstar.host.sh" "$NAME:" --worker all \
        "${where[@]}" &&
        run gcloud compute tpus tpu-vm ssh "$NAME" --worker all "${where[@]}" --command 'bash rstar.host.sh'
}

show_logs() {
    run gcloud compute tpus tpu-vm ssh "$NAME" --worker "${1:-0}" "${where[@]}" --command 'journalctl -u rstar -n 200 -f'
}

# say_if_ended: a host whose run has ended with an error that starting again would not mend.
say_if_ended() {
    gcloud compute tpus tpu-vm ssh "$NAME" --worker all "${where[@]}" --command \
        '! systemctl is-failed -q rstar || { echo "the run has ended on $(hostname):"; journalctl -u rstar -n 3 -o cat; }' >&2 ||
        say "the hosts of $NAME did not answer"
}

# is_finished: whether the run's report is in the bucket.
is_finished() {
    gcloud storage ls "gs://$BUCKET/$NAME/report/summary.json" >/dev/null 2>&1
}
