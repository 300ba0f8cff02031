"""The links between a score and what it was made of, each held against what is there today."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import nn
from pipeline.analysis.reproduction import array_files
from pipeline.plan.commands import command
from pipeline.plan.plan import Plan
from pipeline.plan.workspace import RunFolder, Workspace
from pipeline.runs.ledger import LedgerLine
from pipeline.runs.listing import score_of, short_commit
from pipeline.runs.records import ReproductionRecord
from pipeline.runs.run import is_ensemble, models_of, predicted_by, read_training
from pipeline.system import files, provenance, records
from pipeline.system.errors import PipelineError
from pipeline.training.network_run import identifying, resolve_recipe


@dataclass(frozen=True)
class Link:
    """One step of the way.

    holds: True if today's file is the one on record, False if it is not (``text`` says what is
    wrong), None if nothing was recorded or nothing is there to be compared.
    """

    name: str
    text: str
    holds: bool | None


def score_link(
    workspace: Workspace,
    folder: RunFolder,
    training: Mapping[str, Any] | None,
    line: LedgerLine | None,
    ledger: Sequence[LedgerLine],
) -> Link:
    """The score at Kaggle, or by the source's own answer key."""
    if line is not None:
        where = f"submission {line.ref}, sent {line.sent_at[:10]}"
        if line.status == "COMPLETE" and line.public_score is not None:
            return Link("score", f"{line.public_score:.5f} at Kaggle, {where}", True)
        if line.is_unknown:
            asked = f"{line.asked:%Y-%m-%d %H:%M} UTC"
            text = f"none: whether the submission of {asked} has arrived is not known"
            return Link("score", f"{text}; make submit RUN={line.run} looks", None)
        if not line.reached_kaggle:
            why = line.error or "no reason is on record"
            return Link("score", f"none: the submission was not made ({why})", False)
        holds = False if line.status == "ERROR" else None
        return Link("score", f"none: {where}, is {line.status}", holds)
    score = score_of(workspace, folder, dict(training), ledger) if training else None
    if score is None:
        return Link("score", "this CSV was not submitted", None)
    return Link("score", f"{score.value:.5f} by the source's own {score.origin}", True)


def csv_link(csv: Path, record: Mapping[str, Any], line: LedgerLine | None) -> Link:
    """The CSV against the checksum in the ledger, or else in its own record."""
    expected = line.csv_sha256 if line else record.get("csv_sha256")
    if not csv.exists():
        return Link("CSV", f"{csv} is not there", False if expected else None)
    found = files.sha256(csv)
    if expected is None:
        return Link("CSV", f"{csv} has no record", None)
    if found != expected:
        kept_by = "the ledger" if line else "its record"
        text = f"{csv} is another file: its checksum is {found[:12]}, in {kept_by} {expected[:12]}"
        return Link("CSV", text, False)
    return Link("CSV", f"{csv}, checksum {found[:12]}", True)


def run_link(
    folder: RunFolder,
    training: Mapping[str, Any],
    record: Mapping[str, Any],
    line: LedgerLine | None,
) -> Link:
    """Whether the run's models are those that predicted the CSV."""
    when = f"{folder.folder}, trained {training['finished_at'][:10]}"
    sent_by = line.model_sha256 if line else None
    known = training["model_sha256"] if sent_by is None else sent_by
    if (record and not predicted_by(dict(record), dict(training))) or (
        known != training["model_sha256"]
    ):
        return Link("run", f"{when}: again since the CSV was predicted", False)
    return Link("run", when, True)


def model_links(workspace: Workspace, folder: RunFolder, training: dict[str, Any]) -> list[Link]:
    """Each model of a network, or each member of an ensemble, against its checksum."""
    if not is_ensemble(training):
        return [
            _file_link(name, folder.models[name], checksum)
            for name, checksum in models_of(training).items()
        ]
    return [
        _member_link(workspace.run(member["run"]), member["models"])
        for member in training["members"]
    ]


def recipe_link(plan: Plan, training: Mapping[str, Any]) -> Link:
    """Whether the recipe's file makes the same experiment today."""
    if plan.blend:
        return Link("recipe", f"a blend of {', '.join(plan.blend)}", True)
    recorded = training.get("recipe_file") or {}
    parts = [
        training["recipe_name"],
        *([f"with {' '.join(plan.overrides)}"] if plan.overrides else []),
        f"seed {training['seed']}" if training["seed"] is not None else "each with its own seed",
    ]
    text = ", ".join(parts)
    kept = plan.workspace.run(plan.run).recipe
    if recorded.get("in_git") is False:
        text += f" (its file is not in git; {kept} keeps it)"
    if is_ensemble(dict(training)):
        if "sha256" not in recorded or not plan.recipe.path.exists():
            return Link("recipe", text, None)
        same = recorded["sha256"] == plan.recipe.sha256
    else:
        try:
            same = identifying(resolve_recipe(plan)) == training["inputs"]["recipe"]
        except PipelineError:
            return Link("recipe", f"{text}: {plan.recipe} can't be read; see {kept}", False)
    if not same:
        text += f": {plan.recipe} says something else today; {kept} keeps what was trained"
    return Link("recipe", text, same)


