"""What the launchers would do, against recorded files; and what they do, with stand-ins for the cloud's programs.

To record again after a change that is meant: RECORD=1 bash launch/test.sh tests/launch/test_launchers.py
"""

from __future__ import annotations

import os
import pathlib
import re
import subprocess

import pytest
import yaml

ROOT = pathlib.Path(__file__).parents[2]
DATA = pathlib.Path(__file__).parent / "data"
KUBE = ("--image", "registry/rstar_jax:1", "--bucket", "my-bucket")
VM = ("--zone", "us-west4-a", "--bucket", "my-bucket")
RAY_VM = (*VM, "--project", "my-project", "--repository", "https://example.org/rstar_jax.git", "--hosts", "16")
DRY_RUNS = {
    "tpu_vm_up": ("tpu_vm.sh", "up", *VM, "--type", "v5litepod-4", "--options", "--search-mesh 1 1 4 --mesh 1 4 1"),
    "tpu_vm_down": ("tpu_vm.sh", "down", *VM, "--type", "v5litepod-4"),
    "tpu_slice_up": ("tpu_slice.sh", "up", *VM, "--type", "v5p-128", "--project", "my-project", "--spot", "no"),
    "tpu_slice_logs": ("tpu_slice.sh", "logs", "3", *VM, "--type", "v5p-128"),
    "gke_drive": ("gke.sh", "drive", *KUBE, "--topology", "4x4", "--hosts", "4", "--options", "--mesh 1 16 1"),
    "gke_search": ("gke.sh", "search", *KUBE, "--round", "2", "--pods", "64", "--options", "--mesh 1 1 4"),
    "gke_train": ("gke.sh", "stage", *KUBE, "--topology", "4x4", "--hosts", "4", "--round", "3", "--stage", "ppm"),
    "gke_report": ("gke.sh", "stage", *KUBE, "--topology", "4x4", "--hosts", "4", "--round", "3", "--stage", "report"),
    "gke_delete": ("gke.sh", "delete", "--name", "rstar-drive"),
    "ray_kube": ("ray.sh", "kube", *KUBE, "--hosts", "16", "--round", "2", "--options", "--mesh 1 1 4"),
    "ray_vm_up": ("ray.sh", "vm-up", *RAY_VM),
    "ray_vm_submit": ("ray.sh", "vm-submit", *RAY_VM, "--round", "3"),
    "ray_vm_down": ("ray.sh", "vm-down", *RAY_VM),
}
SECRET = "hf_do_not_show_this"


def launch(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = ["bash", str(ROOT / "launch" / words[0]), *words[1:]]
    return subprocess.run(
        command, env=os.environ | variables, capture_output=True, text=True, check=False, timeout=120, cwd="/"
    )


def dry_run(name: str) -> str:
    done = launch(*DRY_RUNS[name], "--dry-run", HF_TOKEN=SECRET)
    assert done.returncode == 0, done.stderr
    assert SECRET not in done.stdout + done.stderr
    return done.stdout


def manifest(name: str) -> dict:
    found = re.search(r"<<END\n(.*)\nEND\n", dry_run(name), re.DOTALL)
    assert found is not None
    return yaml.safe_load(found[1])


@pytest.mark.parametrize("name", DRY_RUNS)
def test_a_dry_run_says_what_would_be_done(name: str) -> None:
    recorded = DATA / f"{name}.txt"
    if os.environ.get("RECORD"):
        recorded.write_text(dry_run(name))
    assert dry_run(name) == recorded.read_text()


def valid(kind: dict) -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    kubernetes_validate.validate(kind, kubernetes_validate.latest_version(), strict=True)


def as_job(spec: dict) -> dict:
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "x"}, "spec": spec}


def as_pod(template: dict) -> dict:
    return {"apiVersion": "v1", "kind": "Pod"} | template | {"metadata": {"name": "x"} | template["metadata"]}


def test_kubernetes_knows_the_jobs() -> None:
    """By the published schemas; JobSet's and Ray's own kinds have none there, so what they are made of is checked."""
    valid(manifest("gke_search"))
    for name in ("gke_drive", "gke_train", "gke_report"):
        (slice_of_hosts,) = manifest(name)["spec"]["replicatedJobs"]
        valid(as_job(slice_of_hosts["template"]["spec"]))
    cluster = manifest("ray_kube")["spec"]["rayClusterSpec"]
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        valid(as_pod(group["template"]))
    with pytest.raises(Exception, match="replicas"):
        valid(as_job({"replicas": 1, "template": {"spec": {"containers": []}}}))


