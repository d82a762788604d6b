"""The trained models that scripts measure: the quickstart's digits, and MLPerf Tiny's."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
KWS_SCALE, KWS_ZERO_POINT = np.float32(0.5847029089927673), 83
IC_CALIBRATION = 200


@dataclass(frozen=True)
class Case:
    """A model and its data."""

    name: str
    model: Path
    representative: Path
    test: Path
    metric: str


def cases(folder: Path, data: Path | None) -> list[Case]:
    """Prepare the models' data as real values."""
    digits = folder / "digits"
    digits.mkdir()
    command = [sys.executable, ROOT / "scripts" / "digits.py", digits]
    subprocess.run(command, check=True, capture_output=True)
    found = [
        Case(
            "digits",
            digits / "digits.h5",
            digits / "calibration.npz",
            digits / "test.npz",
            "accuracy",
        )
    ]
    if data is None:
        return found
    for name in ("calibration", "test"):
        arrays = np.load(data / "kws" / f"{name}_int8.npz")
        real = (arrays["x"].astype(np.float32) - KWS_ZERO_POINT) * KWS_SCALE
        np.savez(folder / f"kws-{name}.npz", x=real, y=arrays["y"])
    images = np.load(data / "ic" / "train.npz")["x"][:IC_CALIBRATION].astype(np.float32)
    np.savez(folder / "ic-calibration.npz", x=images)
    test = np.load(data / "ic" / "test.npz")
    np.savez(folder / "ic-test.npz", x=test["x"].astype(np.float32), y=test["y"])
    kws, ic, ad = (data / name for name in ("kws", "ic", "ad"))
    windows = ad / "windows.npz"
    return [
        *found,
        Case(
            "kws",
            kws / "kws_ref_model",
            folder / "kws-calibration.npz",
            folder / "kws-test.npz",
            "accuracy",
        ),
        Case(
            "ic",
            ic / "pretrainedResnet.h5",
            folder / "ic-calibration.npz",
            folder / "ic-test.npz",
            "accuracy",
        ),
        Case("ad", ad / "ad01.h5", windows, windows, "reconstruction-mse"),
    ]
