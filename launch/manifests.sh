# Kubernetes manifests of gke.sh and ray.sh; sourced, never run. Each function prints one from the settings.

# indent N: the input, N columns to the right, without empty lines, which parts that are left out leave behind.
indent() {
    sed -e '/^$/d' -e "s/^/$(printf '%*s' "$1" '')/"
}

# pod tpu|cpu [COMMAND]: a pod on a host with chips or on any other; COMMAND is YAML list items, none for the image's own.
pod() {
    cat <<END
metadata:
  annotations:
    gke-gcsfuse/volumes: "true"
spec:
  serviceAccountName: $ACCOUNT
  terminationGracePeriodSeconds: 30
$([[ "$1" != tpu ]] || node_with_chips | indent 2)
$([[ -z "${2:-}" ]] || echo '  restartPolicy: Never')
  containers:
    - name: rstar
      image: $IMAGE
      workingDir: /bucket
$([[ -z "${2:-}" ]] || printf '      command:\n%s' "$(indent 8 <<<"$2")")
      envFrom:
        - secretRef:
            name: rstar
            optional: true
      resources:
$(resources "$1" | indent 8)
      volumeMounts:
        - name: bucket
          mountPath: /bucket
  volumes:
    - name: bucket
      csi:
        driver: gcsfuse.csi.storage.gke.io
        volumeAttributes:
          bucketName: $BUCKET
          mountOptions: implicit-dirs,rename-dir-limit=100000
END
}

node_with_chips() {
    cat <<END
nodeSelector:
  cloud.google.com/gke-tpu-accelerator: $TPU
  cloud.google.com/gke-tpu-topology: $TOPOLOGY
$([[ "$SPOT" != yes ]] || echo '  cloud.google.com/gke-spot: "true"')
END
}

resources() {
    local what
    for what in requests limits; do
        echo "$what:"
        if [[ "$1" == tpu ]]; then echo "  google.com/tpu: $CHIPS"; else printf '  cpu: "4"\n  memory: 16Gi\n'; fi
    done
}

# words WORD...: a command as YAML list items.
words() {
    printf -- "- '%s'\n" "${@//\'/\'\'}"
}

# How pods end: bad input is final, a node that was taken away is no failure.
_pod_failure_policy() {
    cat <<END
podFailurePolicy:
  rules:
    - action: FailJob
      onExitCodes:
        containerName: rstar
        operator: In
        values: [2]
    - action: Ignore
      onPodConditions:
        - type: DisruptionTarget
          status: "True"
END
}

# _slice COMMAND: a JobSet of the hosts of one slice. It is started anew as a whole, as a slice has to be.
_slice() {
    cat <<END
apiVersion: jobset.x-k8s.io/v1alpha2
kind: JobSet
metadata:
  name: $NAME
  namespace: $NAMESPACE
  annotations:
    alpha.jobset.sigs.k8s.io/exclusive-topology: cloud.google.com/gke-nodepool
spec:
  failurePolicy:
    maxRestarts: 100
    rules:
      - action: FailJobSet
        onJobFailureReasons:
          - PodFailurePolicy
  replicatedJobs:
    - name: slice
      replicas: 1
      template:
        spec:
          parallelism: $HOSTS
          completions: $HOSTS
          completionMode: Indexed
          backoffLimit: 0
$(_pod_failure_policy | indent 10)
          template:
$(pod tpu "$1" | indent 12)
END
}

drive_manifest() {
    # shellcheck disable=SC2086 # options are words
    _slice "$(words bash /rstar_jax/launch/on_host.sh "$CONFIG" "/bucket/$RUN" $OPTIONS)"
}

stage_manifest() {
    local distributed=
    case $STAGE in
    base | report) ROUND=0 ;;
    esac
    case $STAGE in
    base | policy | ppm) ((HOSTS == 1)) || distributed=--distributed ;;
    *) HOSTS=1 ;;
    esac
    # shellcheck disable=SC2086
    _slice "$(words python /rstar_jax/experiments/run_stage.py --config "$CONFIG" --run-dir "/bucket/$RUN" \
        --stage "$STAGE" --round "$ROUND" $distributed $OPTIONS)"
}

# Every pod searches its share, however often it has to be started; JOB_COMPLETION_INDEX is Kubernetes' own.
search_manifest() {
    local command
    # shellcheck disable=SC2086
    command=$(words python /rstar_jax/experiments/run_stage.py --config "$CONFIG" --run-dir "/bucket/$RUN" \
        --stage search --round "$ROUND" --shard "\$(JOB_COMPLETION_INDEX)/$PODS" $OPTIONS)
    cat <<END
apiVersion: batch/v1
kind: Job
metadata:
  name: $NAME
  namespace: $NAMESPACE
spec:
  parallelism: $PODS
  completions: $PODS
  completionMode: Indexed
  backoffLimitPerIndex: 100
$(_pod_failure_policy | indent 2)
  template:
$(pod tpu "$command" | indent 4)
END
}

# A Ray cluster of hosts that search, and the job that hands out the shards.
ray_manifest() {
    cat <<END
apiVersion: ray.io/v1
kind: RayJob
metadata:
  name: $NAME
  namespace: $NAMESPACE
spec:
  entrypoint: >-
    python /rstar_jax/experiments/search_cluster.py --config $CONFIG --run-dir /bucket/$RUN --round $ROUND
    --hosts $HOSTS --resources TPU=$CHIPS${OPTIONS:+ $OPTIONS}
  shutdownAfterJobFinishes: true
  backoffLimit: 10
  rayClusterSpec:
    headGroupSpec:
      rayStartParams:
        num-cpus: "0"
      template:
$(pod cpu | indent 8)
    workerGroupSpecs:
      - groupName: tpu
        replicas: $HOSTS
        minReplicas: $HOSTS
        maxReplicas: $HOSTS
        numOfHosts: 1
        rayStartParams: {}
        template:
$(pod tpu | indent 10)
END
}
