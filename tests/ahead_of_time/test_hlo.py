"""Collectives and loops, read from texts that compilers have written."""

from __future__ import annotations

import pathlib

import pytest

from rstar_jax.ahead_of_time.hlo import Collective, collectives, computations, first_group, trip_count
from rstar_jax.ahead_of_time.hlo_flops import matrix_flops

DATA = pathlib.Path(__file__).parent / "data"
SCAN = (DATA / "scan.hlo").read_text()  # record_hlo.py


def test_a_scan_on_eight_cpus():
    found = {(one.kind, one.elements, one.bytes, one.group): 0 for one in collectives(SCAN)}
    for one in collectives(SCAN):
        found[one.kind, one.elements, one.bytes, one.group] += one.times
    fsdp, everywhere = (0, 1, 2, 3), tuple(range(8))
    assert found == {
        ("all-gather", 256, 1024, fsdp): 5 + 5,  # five layers, forward and again in the backward pass
        ("all-reduce", 256, 1024, everywhere): 5,
        ("all-reduce", 1, 4, everywhere): 1,
    }


def test_flops_of_the_scan():
    # On each device one row through 16 x 16, in five layers: forward, again, and two products of the backward pass, of
    # which XLA writes the weight's as a multiplication.
    assert matrix_flops(SCAN) == 5 * 3 * 2 * 16 * 16


def loop(rest: str) -> str:
    return f"""HloModule m

%condition (p: (s32[])) -> pred[] {{
  %p = (s32[]) parameter(0)
  %i = s32[] get-tuple-element(%p), index=0
  %limit = s32[] constant(7)
  ROOT %less = pred[] compare(%i, %limit), direction=LT
}}

%body (p.1: (s32[])) -> (s32[]) {{
  %p.1 = (s32[]) parameter(0)
  %x = bf16[8,4]{{1,0:T(8,128)(2,1)}} custom-call(), custom_call_target="x"
  %gather = (bf16[2,4]{{1,0}}, bf16[8,4]{{1,0:T(8,128)S(1)}}) all-gather-start(%x), replica_groups=[2,4]<=[8]
  %gathered = bf16[8,4]{{1,0}} all-gather-done(%gather), replica_groups=[2,4]<=[8]
  %two = (f32[4]{{0}}, /*index=1*/bf16[2,2]{{1,0}}) all-reduce(%x, %x), replica_groups={{{{0,1}},{{2,3}}}}
  %s = f32[2]{{0}} reduce-scatter(%x), replica_groups={{{{0,2,4,6}}}}, metadata={{op_name="jit(f)/here"}}
  %fused = bf16[2]{{0}} fusion(%x), kind=kCustom, calls=%all-reduce-scatter.2
  %begun = bf16[64]{{0}} fusion(%x), kind=kCustom, calls=%async_collective_fusion.1
  %ended = bf16[64]{{0}} fusion(%x), kind=kCustom, calls=%async_collective_fusion.2
  ROOT %t = (s32[]) tuple(%p.1)
}}

%all-reduce-scatter.2 (input: bf16[8]) -> bf16[2] {{
  %input = bf16[8]{{0}} parameter(0)
  %sum.1 = bf16[8]{{0}} all-reduce(%input), replica_groups={{{{0,1,2,3}}}}
  ROOT %slice = bf16[2]{{0}} dynamic-slice(%sum.1), dynamic_slice_sizes={{2}}
}}

%async_collective_fusion.1 (input.1: bf16[16]) -> bf16[64] {{
  %input.1 = bf16[16]{{0}} parameter(0)
  ROOT %part.1 = bf16[64]{{0}} all-gather(%input.1), channel_id=5, replica_groups={{{{0,1,2,3}}}}
}}

%async_collective_fusion.2 (input.2: bf16[16]) -> bf16[64] {{
  %input.2 = bf16[16]{{0}} parameter(0)
  ROOT %part.2 = bf16[64]{{0}} all-gather(%input.2), channel_id=5, replica_groups={{{{0,1,2,3}}}}
}}

ENTRY %main (a: (s32[])) -> (s32[]) {{
  %a = (s32[]) parameter(0)
  %p.2 = u32[4]{{0}} collective-permute(%a), source_target_pairs={{{{0,3}},{{1,0}}}}
  ROOT %w = (s32[]) while(%a), condition=%condition, body=%body{rest}
}}
"""


