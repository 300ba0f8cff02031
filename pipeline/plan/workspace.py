"""Where every artefact lives: the only file that builds paths."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class RawFolder:
    """The files of one source, as downloaded and never changed afterwards."""

    folder: Path

    @property
    def train(self) -> Path:
        return self.folder / "train.csv"

    @property
    def test(self) -> Path:
        return self.folder / "test.csv"

    @property
    def sample_submission(self) -> Path:
        """Kaggle's example of a submission; not every source has one."""
        return self.folder / "sample_submission.csv"

    @property
    def answer_key(self) -> Path:
        """Labels of test.csv, for sources that know them; read only to score at the end."""
        return self.folder / "answer_key.csv"

    @property
    def manifest(self) -> Path:
        """Source, checksums, row counts and time; written last."""
        return self.folder / "manifest.json"

    @property
    def contents(self) -> tuple[Path, ...]:
        """All that the stage download puts there, the manifest last."""
        return (self.train, self.test, self.sample_submission, self.answer_key, self.manifest)


@dataclass(frozen=True)
class ProcessedFolder:
    """The same digits as arrays that training memory-maps."""

    folder: Path

    @property
    def train_images(self) -> Path:
        """(N, 28, 28) uint8."""
        return self.folder / "train_images.npy"

    @property
    def train_labels(self) -> Path:
        """(N,) uint8."""
        return self.folder / "train_labels.npy"

    @property
    def test_images(self) -> Path:
        """(M, 28, 28) uint8."""
        return self.folder / "test_images.npy"

    @property
    def folds(self) -> Path:
        """Folder of saved splits, one file each."""
        return self.folder / "folds"

    @property
    def manifest(self) -> Path:
        return self.folder / "manifest.json"

    @property
    def contents(self) -> tuple[Path, ...]:
        """All that there is, the manifest last."""
        arrays = (self.train_images, self.train_labels, self.test_images)
        return (*arrays, self.folds, self.manifest)


@dataclass(frozen=True)
class RunFolder:
    """Everything that one training run left behind; predicting needs nothing else."""

    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def request(self) -> Path:
        """What the user asked for: source, recipe, seed, overrides."""
        return self.folder / "request.json"

    @property
    def recipe(self) -> Path:
        """The recipe as resolved: overrides and seed included."""
        return self.folder / "recipe.json"

    @property
    def history(self) -> Path:
        return self.folder / "history.csv"

    @property
    def checkpoint(self) -> Path:
        """State in mid-training; removed when the run is finished."""
        return self.folder / "checkpoint.npz"

    @property
    def model(self) -> Path:
        """The finished network: configuration and weights."""
        return self.folder / "model.npz"

    @property
    def refit_checkpoint(self) -> Path:
        """State in mid-training of the second network, on all rows."""
        return self.folder / "refit_checkpoint.npz"

    @property
    def refit(self) -> Path:
        """The second network, where the recipe asks for one; it predicts, ``model`` validates."""
        return self.folder / "refit.npz"

    @property
    def models(self) -> dict[str, Path]:
        """Both networks by the names that records give them."""
        return {"model": self.model, "refit": self.refit}

    @property
    def training(self) -> Path:
        """The run's record: inputs, result, machine, versions; written last by the stage train."""
        return self.folder / "training.json"

    @property
    def hold_out(self) -> Path:
        """Rows, labels and probabilities of the held-out digits."""
        return self.folder / "hold_out.npz"

    @property
    def validation(self) -> Path:
        """The metrics on the held-out digits; written last by the stage validate."""
        return self.folder / "validation.json"

    @property
    def test_probabilities(self) -> Path:
        return self.folder / "test_probabilities.npy"

    @property
    def test_record(self) -> Path:
        """From which models and digits the test probabilities were predicted."""
        return self.folder / "test_probabilities.json"

    @property
    def score(self) -> Path:
        """Accuracy on test digits whose labels the source knows."""
        return self.folder / "score.json"

    @property
    def summary(self) -> Path:
        return self.folder / "summary.txt"

    @property
    def reproduction(self) -> Path:
        """Whether the run, trained again, ended with the same bits."""
        return self.folder / "reproduction.json"

    @property
    def artefacts(self) -> tuple[Path, ...]:
        """What a tracking service is given of a run, as far as it is there."""
        outcome = (self.training, self.validation, self.report)
        return (self.request, self.recipe, self.history, self.model, self.refit, *outcome)

    @property
    def tracking(self) -> Path:
        """Under which number each tracking service knows the run, and what it has been told."""
        return self.folder / "tracking.json"

    @property
    def train_probabilities(self) -> Path:
        """What the run says of all labelled digits, those it learnt from included."""
        return self.folder / "train_probabilities.npy"

    @property
    def train_record(self) -> Path:
        """From which model and digits the probabilities of all labelled digits were predicted."""
        return self.folder / "train_probabilities.json"

    @property
    def report(self) -> Path:
        """The page about the run."""
        return self.folder / "report.html"