def data_links(plan: Plan, training: Mapping[str, Any], record: Mapping[str, Any]) -> list[Link]:
    """The CSV files, the arrays made of them, and the split, against their checksums."""
    workspace = plan.workspace
    raw, processed = workspace.raw(plan.source.name), workspace.processed(plan.source.name)
    csvs = {
        path: training["data"]["files"][path.name]["sha256"]
        for path in (raw.train, raw.test)
        if path.name in training["data"]["files"]
    }
    arrays = dict(training["inputs"]["data"])
    if "test_images" in record.get("inputs", {}):
        arrays["test_images"] = record["inputs"]["test_images"]
    links = [
        _files_link("raw digits", csvs),
        _files_link(
            "arrays",
            {path: arrays[name] for name, path in array_files(processed, arrays).items()},
        ),
    ]
    if checksum := training["split"].get("sha256"):
        links.append(_file_link("split", processed.folds / training["split"]["file"], checksum))
    return links


def making_links(training: Mapping[str, Any]) -> list[Link]:
    """Commit, arithmetic, versions and machine, against those at hand."""
    then, now = training["environment"], provenance.environment()
    links = [_commit_link(then, now)]
    arithmetic = training["inputs"].get("arithmetic")
    if arithmetic is not None:
        same = arithmetic == nn.ARITHMETIC
        text = "the network computes as it did" if same else "the network computes other bits now"
        links.append(Link("arithmetic", text, same))
    differs = provenance.differences(then, now)
    machine = {name: differs.pop(name) for name in provenance.MACHINE if name in differs}
    same = f"Python {then.get('python')}, NumPy {then.get('numpy')}, the others as they were"
    links.append(_comparison("versions", differs, same))
    same = f"{then.get('cpu') or then.get('platform')}, {then.get('cores')} cores"
    links.append(_comparison("machine", machine, same))
    return links


def reproduction_link(workspace: Workspace, folder: RunFolder, training: dict[str, Any]) -> Link:
    """What came of training this very model again."""
    path = folder.reproduction
    record = files.read_json(path) if path.exists() else {}
    if record.get("inputs") != models_of(training):
        how = command("reproduce", workspace, RUN=folder.name)
        return Link("made again", f"not yet: {how}", None)
    records.check(path, record, ReproductionRecord)
    when = record["finished_at"][:10]
    if record["agrees"]:
        return Link("made again", f"on {when}, with the same bits", True)
    hold_out = record["hold_out"]
    return Link(
        "made again",
        f"on {when}, with other bits: {hold_out['predictions']:,} of {hold_out['rows']:,} held-out "
        f"digits were read otherwise; see {folder.reproduction}",
        False,
    )


def _commit_link(then: Mapping[str, Any], now: Mapping[str, Any]) -> Link:
    commit = then.get("commit")
    if commit is None:
        reason = then.get("no_commit") or "the code was in no clone, or git did not tell"
        return Link("commit", f"none is on record: {reason}", None)
    if then.get("dirty"):
        return Link("commit", f"{short_commit(dict(then))}: files differed from it", False)
    if (reason := provenance.why_no_clone()) is not None:
        return Link("commit", f"{commit[:7]}; whether it is here is not known: {reason}", None)
    if not provenance.has_commit(commit):
        return Link("commit", f"{commit[:7]} is not in this clone", False)
    head = "HEAD is there" if now["commit"] == commit else f"HEAD is at {now['commit'][:7]}"
    changed = ", and files are changed" if now["dirty"] else ""
    return Link("commit", f"{commit[:7]} is in this clone; {head}{changed}", True)


def _member_link(folder: RunFolder, models: Mapping[str, str]) -> Link:
    training = read_training(folder) if folder.training.exists() else None
    if training is None:
        return Link("member", f"{folder.name} is gone", False)
    if models_of(training) != models:
        return Link("member", f"{folder.name} was trained again since", False)
    if not is_ensemble(training):
        for name, checksum in models.items():
            link = _file_link(name, folder.models[name], checksum)
            if not link.holds:
                return Link("member", link.text, False)
    return Link("member", f"{folder.name}, checksum {models['model'][:12]}", True)


def _file_link(name: str, path: Path, checksum: str) -> Link:
    if not path.exists():
        return Link(name, f"{path} is gone", False)
    found = files.sha256(path)
    if found != checksum:
        text = f"{path} was changed: its checksum is {found[:12]}, on record {checksum[:12]}"
        return Link(name, text, False)
    return Link(name, f"{path.name}, checksum {found[:12]}", True)


def _files_link(name: str, checksums: Mapping[Path, str]) -> Link:
    """Several files as one link: what is wrong with any of them, or all in one line."""
    links = [_file_link(name, path, checksum) for path, checksum in checksums.items()]
    wrong = [link.text for link in links if not link.holds]
    return Link(name, "; ".join(wrong or [link.text for link in links]), not wrong)


def _comparison(name: str, differs: Mapping[str, tuple[Any, Any]], same: str) -> Link:
    if not differs:
        return Link(name, same, True)
    texts = [
        f"{key} {provenance.as_text(then)} then, {provenance.as_text(now)} now"
        for key, (then, now) in differs.items()
    ]
    return Link(name, "; ".join(texts), False)
