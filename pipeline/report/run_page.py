"""The page of one run: its sections in order."""

from pipeline.report.evidence import RunEvidence
from pipeline.report.overview import draw_curves, summarize
from pipeline.report.page import render

CONTENTS = (("summary", "Summary"), ("curves", "How it learnt"))


def run_page(evidence: RunEvidence) -> str:
    """Return the page as one HTML text; the same evidence gives the same text."""
    return render(
        "run.html.jinja",
        name=evidence.name,
        contents=CONTENTS,
        summary=summarize(evidence),
        curves=draw_curves(evidence),
    )
