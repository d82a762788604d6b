"""The titles of the checks of a target, by name; their rules are in ``edgepack/checks/``."""

from __future__ import annotations

CHECK_TITLES = {
    "operators_are_known": "Interpreters support every operator",
    "operators_are_taken": "Target lists every operator",
    "data_types_are_taken": "Target supports every data type",
    "combinations_are_run": "Kernels exist for all data types",
    "combinations_come_out_right": "No kernel is known to err",
    "shapes_are_fixed": "All shapes are known beforehand",
    "nothing_is_left_in_float": "No operator computes in float",
    "gpu_takes_all": "GPU runs the whole graph",
    "interpreters_run": "Every interpreter runs the model",
    "file_makes_sense": "Reference kernels accept the file",
    "micro_is_bit_exact": "TFLM equals the reference kernels",
    "channels_are_represented": "No output channel is lost",
    "flash_fits": "Model fits into the flash",
    "ram_fits": "Model fits into the RAM",
    "xnnpack_takes_all": "XNNPACK runs the whole graph",
    "npu_takes_all": "NPU runs the whole graph",
    "npu_plan_fits": "NPU's plan fits into memory",
    "outputs_are_not_lost": "Outputs are more than noise",
    "drop_is_in_budget": "Loss is within max_drop",
    "class_drop_is_in_budget": "Classes lose within max_class_drop",
    "agreement_is_in_budget": "Agreement reaches min_agreement",
    "sqnr_is_in_budget": "SQNR reaches min_sqnr",
    "flash_is_in_budget": "Flash is within max_flash",
    "arena_is_in_budget": "Arena is within max_arena",
    "latency_is_in_budget": "Latency is within max_latency_ratio",
}
"""Titles of three to six words for every check."""


def check_title(name: str) -> str:
    """Return the title of a check; of an unknown one, such as of a later version, its name."""
    return CHECK_TITLES.get(name, name.replace("_", " "))
