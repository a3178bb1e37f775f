"""The sandbox's report, the refusal to run without it, and the filter's assembler. Attacks are tested elsewhere."""

from __future__ import annotations

import asyncio
import errno
import logging
import struct

import pytest

from rstar_jax.execution import ExecutorConfig, ExecutorPool, SandboxMissing, SandboxReport
from rstar_jax.execution.cell.sandbox import bpf, landlock, seccomp, syscalls
from rstar_jax.execution.cell.sandbox.bpf import Rule, Test
from rstar_jax.execution.cell.sandbox.layers import LAYERS
from rstar_jax.search.protocols import Execution

ARCH = syscalls.AUDIT_ARCH["x86_64"]
EPERM = bpf.errno(errno.EPERM)


def decide(program: bytes, number: int, arguments: tuple[int, ...] = (), arch: int = ARCH) -> int:
    """What the kernel's interpreter would return: just the instructions that the assembler emits."""
    data = struct.pack("=iIQ6Q", number, arch, 0, *(*arguments, 0, 0, 0, 0, 0, 0)[:6])
    code = list(struct.iter_unpack("=HBBI", program))
    place = value = 0
    while True:
        operation, if_true, if_false, operand = code[place]
        place += 1
        if operation == 0x20:
            (value,) = struct.unpack_from("=I", data, operand)
        elif operation == 0x54:
            value &= operand
        elif operation == 0x15:
            place += if_true if value == operand else if_false
        elif operation == 0x35:
            place += if_true if value >= operand else if_false
        else:
            return operand


def test_a_filter_decides_by_number_and_arguments() -> None:
    both_halves = (Test(0, 5 << 32 | 7), Test(2, 0, 0xF0))
    program = bpf.assemble(ARCH, [Rule(1), Rule(2, bpf.NOTIFY, both_halves), Rule(2, EPERM, (Test(1, 9),))], EPERM + 1)
    assert decide(program, 1) == bpf.ALLOW
    assert decide(program, 2, (5 << 32 | 7, 0, 0xF)) == bpf.NOTIFY
    assert decide(program, 2, (7, 9, 0)) == EPERM
    assert decide(program, 2, (5 << 32 | 7, 0, 0x1F)) == EPERM + 1
    assert decide(program, 3) == EPERM + 1
    assert decide(program, 1, arch=1) == bpf.KILL_PROCESS
    assert decide(program, 1 | 1 << 30) == EPERM


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_allow_list(machine: str) -> None:
    numbers, arch = syscalls.NUMBERS[machine], syscalls.AUDIT_ARCH[machine]
    program = seccomp.allow_list(machine, bpf.NOTIFY)

    def answer(name: str, *arguments: int) -> int:
        return decide(program, numbers[name], arguments, arch)

    assert answer("read", 3) == answer("openat", 0, 0, 0o2000000) == bpf.ALLOW
    assert answer("openat", 0, 0, 0o101) == answer("openat", 0, 0, 2) == EPERM  # to create, to write
    assert answer("mmap", 0, 4096, 3, 0x22) == bpf.ALLOW
    assert answer("mmap", 0, 4096, 3, 0x21) == answer("mmap", 0, 4096, 3, 0x122) == EPERM  # shared, growing down
    assert answer("clone", 0x8011) == bpf.NOTIFY
    assert answer("clone", 0x11) == answer("clone", 0x8011, 4096) == EPERM
    assert answer("clone3") == bpf.errno(errno.ENOSYS)
    assert answer("sendto", 3, 0, 0, 0, 0) == bpf.ALLOW
    assert answer("sendto", 3, 0, 0, 0, 1 << 40) == EPERM
    assert answer("prctl", 1, 9) == bpf.ALLOW
    assert answer("prctl", 1, 0) == answer("prctl", 22, 2) == EPERM
    assert answer("prlimit64", 0, 7, 0) == bpf.ALLOW
    assert answer("prlimit64", 0, 7, 4096) == answer("prlimit64", 1, 7, 0) == EPERM
    assert all(decide(program, number, (), arch) == EPERM for number in range(450, 500))  # what is new is not allowed
    assert decide(seccomp.seal(machine), numbers["sendmsg"], (), arch) == EPERM
    assert decide(seccomp.seal(machine), numbers["read"], (), arch) == bpf.ALLOW


def test_a_missing_layer_is_named_with_what_it_means(caplog: pytest.LogCaptureFixture) -> None:
    report = SandboxReport.from_missing({"namespaces": "not installed"})
    assert report.active == tuple(name for name in LAYERS if name != "namespaces")
    assert report.holes == ()  # Landlock stands in
    with caplog.at_level(logging.INFO):
        report.check(required=True)
    assert f"without namespaces (not installed): {LAYERS['namespaces']}" in caplog.text


@pytest.mark.parametrize(
    ("missing", "hole"),
    [
        (("namespaces", "landlock"), "files outside the interpreter can be read"),
        (("seccomp", "fork guard"), "system calls are not filtered"),
        (("fork guard",), "processes can be started"),
        (("user",), "it runs as root"),
    ],
)
def test_a_required_sandbox_with_a_hole_is_refused(missing: tuple[str, ...], hole: str) -> None:
    report = SandboxReport.from_missing(dict.fromkeys(missing, "left out"))
    report.check(required=False)
    with pytest.raises(SandboxMissing, match=hole) as caught:
        report.check(required=True)
    assert str(caught.value).count(".") == 1  # one sentence


def test_a_pool_refuses_at_its_first_use_and_leaves_nothing(runner: asyncio.Runner) -> None:
    async def scenario() -> None:
        config = ExecutorConfig(cells=1, require_sandbox=True, left_out=("seccomp",))
        async with ExecutorPool(config) as pool:
            for _ in range(2):
                with pytest.raises(SandboxMissing, match="refuses"):
                    await pool.start()
            assert pool.cell_pids == []

    runner.run(scenario())


@pytest.mark.parametrize(
    "left_out", [(), ("namespaces",), ("landlock",), ("fork guard",), ("seccomp",), tuple(LAYERS)], ids=str
)
def test_results_do_not_depend_on_the_layers(runner: asyncio.Runner, left_out: tuple[str, ...]) -> None:
    async def scenario() -> SandboxReport:
        async with ExecutorPool(ExecutorConfig(cells=1, left_out=left_out)) as pool:
            report = await pool.start()
            history = ("import sympy\nx = sympy.symbols('x')\n",)
            for _ in range(2):
                results = await pool.expand(history, ["print(sympy.solve(x**2 - 4, x))", "import fractions"])
                assert results == [Execution("ok", "[-2, 2]"), Execution("ok", "")]
            return report

    report = runner.run(scenario())
    assert not set(left_out) - {"limits"} & set(report.active)


@pytest.mark.skipif(landlock.version() == 0, reason="the kernel has no Landlock")
def test_the_report_says_what_is_active_here(runner: asyncio.Runner) -> None:
    async def scenario() -> SandboxReport:
        async with ExecutorPool(ExecutorConfig(cells=1)) as pool:
            return await pool.start()

    assert {"user", "landlock", "seccomp", "fork guard", "limits"} <= set(runner.run(scenario()).active)
