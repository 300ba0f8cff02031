"""What a message tells people to type exists, is about what they asked for, and mends it."""

import ast
import re
import shlex
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import pipeline
from pipeline import cli
from pipeline.plan.commands import complete
from pipeline.plan.workspace import Workspace
from pipeline.recipes.file import RECIPE_FOLDER
from pipeline.system.files import read_json
from tests.csv_files import competition_folder
from tests.practice_case import REPOSITORY, copy_quickly

MAKEFILE = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z]+):.*##", MAKEFILE, re.MULTILINE))
VARIABLES = set(re.findall(r"^([A-Z]+) \?=", MAKEFILE, re.MULTILINE))
INSTALLS = {"VENV", "TRACK", "EXECUTOR", "DASK"}  # what `make install` takes
TYPED = re.compile(r"""\bmake [a-z]+(?: [A-Z]+=(?:'[^']*'|"[^"]*"|[^\s'"()])*)*""")
IN_TEXT = re.compile(r"""\bmake ([a-z]+)((?: [A-Z]+=(?:"[^"]*"|[\w.]*))*)(.?)""")
ENGLISH = {"it", "installs"}  # what else is said of making


# ---- every text in the code ----------------------------------------------------------------------
def texts(path: Path) -> Iterator[str]:
    """All texts in a module but its docstrings; what an f-string computes is a Q."""
    tree = ast.parse(path.read_bytes())
    docstrings = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr)}
    parts = {id(part) for n in ast.walk(tree) if isinstance(n, ast.JoinedStr) for part in n.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(p.value) if isinstance(p, ast.Constant) else "Q" for p in node.values)
        elif isinstance(node, ast.Constant) and id(node) not in parts | docstrings:
            yield str(node.value)


def taken_by(target: str) -> set[str]:
    """The variables that mean something to a target."""
    if target == "install":
        return INSTALLS
    found = [parameter.envvar for parameter in cli.main.commands[target].params]
    return {name.removeprefix("DIGITS_") for name in found if isinstance(name, str)}


def test_every_command_in_a_message_exists_and_ends_where_it_can_be_pasted() -> None:
    found = set()
    for path in sorted(Path(pipeline.__file__).parent.rglob("*.py")):
        if path.parts[-2:] == ("nn", "plain.py"):  # the page of a textbook stands alone
            continue
        for text in texts(path):
            for match in re.finditer(
                r"\bmake ([a-z]+)((?: [A-Z]+=(?:\"[^\"]*\"|[\w.]*))*)(.?)", text
            ):
                target, given, after = match.groups()
                if target in ENGLISH:
                    continue
                assert target in TARGETS, f"{path}: {text}"
                assert after in ("", " ", ")", "\n"), f"{path}: {text}"
                names = set(re.findall(r" ([A-Z]+)=", given))
                assert names <= taken_by(target) & VARIABLES, f"{path}: {text}"
                found.add(target)
    assert found >= {"download", "preprocess", "train", "validate", "submission", "runs", "install"}