@pytest.mark.parametrize(
    ("rest", "turns"), [("", 7), (', backend_config={"known_trip_count":{"n":"28"},"x":"y"}', 28)]
)
def test_a_loop_counts_as_often_as_it_turns(rest, turns):
    text = loop(rest)
    entry, known = computations(text)
    assert trip_count(known[entry][-1], known) == turns
    assert collectives(text) == [
        Collective("collective-permute", 4, 16, (0, 3), 1, ""),
        Collective("all-gather", 32, 64, (0, 1, 2, 3), turns, ""),
        Collective("all-reduce", 4, 16, (0, 1), turns, ""),
        Collective("all-reduce", 4, 8, (0, 1), turns, ""),
        Collective("reduce-scatter", 8, 32, (0, 2, 4, 6), turns, "jit(f)/here"),
        Collective("reduce-scatter", 8, 16, (0, 1, 2, 3), turns, ""),
        Collective("all-gather", 64, 128, (0, 1, 2, 3), turns, ""),
    ]


@pytest.mark.parametrize(
    ("text", "group"),
    [
        ("replica_groups={{0,4},{1,5}}", (0, 4)),
        ("replica_groups=[4,2]<=[8]", (0, 1)),
        ("replica_groups=[4,2]<=[2,4]T(1,0)", (0, 4)),
        ("replica_groups=mesh['axis_0'=4,'axis_1'=2] {'axis_0'}", (0, 2, 4, 6)),
        ("replica_groups=mesh['axis_0'=4,'axis_1'=2], device_ids=([2,4]T(1,0)) {'axis_0'}", (0, 1, 2, 3)),
        ("replica_groups=mesh['axis_0'=8,'axis_1'=1] {'axis_0','axis_1'}", tuple(range(8))),
        ("replica_groups=mesh['a'=8] {'a':(2)2}", (0, 2)),
        ("replica_groups={}", ()),
    ],
)
def test_groups(text, group):
    assert first_group(f"%x), channel_id=1, {text}, use_global_device_ids=true") == group


def test_bytes_on_the_wire():
    one = Collective("all-gather", 4, 800, (0, 1, 2, 3), 1, "")
    assert one.wire_bytes == 600
    assert Collective("all-reduce", 4, 800, (0, 1, 2, 3), 1, "").wire_bytes == 1200
    assert Collective("collective-permute", 4, 800, (0, 1), 1, "").wire_bytes == 800


@pytest.mark.parametrize(
    ("product", "flops"),
    [
        ("f32[6,5]{1,0} dot(%a, %b), lhs_contracting_dims={1}, rhs_contracting_dims={0}", 2 * 6 * 5 * 8),
        ("f32[6,5]{1,0} convolution(%a, %b), dim_labels=bf_io->bf", 2 * 6 * 5 * 8),
        # Three products of 6 x 8 with 8 x 5: TPUs make the batch a window that meets each input once.
        (
            "f32[3,6,5]{2,1,0} convolution(%c, %d), window={size=3 stride=2 lhs_dilate=3}, dim_labels=0bf_0io->0bf",
            2 * 3 * 6 * 5 * 8,
        ),
        # 6 x 8 with 8 x (3 x 5): a window that meets the only input at another place for each output.
        (
            "f32[6,3,5]{2,1,0} convolution(%e, %d), window={size=3 pad=2_2 rhs_reversal=1}, dim_labels=b0f_0io->b0f",
            2 * 6 * 3 * 5 * 8,
        ),
        # 6 x (3 x 8) with (3 x 8) x 5: a window that sums.
        ("f32[1,6,5]{2,1,0} convolution(%c, %d), window={size=3}, dim_labels=0bf_0io->0bf", 2 * 6 * 5 * 3 * 8),
        ('f32[6]{0} custom-call(%a), custom_call_target="k", backend_config={"cost_estimate":{"flops":"77"}}', 77),
    ],
)
def test_flops_of_products(product, flops):
    text = f"""ENTRY %main (a: f32[6,8]) -> f32[] {{
  %a = f32[6,8]{{1,0}} parameter(0)
  %b = f32[8,5]{{1,0}} parameter(1)
  %c = f32[3,6,8]{{2,1,0}} parameter(2)
  %d = f32[3,8,5]{{2,1,0}} parameter(3)
  %e = f32[6,1,8]{{2,1,0}} parameter(4)
  ROOT %x = {product}
}}
"""
    assert matrix_flops(text) == flops


def test_something_else_is_an_error():
    with pytest.raises(ValueError, match="ENTRY"):
        collectives("nothing")
