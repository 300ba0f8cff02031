"""The page of one run: its sections in order."""

from pipeline.pages.confidence import calibration_of, predictions_of
from pipeline.pages.evidence import RunEvidence
from pipeline.pages.mistakes import classes_of, frequent_errors, heats_of, suspects, worst_errors
from pipeline.pages.overview import draw_curves, facts_of, headline_of
from pipeline.pages.page import percent, render
from pipeline.runs.doubts import doubt_of

CONTENTS = (
    ("summary", "Summary"),
    ("curves", "Learning curves"),
    ("confusion", "Confusions"),
    ("classes", "Each digit"),
    ("calibration", "Calibration"),
    ("errors", "Worst errors"),
    ("suspects", "Suspect labels"),
    ("augmentation", "Augmentation"),
    ("filters", "First layer"),
    ("test", "Test predictions"),
    ("making", "How it was made"),
)


def run_page(evidence: RunEvidence) -> str:
    """Return the page as one HTML text; the same evidence gives the same text."""
    classes, start = classes_of(evidence.metrics)
    return render(
        "run.html.jinja",
        name=evidence.name,
        accuracy=f"{percent(evidence.metrics.accuracy.value)} of held-out digits right",
        description=evidence.description,
        notice=evidence.notice,
        doubt=doubt_of(evidence.metrics, evidence.training),
        contents=CONTENTS,
        headings=dict(CONTENTS),
        is_ensemble=evidence.is_ensemble,
        headline=headline_of(evidence),
        facts=facts_of(evidence),
        curves=draw_curves(evidence.histories),
        metrics=evidence.metrics,
        frequent_errors=frequent_errors(evidence.metrics),
        heats=heats_of(evidence.metrics),
        classes=classes,
        start=start,
        calibration=calibration_of(evidence),
        errors=worst_errors(evidence),
        suspects=suspects(evidence),
        network=evidence.network,
        test=predictions_of(evidence),
        training=evidence.training,
        command=evidence.command,
        recipes=evidence.recipes,
    )
