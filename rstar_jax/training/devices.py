"""What is known of the devices that a run has: peak speed and memory."""

from __future__ import annotations

from typing import Any

import psutil

# Peaks of dense bfloat16 matrix products in FLOP/s, from the makers' data sheets, by JAX's name of the device.
PEAK_FLOPS = {
    "TPU v4": 275e12,
    "TPU v5 lite": 197e12,  # v5e
    "TPU v5e": 197e12,
    "TPU v5": 459e12,  # v5p
    "TPU v5p": 459e12,
    "TPU v6 lite": 918e12,  # v6e
    "TPU v6e": 918e12,
    "NVIDIA A100-SXM4-40GB": 312e12,
    "NVIDIA A100-SXM4-80GB": 312e12,
    "NVIDIA A100-PCIE-40GB": 312e12,
    "NVIDIA A100 80GB PCIe": 312e12,
    "NVIDIA H100 80GB HBM3": 989e12,
    "NVIDIA H100 PCIe": 756e12,
    "NVIDIA H100 NVL": 835e12,
    "NVIDIA H200": 989e12,
}


def peak_flops(device: Any) -> float | None:
    """Peak of a `jax.Device` in bfloat16, FLOP/s; None for a kind that is not in the table, and for CPUs."""
    return PEAK_FLOPS.get(device.device_kind)


def memory_in_use(device: Any) -> dict[str, int]:
    """`device_peak_bytes` where the device tells it, else `process_bytes`, what the process occupies now."""
    found = device.memory_stats() or {}
    if "peak_bytes_in_use" in found:
        return {"device_peak_bytes": found["peak_bytes_in_use"]}
    return {"process_bytes": psutil.Process().memory_info().rss}
