"""Pages about the simulated GPUs; every figure follows from when they were busy."""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping
from typing import Any, Literal

from validator.demo.families import Families
from validator.demo.gpu import (
    BLOCK_MIB,
    BUSY_CELSIUS,
    BUSY_WATTS,
    BYTES_A_BUSY_SECOND,
    GPUS,
    IDLE_CELSIUS,
    IDLE_WATTS,
    TOTAL_MIB,
    WEIGHTS_MIB,
    Machine,
)
from validator.demo.reading import percentile

NAME = "NVIDIA H100 80GB HBM3"
PERCENTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}
_RUN = uuid.uuid4().hex[:6]

Document = dict[str, Any]

FAMILIES: Mapping[str, tuple[str, Literal["counter", "gauge"], str]] = {
    "sm_clock_mhz": ("DCGM_FI_DEV_SM_CLOCK", "gauge", "SM clock frequency (MHz)."),
    "memory_clock_mhz": ("DCGM_FI_DEV_MEM_CLOCK", "gauge", "Memory clock frequency (MHz)."),
    "temperature_c": ("DCGM_FI_DEV_GPU_TEMP", "gauge", "GPU temperature (C)."),
    "memory_temp_c": ("DCGM_FI_DEV_MEMORY_TEMP", "gauge", "Memory temperature (C)."),
    "hotspot_temp_c": ("DCGM_FI_DEV_GPU_MAX_OP_TEMP", "gauge", "GPU hotspot temperature (C)."),
    "power_usage_w": ("DCGM_FI_DEV_POWER_USAGE", "gauge", "Power draw (W)."),
    "total_energy_mj": (
        "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION",
        "counter",
        "Energy since the start (mJ).",
    ),
    "gpu_utilization_pct": ("DCGM_FI_DEV_GPU_UTIL", "gauge", "GPU utilization (%)."),
    "memory_utilization_pct": ("DCGM_FI_DEV_MEM_COPY_UTIL", "gauge", "Memory utilization (%)."),
    "memory_free_mib": ("DCGM_FI_DEV_FB_FREE", "gauge", "Framebuffer memory free (MiB)."),
    "memory_used_mib": ("DCGM_FI_DEV_FB_USED", "gauge", "Framebuffer memory used (MiB)."),
    "memory_total_mib": ("DCGM_FI_DEV_FB_TOTAL", "gauge", "Framebuffer memory total (MiB)."),
    "ecc_sbe_total": ("DCGM_FI_DEV_ECC_SBE_VOL_TOTAL", "counter", "Single-bit ECC errors."),
    "ecc_sbe_l1": ("DCGM_FI_DEV_ECC_SBE_VOL_L1", "counter", "L1 single-bit ECC errors."),
    "ecc_sbe_l2": ("DCGM_FI_DEV_ECC_SBE_VOL_L2", "counter", "L2 single-bit ECC errors."),
    "ecc_dbe_total": ("DCGM_FI_DEV_ECC_DBE_VOL_TOTAL", "counter", "Double-bit ECC errors."),
    "performance_state": ("DCGM_FI_DEV_PSTATE", "gauge", "Performance state (P0-P12)."),
    "sm_active_pct": ("DCGM_FI_PROF_SM_ACTIVE", "gauge", "SM active (%)."),
    "sm_occupancy_pct": ("DCGM_FI_PROF_SM_OCCUPANCY", "gauge", "SM occupancy (%)."),
    "tensor_active_pct": ("DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", "gauge", "Tensor cores active (%)."),
    "dram_active_pct": ("DCGM_FI_PROF_DRAM_ACTIVE", "gauge", "DRAM active (%)."),
    "pcie_tx_bytes": ("DCGM_FI_PROF_PCIE_TX_BYTES", "counter", "PCIe sent (bytes)."),
    "pcie_rx_bytes": ("DCGM_FI_PROF_PCIE_RX_BYTES", "counter", "PCIe received (bytes)."),
    "nvlink_tx_bytes": ("DCGM_FI_PROF_NVLINK_TX_BYTES", "counter", "NVLink sent (bytes)."),
    "nvlink_rx_bytes": ("DCGM_FI_PROF_NVLINK_RX_BYTES", "counter", "NVLink received (bytes)."),
    "fan_speed_pct": ("DCGM_FI_DEV_FAN_SPEED", "gauge", "Fan speed (%)."),
    "throttle_reasons": (
        "DCGM_FI_DEV_CLOCK_THROTTLE_REASONS",
        "gauge",
        "Clock throttle reasons (bits).",
    ),
    "thermal_throttle": ("DCGM_FI_DEV_THERMAL_THROTTLE", "gauge", "Thermal throttle active."),
    "power_throttle": ("DCGM_FI_DEV_POWER_THROTTLE", "gauge", "Power throttle active."),
}