def test_every_command_that_is_composed_exists() -> None:
    found = set()
    for path in sorted(Path(pipeline.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("command", "make_command"):
                for word in node.args:
                    if isinstance(word, ast.Constant):
                        target = str(word.value)
                        names = {keyword.arg for keyword in node.keywords if keyword.arg}
                        assert target in TARGETS, f"{path}: {ast.unparse(node)}"
                        assert names <= taken_by(target), f"{path}: {ast.unparse(node)}"
                        found.add(target)
    assert found >= {"all", "blend", "reproduce", "runs", "submit", "submission"}


# ---- what is added to them -----------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "completed"),
    [
        ("Run: make train", "Run: make train SOURCE=s RECIPE=r RUN='a b' DATA=d"),
        ("make train FORCE=1 (or", "make train FORCE=1 SOURCE=s RECIPE=r RUN='a b' DATA=d (or"),
        ("make train RUN=x FORCE=1", "make train RUN=x FORCE=1 DATA=d"),
        ("See: make runs", "See: make runs DATA=d"),
        ("make all SOURCE=kaggle", "make all SOURCE=kaggle RECIPE=r DATA=d"),
        ("make all RECIPE=x SOURCE=y", "make all RECIPE=x SOURCE=y DATA=d"),
        ('make blend RUNS="x y"; make runs', 'make blend RUNS="x y" DATA=d; make runs DATA=d'),
        ("make train DATA='my data'", "make train DATA='my data' SOURCE=s RECIPE=r RUN='a b'"),
        ("make install, then make it", "make install, then make it"),
    ],
)
def test_what_was_given_is_added_unless_the_text_is_about_something_else(
    text: str, completed: str
) -> None:
    given = {"SOURCE": "s", "RECIPE": "r", "RUN": "a b", "DATA": "d"}

    def takes(target: str) -> Mapping[str, object]:
        known = {"runs": {"DATA"}, "install": set(), "it": set(), "blend": {"RUN", "DATA"}}
        return {name: given[name] for name in given if name in known.get(target, given)}

    assert complete(text, takes) == completed


# ---- what they come to ---------------------------------------------------------------------------
class Person:
    """Types commands of make, in this process, and what they are told to type."""

    def __init__(self, files: Path) -> None:
        self.given = {
            "SOURCE": str(files / "my digits (1)"),
            "RECIPE": str(files / "my recipe.toml"),
            "SEED": "3",
            "SET": "training.epochs=2 description=it's",
            "DATA": "my data",
            "SUBMISSIONS": "to $end",
        }
        self.workspace = Workspace(Path(self.given["DATA"]), Path(self.given["SUBMISSIONS"]))
        self.typed: list[str] = []

    def make(self, target: str, **variables: str) -> Result:
        """The program as make starts it: with all variables in its environment."""
        environment = {f"DIGITS_{name}": variables.get(name, "") for name in VARIABLES - {"VENV"}}
        environment |= {
            name: environment[name] or default
            for name, default in (("DIGITS_DATA", "data"), ("DIGITS_SUBMISSIONS", "submissions"))
        }
        result = CliRunner().invoke(cli.main, [target], env=environment)
        assert isinstance(result.exception, SystemExit | None), result.output
        assert not Path("data").exists(), "a command forgot DATA"
        assert not Path("submissions").exists(), "a command forgot SUBMISSIONS"
        return result

    def told(self, result: Result) -> tuple[str, dict[str, str]]:
        """The command at the end of what was said, as a shell takes it apart."""
        text = TYPED.findall(result.output)[-1]
        self.typed.append(text)
        _, target, *words = shlex.split(text)
        return target, dict(word.split("=", 1) for word in words)

    def gets_through(self, target: str, steps: int = 12, /, **variables: str) -> Result:
        """Type a command, and as long as it fails what it says, until it succeeds."""
        result = self.make(target, **variables)
        while result.exit_code:
            assert steps > 0, f"going round in circles: {self.typed}"
            advised, given = self.told(result)
            assert (advised, given) != (target, variables), result.output
            self.gets_through(advised, steps - 1, **given)
            result = self.make(target, **variables)
            steps -= 1
        return result


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a source and a recipe of the user's own, and all that was made of them."""
    folder = tmp_path_factory.mktemp("remedies")
    competition_folder(folder / "my digits (1)", train_rows=60)
    competition_folder(folder / "other", train_rows=70)
    shutil.copy(RECIPE_FOLDER / "smoke.toml", folder / "my recipe.toml")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        person = Person(folder)
        for more in ({}, {"FOLDS": "2"}):
            result = person.make("all", **person.given, **more)
            assert result.exit_code == 0, result.output
    return folder


@pytest.fixture
def person(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Person:
    for folder in ("my data", "to $end"):
        shutil.copytree(finished / folder, tmp_path / folder, copy_function=copy_quickly)
    monkeypatch.chdir(tmp_path)
    return Person(finished)


@pytest.fixture
def runs(person: Person) -> dict[str, str]:
    """The names of the run, of its folds together, and of its first fold."""
    names = {folder.name for folder in person.workspace.all_runs()}
    [folds] = [name for name in names if name.endswith("-folds2")]
    [fold] = [name for name in names if name.endswith("-fold0of2")]
    [run] = [name for name in names if name.endswith("epochs") or "fold" not in name]
    return {"run": run, "folds": folds, "fold": fold}


def damage(path: Path) -> None:
    content = path.read_bytes()
    path.unlink()  # it may be linked to that of other tests
    path.write_bytes(content[: len(content) // 2])


@pytest.mark.parametrize("target", ["summary", "errors"])
@pytest.mark.parametrize("more", [{}, {"RUN": "mine"}, {"FOLDS": "2"}])
def test_from_nothing_each_stage_leads_to_what_it_needs(
    person: Person, target: str, more: dict[str, str]
) -> None:
    shutil.rmtree("my data")
    shutil.rmtree("to $end")
    person.gets_through(target, **person.given, **more)
    assert len(person.typed) >= 1
    assert {path.name for path in Path("my data/raw").iterdir() if path.is_dir()} == {
        path.name for path in Path("my data/processed").iterdir() if path.is_dir()
    }


ARRAYS = "processed/*/train_images.npy"
DAMAGED = [
    ("raw/*/train.csv", "preprocess", {"FORCE": "1"}),
    (ARRAYS, "train", {"FORCE": "1"}),
    (ARRAYS, "validate", {"FORCE": "1"}),
    (ARRAYS, "look", {"INDEX": "7"}),
    ("processed/*/test_images.npy", "submission", {"FORCE": "1"}),
    ("raw/*/manifest.json", "preprocess", {"FORCE": "1"}),
    ("processed/*/manifest.json", "validate", {}),
    ("runs/{run}/validation.json", "summary", {}),
    ("runs/{run}/model.npz", "validate", {}),
    ("runs/{run}/model.npz", "summary", {}),
    ("runs/{run}/hold_out.npz", "errors", {}),
    ("runs/{run}/training.json", "submission", {}),
]


@pytest.mark.parametrize("case", DAMAGED, ids=lambda case: f"{case[1]} {case[0].split('/')[-1]}")
@pytest.mark.parametrize("by_name", [False, True], ids=["by settings", "by name"])
def test_what_is_damaged_is_mended_by_what_is_told(
    person: Person,
    runs: dict[str, str],
    case: tuple[str, str, dict[str, str]],
    by_name: bool,
) -> None:
    file, target, more = case
    [path] = Path("my data").glob(file.format(**runs))
    before = path.read_bytes()
    damage(path)
    given = person.given
    if by_name:
        given = {"RUN": runs["run"], "DATA": given["DATA"], "SUBMISSIONS": given["SUBMISSIONS"]}
    person.gets_through(target, **given, **more)
    if path.suffix in (".npy", ".npz"):  # the others tell times
        assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("file", "target"),
    [("model.npz", "validate"), ("training.json", "errors"), ("history.csv", "report")],
)
def test_of_folds_the_damaged_one_is_made_again(
    person: Person, runs: dict[str, str], target: str, file: str
) -> None:
    path = Path("my data/runs", runs["fold"], file)
    other = person.workspace.run(runs["fold"].replace("fold0", "fold1")).training.read_bytes()
    damage(path)
    person.gets_through(target, **person.given, FOLDS="2")
    assert (
        person.workspace.run(runs["fold"].replace("fold0", "fold1")).training.read_bytes() == other
    )


def test_an_edited_csv(person: Person) -> None:
    [csv] = [path for path in Path("to $end").glob("*.csv") if "fold" not in path.name]
    before = csv.read_bytes()
    damage(csv)
    person.gets_through("summary", **person.given)
    assert csv.read_bytes() == before


def test_other_digits_under_a_run_s_name(
    person: Person, runs: dict[str, str], finished: Path
) -> None:
    given = person.given | {"SOURCE": str(finished / "other"), "RUN": runs["run"]}
    person.gets_through("validate", **given)
    data = read_json(person.workspace.run(runs["run"]).training)["data"]
    assert data["files"]["train.csv"]["rows"] == 70


@pytest.mark.parametrize(
    ("remove", "target"),
    [
        (ARRAYS, "compare"),
        (ARRAYS, "blend"),
        ("runs/{run}/hold_out.npz", "compare"),
        ("runs/{fold}/model.npz", "compare"),
        ("runs/{fold}/model.npz", "blend"),
    ],
)
def test_of_several_runs_the_one_at_fault_is_named(
    person: Person, runs: dict[str, str], remove: str, target: str
) -> None:
    [path] = Path("my data").glob(remove.format(**runs))
    damage(path)
    folders = {"DATA": person.given["DATA"], "SUBMISSIONS": person.given["SUBMISSIONS"]}
    person.gets_through(target, RUNS=f"{runs['run']} {runs['folds']}", **folders)


def test_the_member_of_a_blend(person: Person, runs: dict[str, str]) -> None:
    folders = {"DATA": person.given["DATA"], "SUBMISSIONS": person.given["SUBMISSIONS"]}
    person.gets_through("blend", RUNS=f"{runs['run']} {runs['folds']}", RUN="both", **folders)
    for name in (runs["run"], runs["fold"]):
        person.workspace.run(name).model.unlink()
        person.gets_through("validate", RUN="both", FORCE="1", **folders)
        person.workspace.run(name).training.unlink()
        person.gets_through("submission", RUN="both", FORCE="1", **folders)


@pytest.mark.parametrize("file", ["recipe.json", "model.npz"])
def test_a_reproduction(person: Person, runs: dict[str, str], file: str) -> None:
    (person.workspace.run(runs["run"]).folder / file).unlink()
    folders = {"DATA": person.given["DATA"], "SUBMISSIONS": person.given["SUBMISSIONS"]}
    person.gets_through("reproduce", RUN=runs["run"], **folders)


def test_seeds(person: Person) -> None:
    shutil.rmtree("my data")
    given = {name: value for name, value in person.given.items() if name != "SEED"}
    person.gets_through("seeds", SEEDS="2", **given)
    assert len(person.typed) == 2
    assert all(f"SOURCE='{given['SOURCE']}' RECIPE=" in typed for typed in person.typed)


def test_a_run_that_is_not_there(person: Person) -> None:
    folders = {"DATA": person.given["DATA"], "SUBMISSIONS": person.given["SUBMISSIONS"]}
    for target, given in (("trace", {"RUN": "none"}), ("blend", {"RUNS": "a b"})):
        result = person.make(target, **given, **folders)
        assert result.exit_code == 1
        advised, variables = person.told(result)
        assert (advised, variables) == ("runs", folders)
        assert "-folds2" in person.make(advised, **variables).output


def test_where_nothing_is_there_yet(person: Person) -> None:
    shutil.rmtree("my data")
    advised, variables = person.told(person.make("runs", **person.given))
    assert (advised, variables) == ("all", person.given)


def test_a_digit_without_a_run(person: Person, runs: dict[str, str]) -> None:
    person.workspace.run(runs["run"]).training.unlink()
    shown = person.make("look", INDEX="1", **person.given)
    assert person.told(shown) == ("train", person.given)


def test_what_the_summary_and_the_trace_tell_makes_the_same_run(
    person: Person, runs: dict[str, str]
) -> None:
    folders = {"DATA": person.given["DATA"], "SUBMISSIONS": person.given["SUBMISSIONS"]}
    advised, given = person.told(person.make("summary", RUN=runs["run"], **folders))
    assert advised == "all"
    assert given == {
        **{name: value for name, value in person.given.items() if name != "SOURCE"},
        "SOURCE": "kaggle",
    }
    output = person.make("trace", RUN=runs["run"], **folders).output
    [again] = [line for line in output.splitlines() if line.lstrip().startswith("make all")]
    _, _, *words = shlex.split(again)
    before = person.workspace.run(runs["run"]).training.read_bytes()
    assert "train: " not in person.make("all", **dict(word.split("=", 1) for word in words)).output
    assert person.workspace.run(runs["run"]).training.read_bytes() == before
    assert "make reproduce" in output
    reproduced = re.findall(r"not yet: (make .*)", output)[0]
    assert f"RUN={runs['run']} DATA='my data'" in reproduced


def test_a_tracking_service_follows_where_the_target_tells_it(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree("my data")
    monkeypatch.setattr("pipeline.tracking.session._require", lambda _service: None)
    result = person.make("validate", TRACK="mlflow", **person.given)
    assert person.told(result) == ("train", person.given | {"TRACK": "mlflow"})
    result = person.make("submission", TRACK="mlflow", FORCE="1", **person.given)
    assert person.told(result) == ("train", person.given | {"TRACK": "mlflow"})


def test_names_that_cannot_be_shown_are_quoted_for_a_shell(tmp_path: Path) -> None:
    def given(_target: str) -> Mapping[str, Any]:
        return {"SOURCE": "caf\udce9 'x'\n$1"}

    text = complete("make download", given)
    assert text == r"make download SOURCE=$'caf\xe9 \x27x\x27\x0a$1'"
