"""The records of what goes to Kaggle: beside a CSV of predictions, and beside a notebook."""

from pipeline.system.record_values import Environment, Models, Record, Share, Whole


class SubmissionInputs(Models):
    """What the CSV was predicted with, and from."""

    test_images: str | None = None


class Submission(Record):
    """The record beside a CSV, as far as most want to know."""

    inputs: SubmissionInputs
    csv_sha256: str


class TestCSV(Record):
    """The file of the digits that were predicted."""

    rows: Whole


class HeldOut(Record):
    """What the stage validate measured."""

    accuracy: Share
    low: Share
    high: Share
    rows: Whole


class Sent(Submission, Environment):
    """The record beside a CSV that is to be sent."""

    run: str
    rows: Whole
    kind: str
    source: str
    test_csv: TestCSV
    hold_out: HeldOut
    recipe: str | None = None
    seed: Whole | None = None


class Push(Record):
    """push.json: what was saved at Kaggle."""

    notebook_sha256: str
    url: str
    version: Whole
    pushed_at: str
