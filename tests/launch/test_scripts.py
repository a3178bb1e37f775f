"""The launch scripts, with a stand-in for Python that writes down how it is called and installs nothing."""

from __future__ import annotations

import os
import pathlib
import shutil
import signal
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).parents[2]
TOOLS = ("awk", "bash", "cp", "dirname", "flock", "grep", "mkdir", "rm", "sleep", "tail", "tee", "touch")
STAND_IN = """#!/usr/bin/env bash
echo "$*" >>"$CALLS"
case "$1 ${2:-}" in
    "--version "*) echo "Python 3.12.9" ;;
    "-c "*) exit "${PYTHON_FITS:-0}" ;;
    "-m venv") mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
    "-m pip")
        echo "  Downloading some/numpy-2.0.whl (17 MB)"
        sleep "${PIP_TAKES:-0}"
        [[ -z "${PIP_SAYS:-}" ]] || { echo "$PIP_SAYS"; exit 1; } ;;
    *) echo "in $PWD:" "$@" ;;
esac
"""


class Repository:
    """A copy of the scripts in a folder of its own; in PATH are only the tools and the stand-in."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.root = folder / "a repository"
        self.calls_file = folder / "calls"
        self.programs = folder / "bin"
        self.programs.mkdir()
        self.root.mkdir()
        shutil.copytree(ROOT / "launch", self.root / "launch")
        shutil.copy(ROOT / "setup.py", self.root)
        for tool in TOOLS:
            found = shutil.which(tool)
            if found is None:
                pytest.skip(f"{tool} is missing on this machine")
            (self.programs / tool).symlink_to(found)
        self.add_python("python3.12")

    def add_python(self, name: str, code: str = STAND_IN) -> None:
        path = self.programs / name
        path.write_text(code)
        path.chmod(0o755)

    def start(self, script: str = "local.sh", *args: str, **variables: str) -> subprocess.Popen[str]:
        environment = {"PATH": str(self.programs), "CALLS": str(self.calls_file), **variables}
        return subprocess.Popen(
            [shutil.which("bash") or "bash", str(self.root / "launch" / script), *args],
            env=environment,
            cwd=self.root.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, script: str = "local.sh", *args: str, **variables: str) -> tuple[int, str, str]:
        process = self.start(script, *args, **variables)
        stdout, stderr = process.communicate(timeout=30)
        return process.returncode, stdout, stderr

    def count(self, call: str) -> int:
        text = self.calls_file.read_text() if self.calls_file.exists() else ""
        return sum(line.startswith(call) for line in text.splitlines())

    def wait_for(self, call: str) -> None:
        deadline = time.monotonic() + 20
        while not self.count(call):
            assert time.monotonic() < deadline, f"{call} was never called"
            time.sleep(0.01)


@pytest.fixture
def repository(tmp_path: pathlib.Path) -> Repository:
    return Repository(tmp_path)


SCRIPTS = [*sorted((ROOT / "launch").glob("*.sh")), ROOT / ".ci" / "run"]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_syntax(script: pathlib.Path) -> None:
    subprocess.run(["bash", "-n", str(script)], check=True)


def test_first_start_installs_and_the_second_has_nothing_to_do(repository: Repository) -> None:
    code, stdout, stderr = repository.run("local.sh", "--name", "two words")
    assert code == 0
    assert stdout.endswith("experiments/evolve.py --config cpu --name two words\n")
    assert "Making .venv with Python 3.12.9" in stderr
    assert stderr.endswith("Installed.\n")
    assert "  numpy-2.0.whl\n" in stderr
    began = time.monotonic()
    assert repository.run()[0] == 0
    assert time.monotonic() - began < 1
    assert (repository.count("-m venv"), repository.count("-m pip")) == (1, 1)


def test_tests_run_in_the_repository_and_their_extra_is_installed_on_top(repository: Repository) -> None:
    assert repository.run("local.sh")[0] == 0
    code, stdout, _ = repository.run("test.sh", "-k", "tree")
    assert code == 0
    assert stdout.endswith(f"in {repository.root}: -m pytest -n 2 --dist loadfile -k tree\n")
    assert (repository.count("-m venv"), repository.count("-m pip")) == (1, 2)
    assert "[test]" in repository.calls_file.read_text()
    repository.run("local.sh")
    repository.run("test.sh")
    assert repository.count("-m pip") == 2


def test_changed_requirements_are_installed_into_the_same_environment(repository: Repository) -> None:
    repository.run()
    with (repository.root / "setup.py").open("a") as file:
        file.write("# a new requirement\n")
    repository.run()
    assert (repository.count("-m venv"), repository.count("-m pip")) == (1, 2)


def test_moved_repository_is_installed_again(repository: Repository) -> None:
    repository.run()
    repository.root = repository.root.rename(repository.root.with_name("moved"))
    assert repository.run()[0] == 0
    assert repository.count("-m pip") == 2


def test_environment_whose_python_is_gone_is_made_again(repository: Repository) -> None:
    repository.run()
    (repository.root / ".venv/bin/python").unlink()
    assert repository.run()[0] == 0
    assert repository.count("-m venv") == 2


def test_failed_download_is_a_sentence_and_the_next_start_begins_anew(repository: Repository) -> None:
    code, stdout, stderr = repository.run(PIP_SAYS="ERROR: no route to the index")
    assert code == 2
    assert "evolve.py" not in stdout
    assert "ERROR: no route to the index\nThe installation did not finish" in stderr
    assert repository.run()[0] == 0
    assert (repository.count("-m venv"), repository.count("-m pip")) == (2, 2)


def test_failed_update_is_begun_anew_too(repository: Repository) -> None:
    repository.run()
    with (repository.root / "setup.py").open("a") as file:
        file.write("# a new requirement\n")
    assert repository.run(PIP_SAYS="ERROR: no route to the index")[0] == 2
    assert repository.run()[0] == 0
    assert (repository.count("-m venv"), repository.count("-m pip")) == (2, 3)


def test_killed_installation_is_not_taken_for_a_finished_one(repository: Repository) -> None:
    process = repository.start(PIP_TAKES="60")
    repository.wait_for("-m pip")
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert repository.run()[0] == 0
    assert repository.count("-m pip") == 2


def test_ctrl_c_is_a_sentence(repository: Repository) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job has it ignored, and so its children
    process = repository.start(PIP_TAKES="60")
    repository.wait_for("-m pip")
    os.killpg(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=20)
    assert process.returncode == 130
    assert stderr.endswith("Interrupted. Start again to go on; what is downloaded already is kept.\n")


def test_two_starts_at_once_install_once(repository: Repository) -> None:
    first = repository.start(PIP_TAKES="1")
    repository.wait_for("-m pip")
    second = repository.start()
    _, stderr = second.communicate(timeout=20)
    first.communicate(timeout=20)
    assert (first.returncode, second.returncode) == (0, 0)
    assert stderr == "Another start is installing; waiting for it.\n"
    assert repository.count("-m pip") == 1


def test_no_python(repository: Repository) -> None:
    (repository.programs / "python3.12").unlink()
    code, _, stderr = repository.run()
    assert code == 2
    assert stderr.startswith("Python 3.11 or 3.12 with its venv module is needed, and none was found")


def test_python_of_another_version_is_refused(repository: Repository) -> None:
    code, _, stderr = repository.run(PYTHON_FITS="1")
    assert code == 2
    assert "none was found" in stderr
    assert not (repository.root / ".venv").exists()


def test_a_shim_that_cannot_run_is_passed_over(repository: Repository) -> None:
    repository.add_python("python3.12", "#!/usr/bin/env bash\necho not installed here >&2; exit 127\n")
    repository.add_python("python3.11")
    code, _, stderr = repository.run()
    assert code == 0
    assert f"({repository.programs}/python3.11)" in stderr
    assert "not installed here" not in stderr


def test_an_environment_of_the_users_own_is_left_alone(repository: Repository) -> None:
    own = repository.root / ".venv" / "own"
    own.parent.mkdir()
    own.touch()
    code, _, stderr = repository.run()
    assert code == 2
    assert "this script did not make it; move it away" in stderr
    assert own.exists()