def test_every_pod_of_a_search_has_a_share_of_its_own() -> None:
    job = manifest("gke_search")["spec"]
    assert (job["completions"], job["parallelism"], job["completionMode"]) == (64, 64, "Indexed")
    (container,) = job["template"]["spec"]["containers"]
    command = container["command"]
    assert command[command.index("--shard") + 1] == "$(JOB_COMPLETION_INDEX)/64"
    assert "restartPolicy" in job["template"]["spec"]


def test_ray_knows_the_cluster_file() -> None:
    """By the schema that Ray's launcher checks it against."""
    util = pytest.importorskip("ray.autoscaler._private.util")
    config = manifest("ray_vm_up")
    util.validate_config(util.prepare_config(config))
    assert config["available_node_types"]["host"]["min_workers"] == 16
    with pytest.raises(Exception, match="maximum_workers"):
        util.validate_config(util.prepare_config(config | {"maximum_workers": 3}))


def test_settings_come_from_the_environment_too() -> None:
    given = {"RSTAR_ZONE": "here", "RSTAR_TYPE": "v6e-8", "RSTAR_BUCKET": "b"}
    done = launch("tpu_slice.sh", "up", "--dry-run", "--zone", "there", **given)
    assert "--zone there" in done.stdout
    assert "--runtime-version v2-alpha-tpuv6e --spot" in done.stdout


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("tpu_vm.sh", "up", *VM), "Give --type (or RSTAR_TYPE)"),
        (("tpu_slice.sh", "up", *VM, "--type", "v5p-8", "--colour", "red"), "There is no option --colour"),
        (("gke.sh", *KUBE, "--dry-run"), "Say what to do"),
        (("gke.sh", "drive", "--image"), "--image needs a value"),
        (("gke.sh", "drive", "--bucket", "b", "--dry-run"), "Give --image"),
        (("ray.sh", "kube", "--bucket", "b", "--dry-run"), "Give --image"),
        (("on_host.sh", "cpu"), "Give a config and a run directory"),
    ],
)
def test_bad_input_is_one_sentence(words: tuple[str, ...], reason: str) -> None:
    done = launch(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert reason in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("script", ["tpu_vm.sh", "tpu_slice.sh", "gke.sh", "ray.sh"])
def test_help(script: str) -> None:
    done = launch(script, "--help")
    assert done.returncode == 0
    assert re.search(r"costs?\s+money", done.stdout)
    assert "--bucket" in done.stdout


# --- With stand-ins for the cloud ---------------------------------------------------------------------

GCLOUD = """#!/usr/bin/env bash
echo "$*" >>"$FOLDER/calls"
case "$*" in
    *"queued-resources describe"*)
        state=$(head -n 1 "$FOLDER/states")
        (($(wc -l <"$FOLDER/states") == 1)) || sed -i 1d "$FOLDER/states"
        [[ "$state" != NONE ]] || { echo "NOT_FOUND: no such resource" >&2; exit 1; }
        [[ "$state" != broken ]] || { echo "the net is down" >&2; exit 1; }
        echo "$state" ;;
    *"queued-resources create"*)
        if [[ -e "$FOLDER/refused" ]]; then rm "$FOLDER/refused"; exit 1; fi ;;
    *"storage ls"*) grep -q finished "$FOLDER/states" && [[ $(head -n 1 "$FOLDER/states") == finished ]] ;;
    *scp*)
        for file in "$@"; do [[ "$file" != *rstar.secrets ]] || cp -p "$file" "$FOLDER/secrets"; done
        if [[ -e "$FOLDER/gone" ]]; then rm "$FOLDER/gone"; exit 1; fi ;;
esac
"""


def stand_in(folder: pathlib.Path, name: str, code: str) -> None:
    (folder / "bin").mkdir(exist_ok=True)
    program = folder / "bin" / name
    program.write_text(code)
    program.chmod(0o755)


def test_a_slice_is_asked_for_again_until_the_run_is_finished(tmp_path) -> None:
    """The first request is refused, then it comes, the first start fails, nobody answers for a while, it is taken away
    and comes again, and at the end it is given back."""
    states = ["NONE", "NONE", "WAITING_FOR_RESOURCES", "ACTIVE", "ACTIVE", "broken", "ACTIVE", "SUSPENDED", "NONE"]
    (tmp_path / "states").write_text("\n".join([*states, "ACTIVE", "finished"]) + "\n")
    for once in ("gone", "refused"):
        (tmp_path / once).touch()
    stand_in(tmp_path, "gcloud", GCLOUD)
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    words = ("tpu_slice.sh", "up", *VM, "--type", "v5litepod-16", "--every", "0.01")
    done = launch(*words, PATH=path, FOLDER=str(tmp_path), HF_TOKEN=SECRET)
    assert done.returncode == 0, done.stderr
    lines = (tmp_path / "calls").read_text().splitlines()
    calls = [line for line in lines if "describe" not in line and "storage ls" not in line]
    kinds = [next(kind for kind in ("create", "scp", "ssh", "delete") if kind in line) for line in calls]
    assert kinds == ["create", "create", "scp", "scp", "ssh", "delete", "create", "scp", "ssh", "delete"]
    assert "--spot" in calls[0]
    assert "The run is finished" in done.stderr
    secrets = tmp_path / "secrets"
    assert secrets.read_text() == f"export HF_TOKEN={SECRET}\n"
    assert secrets.stat().st_mode & 0o077 == 0
    assert SECRET not in (tmp_path / "calls").read_text() + done.stdout + done.stderr


PYTHON = '#!/usr/bin/env bash\nprintf "%s\\n" "$@"\n'


def on_host(tmp_path: pathlib.Path, **variables: str) -> list[str]:
    stand_in(tmp_path, "python", PYTHON)
    variables["RSTAR_PYTHON"] = str(tmp_path / "bin/python")
    done = launch("on_host.sh", "cpu", "/run", "--mesh", "1 4 1", **variables)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_host_of_a_slice_knows_its_place(tmp_path) -> None:
    words = on_host(
        tmp_path, TPU_WORKER_ID="2", TPU_WORKER_HOSTNAMES="a.b,c.d,e.f,g.h", TPU_ACCELERATOR_TYPE="v5p-32"
    )
    assert words[0] == str(ROOT / "experiments" / "drive.py")
    assert words[words.index("--host") + 1] == "2/4"
    assert words[words.index("--coordinator") + 1] == "a.b:8476"
    assert "TPU_ACCELERATOR_TYPE=v5p-8" in words[words.index("--alone") + 1]
    assert words[-2:] == ["--mesh", "1 4 1"]  # after the default, which it takes the place of
    default = words.index("--mesh")
    assert words[default : default + 8] == ["--mesh", "1", "16", "1", "--search-mesh", "1", "1", "4"]
    alone = on_host(tmp_path, TPU_WORKER_ID="0", TPU_WORKER_HOSTNAMES="localhost", TPU_ACCELERATOR_TYPE="v6e-4")
    assert "--host" not in alone


METADATA = """#!/usr/bin/env bash
case "${!#}" in
    *agent-worker-number) echo 1 ;;
    *worker-network-endpoints) echo "unknown:unknown:10.0.0.2,unknown:unknown:10.0.0.3" ;;
    *accelerator-type) echo v5litepod-8 ;;
    *) exit 22 ;;
esac
"""


def test_a_tpu_vm_asks_its_metadata(tmp_path) -> None:
    stand_in(tmp_path, "curl", METADATA)
    words = on_host(tmp_path, PATH=f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    assert words[words.index("--host") + 1] == "1/2"
    assert words[words.index("--coordinator") + 1] == "10.0.0.2:8476"
    assert "TPU_ACCELERATOR_TYPE=v5litepod-4" in words[words.index("--alone") + 1]


def test_a_machine_that_is_no_host_of_a_slice(tmp_path) -> None:
    stand_in(tmp_path, "curl", "#!/usr/bin/env bash\nexit 6\n")
    done = launch("on_host.sh", "cpu", "/run", PATH=f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    assert done.returncode == 2
    assert "it is no TPU VM" in done.stderr
