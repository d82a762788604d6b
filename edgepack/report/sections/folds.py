"""The section of the cross-validation of the calibration."""

from __future__ import annotations

from edgepack.metrics import Unit, find_built_in_metric
from edgepack.report.data.compare import Fold, FoldsReport
from edgepack.report.document.block_shortcuts import table_block
from edgepack.report.document.blocks import Section, Text
from edgepack.report.format.amounts import UNITS, format_four_decimals
from edgepack.report.format.text_table import NONE


def folds_section(report: FoldsReport | None) -> Section | None:
    """Return mean and standard deviation over the folds, then each fold."""
    if report is None:
        return None
    kind = "stratified by class" if report.is_stratified else "random folds"
    return Section(
        id="folds",
        title="Cross-validation of the calibration",
        lead=f"Calibrated on all folds but one, tested on that one ({kind}): {report.settings}.",
        blocks=(
            Text(text=folds_sentence(report)),
            table_block(
                f"{report.metric} by fold",
                ["fold", "samples", "float", "quantized", "lost"],
                [_row(place, fold) for place, fold in enumerate(report.folds, start=1)],
            ),
        ),
    )


def folds_sentence(report: FoldsReport) -> str:
    """Return mean and standard deviation over the folds in a sentence."""
    mean, deviation = format_four_decimals(report.mean), format_four_decimals(report.deviation)
    sentence = (
        f"Over {len(report.folds)} folds, {report.metric} is {mean} on average (standard deviation"
        f" {deviation})"
    )
    if report.mean_loss is None or report.loss_deviation is None:
        return f"{sentence}."
    metric = find_built_in_metric(report.metric)
    unit = UNITS[metric.unit if metric else Unit.PLAIN]
    word = "gained" if report.mean_loss < 0 else "lost"
    return (
        f"{sentence}; {abs(report.mean_loss):.2f}{unit} are {word} against float (standard"
        f" deviation {report.loss_deviation:.2f})."
    )


def _row(place: int, fold: Fold) -> list[str]:
    lost = NONE if fold.loss is None else f"{fold.loss:.2f}"
    return [
        str(place),
        f"{fold.samples:,}",
        format_four_decimals(fold.float_value),
        format_four_decimals(fold.value),
        lost,
    ]