def gpus(machine: Machine, blocks: int, now: float) -> Document:
    """Write the page `/dcgm/metrics/json`.

    Utilization is the busy share of the last second; energy is power over time since the start;
    used memory is the weights and the cached *blocks*.
    """
    return {f"gpu_{index}": _gpu(index, machine, blocks, now) for index in range(GPUS)}


def exposition(document: Document) -> str:
    """Write the page `/dcgm/metrics`, which says the same."""
    page = Families()
    for field, (name, kind, says) in FAMILIES.items():
        page.add(name, kind, says, ((_labels(gpu), gpu[field]) for gpu in document.values()))
    for quantity in ("temp", "power"):
        for key in PERCENTILES:
            name = f"DCGM_FI_HIST_{quantity.upper()}_{key.upper()}"
            says = f"{key} of the last minute."
            samples = ((_labels(gpu), gpu[f"{quantity}_{key}"]) for gpu in document.values())
            page.add(name, "gauge", says, samples)
    return str(page)


def _labels(gpu: Document) -> dict[str, str]:
    number = str(gpu["gpu_id"])
    return {
        "gpu": number,
        "UUID": gpu["uuid"],
        "device": f"nvidia{number}",
        "modelName": gpu["name"],
    }


def _gpu(index: int, machine: Machine, blocks: int, now: float) -> Document:
    share = machine.lately(now)
    up = now - machine.started
    used = min(TOTAL_MIB, WEIGHTS_MIB + BLOCK_MIB * blocks)
    joules = IDLE_WATTS * up + (BUSY_WATTS - IDLE_WATTS) * machine.busy
    celsius = _celsius(share, index)
    moved = int(BYTES_A_BUSY_SECOND * machine.busy)
    percent = round(100 * share, 1)
    shares = sorted(machine.shares(now))
    over = {
        f"{quantity}_{key}": round(of(percentile(shares, at)), 1)
        for quantity, of in (("temp", lambda one: _celsius(one, index)), ("power", _watts))
        for key, at in PERCENTILES.items()
    }
    return {
        "gpu_id": index,
        "uuid": f"GPU-{index:08d}-{_RUN}-simulated",
        "name": NAME,
        "architecture": "hopper",
        "sm_clock_mhz": 1980 if share else 345,
        "memory_clock_mhz": 2619,
        "temperature_c": round(celsius),
        "memory_temp_c": round(celsius) - 4,
        "hotspot_temp_c": round(celsius) + 6,
        "power_usage_w": round(_watts(share), 2),
        "total_energy_mj": int(1000 * joules),
        "gpu_utilization_pct": math.ceil(percent),
        "memory_utilization_pct": math.ceil(percent / 2),
        "memory_free_mib": TOTAL_MIB - used,
        "memory_used_mib": used,
        "memory_total_mib": TOTAL_MIB,
        "ecc_sbe_total": 0,
        "ecc_sbe_l1": 0,
        "ecc_sbe_l2": 0,
        "ecc_dbe_total": 0,
        "performance_state": 0 if share else 8,
        "sm_active_pct": percent,
        "sm_occupancy_pct": round(percent * 0.6, 1),
        "tensor_active_pct": round(percent * 0.8, 1),
        "dram_active_pct": round(percent * 0.5, 1),
        "pcie_tx_bytes": moved,
        "pcie_rx_bytes": moved // 2,
        "nvlink_tx_bytes": moved * 4,
        "nvlink_rx_bytes": moved * 4,
        "fan_speed_pct": 30 + math.ceil(share * 50),
        "throttle_reasons": 0,
        "thermal_throttle": 0,
        "power_throttle": 0,
        **over,
    }


def _watts(share: float) -> float:
    return IDLE_WATTS + (BUSY_WATTS - IDLE_WATTS) * share


def _celsius(share: float, index: int) -> float:
    return IDLE_CELSIUS + index / 2 + (BUSY_CELSIUS - IDLE_CELSIUS) * share
