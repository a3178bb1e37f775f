# The file that Ray's cluster launcher reads, for TPU VMs; sourced by ray.sh.

cluster_file() {
    cat <<END
cluster_name: $NAME
max_workers: $HOSTS
provider:
  type: gcp
  project_id: $PROJECT
  region: ${ZONE%-*}
  availability_zone: $ZONE
auth:
  ssh_user: ubuntu
available_node_types:
  head:
    min_workers: 0
    max_workers: 0
    resources: {"CPU": 0}
    node_config:
      machineType: n2-standard-8
      disks:
        - boot: true
          autoDelete: true
          type: PERSISTENT
          initializeParams:
            diskSizeGb: 100
            sourceImage: projects/ubuntu-os-cloud/global/images/family/ubuntu-2204-lts
      serviceAccounts:
        - email: default
          scopes: [https://www.googleapis.com/auth/cloud-platform]
  host:
    min_workers: $HOSTS
    max_workers: $HOSTS
    resources: {"TPU": $CHIPS}
    node_config:
      acceleratorType: $TYPE
      runtimeVersion: $VERSION
      schedulingConfig:
        preemptible: $([[ "$SPOT" == yes ]] && echo true || echo false)
head_node_type: head
setup_commands:
$(host_packages | sed 's/^/  - /')
  - if test -d rstar_jax; then git -C rstar_jax pull; else git clone $REPOSITORY rstar_jax; fi
  - test -d venv || python3.12 -m venv venv
  - venv/bin/pip install -e 'rstar_jax[ray]'
  - echo 'export PATH=~/venv/bin:\$PATH' >> ~/.bashrc
  - mkdir -p bucket && { $(mount_bucket); }
head_setup_commands:
  - venv/bin/pip install google-api-python-client
worker_setup_commands:
  - venv/bin/pip install -e 'rstar_jax[ray,tpu]'
head_start_ray_commands:
  - ray stop
  - ray start --head --port=6379 --autoscaling-config=~/ray_bootstrap_config.yaml
worker_start_ray_commands:
  - ray stop
  - ray start --address=\$RAY_HEAD_IP:6379
END
}

# What the head runs.
search_command() {
    echo "python rstar_jax/experiments/search_cluster.py --config $CONFIG --run-dir bucket/$RUN --round $ROUND" \
        "--hosts $HOSTS --resources TPU=$CHIPS${OPTIONS:+ $OPTIONS}"
}
