"""The cross-validation of the calibration."""

from __future__ import annotations

from edgepack.metrics import Unit, listed_metric
from edgepack.report.data.comparison import Fold, FoldsReport
from edgepack.report.document.block_shortcuts import table
from edgepack.report.document.blocks import Section, Text
from edgepack.report.format.amounts import UNITS, number
from edgepack.report.format.text_table import NONE


def folds(report: FoldsReport | None) -> Section | None:
    """Tell mean and spread over the folds, then each fold."""
    if report is None:
        return None
    kind = "each fold has its share of each class" if report.is_stratified else "folds by chance"
    return Section(
        id="folds",
        title="Cross-validation of the calibration",
        lead=f"Calibrated on some folds, tested on the rest ({kind}): {report.settings}.",
        blocks=(
            Text(text=folds_sentence(report)),
            table(
                f"{report.metric} by fold",
                ["fold", "samples", "float", "quantized", "lost"],
                [_row(place, fold) for place, fold in enumerate(report.folds, start=1)],
            ),
        ),
    )


def folds_sentence(report: FoldsReport) -> str:
    """Tell mean and spread in a sentence."""
    told = (
        f"Over {len(report.folds)} folds {report.metric} is {number(report.mean)} on average"
        f" (standard deviation {number(report.deviation)})"
    )
    if report.mean_loss is None or report.loss_deviation is None:
        return f"{told}."
    metric = listed_metric(report.metric)
    unit = UNITS[metric.unit if metric else Unit.PLAIN]
    word = "gained" if report.mean_loss < 0 else "lost"
    return (
        f"{told}; against float {abs(report.mean_loss):.2f}{unit} are {word} (standard deviation"
        f" {report.loss_deviation:.2f})."
    )


def _row(place: int, fold: Fold) -> list[str]:
    lost = NONE if fold.loss is None else f"{fold.loss:.2f}"
    return [
        str(place),
        f"{fold.samples:,}",
        number(fold.float_value),
        number(fold.value),
        lost,
    ]
