#!/usr/bin/env bash
# The search of a round on a Ray cluster, whose hosts take shards of problems until there are none left.
#
#   bash launch/ray.sh vm-up     --zone us-west4-a --project P --type v5litepod-4 --bucket my-bucket --hosts 16
#   bash launch/ray.sh vm-submit --round 2 ...     (as often as there are rounds)
#   bash launch/ray.sh vm-down  ...
#   bash launch/ray.sh kube     --image IMAGE --bucket my-bucket --topology 2x2 --hosts 16 --round 2
#
# `vm-…`: a cluster of TPU VMs, each a host of its own, that Ray's launcher makes, with a small machine as its head. It
# stays when you close the laptop, and all its machines cost money until `vm-down`. `kube`: a RayJob for a GKE cluster
# with the Ray operator; its machines go when the job is finished. Hosts may be spot. The machines of `vm-…` get no tokens
# and passwords; `kube` has the cluster's secret `rstar`.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
source "$root/launch/common.sh"
source "$root/launch/manifests.sh"
source "$root/launch/ray_vm.sh"

setting NAME rstar-ray "of the cluster or the job"
setting BUCKET '!' "bucket for run directories, without gs://"
setting RUN rstar "folder of the run in the bucket"
setting CONFIG qwen2_5_math_7b "config of the run"
setting ROUND 1 "round whose search it is"
setting HOSTS 4 "hosts that search"
setting CHIPS 4 "chips of a host"
setting SPOT yes "yes: hosts with spot capacity; no: others"
setting OPTIONS "" "further options of experiments/search_cluster.py, such as '--mesh 1 1 4'"
setting ZONE "" "zone (vm)"
setting PROJECT "" "project (vm)"
setting TYPE v5litepod-4 "accelerator type of a host (vm)"
setting VERSION v2-alpha-tpuv5-lite "runtime version of the hosts (vm)"
setting REPOSITORY "" "address that the machines clone this repository from (vm)"
setting IMAGE "" "container image of this repository (kube)"
setting TPU tpu-v5-lite-podslice "node label cloud.google.com/gke-tpu-accelerator (kube)"
setting TOPOLOGY 2x2 "node label cloud.google.com/gke-tpu-topology (kube)"
setting ACCOUNT default "service account of the pods, which may use the bucket (kube)"
setting NAMESPACE default "namespace (kube)"

# with_cluster_file COMMAND...: the command with the cluster's file in place of FILE.
with_cluster_file() {
    local file
    wants ZONE PROJECT REPOSITORY
    if [[ -n "$dry_run" ]]; then
        run_with "$(cluster_file)" "$@"
        return
    fi
    file=$(mktemp --suffix .yaml)
    cluster_file >"$file"
    "${@/#FILE/$file}" && rm "$file"
}

read_flags "$@"
case ${rest[0]:-} in
vm-up) need ray "pip install '.[ray]' google-api-python-client brings what it needs." && with_cluster_file ray up --yes FILE ;;
vm-submit) need ray "pip install '.[ray]' google-api-python-client brings what it needs." && with_cluster_file ray exec FILE --tmux "$(search_command)" ;;
vm-down) need ray "pip install '.[ray]' google-api-python-client brings what it needs." && with_cluster_file ray down --yes FILE ;;
kube)
    need kubectl "it is part of the Google Cloud CLI."
    wants IMAGE
    run_with "$(ray_manifest)" kubectl apply -f -
    ;;
*) fail "Say what to do: vm-up, vm-submit, vm-down or kube." ;;
esac
