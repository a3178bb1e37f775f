#!/usr/bin/env bash
# Jobs on a GKE cluster that has JobSet installed and node pools with TPUs.
#
#   bash launch/gke.sh drive  --image IMAGE --bucket my-bucket --tpu tpu-v5-lite-podslice --topology 4x4 --hosts 4
#   bash launch/gke.sh search --round 2 --pods 64 --topology 2x2 ...   an Indexed Job: a share of the search each pod
#   bash launch/gke.sh stage  --stage policy --round 2 ...             a JobSet: one stage, trained by all hosts
#   bash launch/gke.sh delete --name rstar-drive
#
# `drive` is the whole run on one slice: every host runs experiments/drive.py. `search` spreads a round's search over
# many hosts that know nothing of each other and may be spot; `stage` runs any stage, on the hosts of a slice if it
# trains, else on one. The jobs go on
# when you close the laptop, and cost money until they end or `delete`; an autoscaled node pool then shrinks by itself.
# Pods that are taken away come back; a job that is given bad input (exit code 2) ends.
#
# IMAGE holds this repository with its environment (launch/Dockerfile). BUCKET is mounted by the Cloud Storage FUSE
# driver. Tokens come from the cluster's secret `rstar` (kubectl create secret generic rstar --from-env-file FILE).
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
source "$root/launch/common.sh"
source "$root/launch/manifests.sh"

setting NAME "" "of the job; by default rstar- and what it does"
setting IMAGE "" "container image of this repository"
setting BUCKET "" "bucket for run directories, without gs://"
setting RUN rstar "folder of the run in the bucket"
setting CONFIG qwen2_5_math_7b "config of the run"
setting TPU tpu-v5-lite-podslice "node label cloud.google.com/gke-tpu-accelerator"
setting TOPOLOGY 2x2 "node label cloud.google.com/gke-tpu-topology"
setting CHIPS 4 "chips of a host"
setting HOSTS 1 "hosts of the slice"
setting SPOT yes "yes: nodes with spot capacity; no: others"
setting ACCOUNT default "service account of the pods, which may use the bucket"
setting NAMESPACE default "namespace"
setting ROUND 1 "round of search and stage"
setting STAGE policy "search, data, base, policy, ppm, evaluation or report"
setting PODS 16 "pods of search"
setting OPTIONS "" "further options of the script that the pods run, such as '--mesh 1 1 4'"

read_flags "$@"
need kubectl "it is part of the Google Cloud CLI."
what=${rest[0]:-}
NAME=${NAME:-rstar-$what}
case $what in
drive | search | stage)
    wants IMAGE BUCKET
    run_with "$("${what}_manifest")" kubectl apply -f -
    ;;
delete)
    run kubectl --namespace "$NAMESPACE" delete job "$NAME" --ignore-not-found
    run kubectl --namespace "$NAMESPACE" delete jobset "$NAME" --ignore-not-found ||
        say "JobSets could not be asked for; is JobSet installed?"
    ;;
*) fail "Say what to do: drive, search, stage or delete." ;;
esac