@dataclass(frozen=True)
class TuningFolder:
    """A search for better settings, and what came of it."""

    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def study(self) -> Path:
        """All trials, as an SQLite file, where no other database is given."""
        return self.folder / "study.sqlite3"

    @property
    def recipe(self) -> Path:
        """The recipe with the best values that were found."""
        return self.folder / "tuned.toml"

    @property
    def page(self) -> Path:
        return self.folder / "tuning.html"

    @property
    def record(self) -> Path:
        """What was searched, and all finished trials; written last."""
        return self.folder / "tuning.json"


@dataclass(frozen=True)
class NotebookFolder:
    """A notebook for Kaggle, as its client takes it."""

    folder: Path

    @property
    def notebook(self) -> Path:
        return self.folder / "digit-recognizer-numpy.ipynb"

    @property
    def metadata(self) -> Path:
        """What Kaggle is to know of it; the name is the client's own."""
        return self.folder / "kernel-metadata.json"

    @property
    def push(self) -> Path:
        """When it was pushed last, to which address, and as which version."""
        return self.folder / "push.json"


@dataclass(frozen=True)
class Workspace:
    """The two folders that hold artefacts, and the layout inside them."""

    data: Path
    submissions: Path

    def raw(self, source: str) -> RawFolder:
        return RawFolder(self.data / "raw" / source)

    def processed(self, source: str) -> ProcessedFolder:
        return ProcessedFolder(self.data / "processed" / source)

    def run(self, name: str) -> RunFolder:
        return RunFolder(self.data / "runs" / name)

    def comparison(self, name: str) -> Path:
        """The page that shows several runs side by side."""
        return self.data / "comparisons" / f"{name}.html"

    def decision(self, name: str) -> Path:
        """What came of comparing recipes before one of them is chosen."""
        return self.data / "decisions" / f"{name}.json"

    def all_decisions(self) -> list[Path]:
        """Every record of such a comparison, by name."""
        return sorted(self.data.glob("decisions/*.json"))

    def all_raw(self) -> list[RawFolder]:
        """Every source that has been downloaded, by name."""
        return [RawFolder(path.parent) for path in sorted(self.data.glob("raw/*/manifest.json"))]

    def all_runs(self) -> list[RunFolder]:
        """Every finished run, by name."""
        return [RunFolder(path.parent) for path in sorted(self.data.glob("runs/*/training.json"))]

    def scratch(self, run: str) -> "Workspace":
        """A place to train a run again: with its own run folders, on the digits of this one."""
        return self.apart(self.data / "reproductions" / run)

    def apart(self, folder: Path) -> "Workspace":
        """Another place for runs, on the digits of this one."""
        return _Apart(folder, folder, self)

    def tuning(self, study: str) -> TuningFolder:
        return TuningFolder(self.data / "tuning" / study)

    def notebook(self, name: str) -> NotebookFolder:
        return NotebookFolder(self.data / "notebook" / name)

    def submission(self, run: str) -> Path:
        return self.submissions / f"{run}.csv"

    def submission_record(self, run: str) -> Path:
        """From which run, data and commit the CSV beside it was predicted."""
        return self.submissions / f"{run}.json"

    def all_submission_records(self) -> list[Path]:
        """The record of every CSV, by name."""
        return sorted(self.submissions.glob("*.json"))

    @property
    def ledger(self) -> Path:
        """One line for each submission that was sent."""
        return self.submissions / "ledger.jsonl"


@dataclass(frozen=True)
class _Apart(Workspace):
    digits: Workspace

    def raw(self, source: str) -> RawFolder:
        return self.digits.raw(source)

    def processed(self, source: str) -> ProcessedFolder:
        return self.digits.processed(source)
