"""Every command helps, and every failure is a line or two on standard error, never a traceback."""

import os
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from pipeline import HOW_TO_INSTALL, __version__, cli
from pipeline.plan.plan import Plan
from pipeline.plan.workspace import Workspace
from pipeline.stages.train import train
from pipeline.system.errors import PipelineError
from tests.practice_case import REPOSITORY, command, copy_practice, digits, environment, plan_of
from tests.sampling import sampled

COMMANDS = list(cli.main.commands)
SPACE = "Free some space; then the same command goes on."
PERMISSION = "Give yourself the permission, or name other folders: DATA=... SUBMISSIONS=..."
MEMORY = "Close other programs, or allow it more memory; then the same command goes on."
PROCESSES = "End some, or allow more (ulimit -u); then the same command goes on."
STAGES = ["download", "preprocess", "train", "validate", "submission", "submit", "summary"]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Result]]:
    """Run a command in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    on_interrupt = signal.getsignal(signal.SIGINT)  # which an interrupted command lets be ignored

    def invoke(*arguments: str | Path) -> Result:
        return CliRunner().invoke(cli.main, list(map(str, arguments)))

    yield invoke
    signal.signal(signal.SIGINT, on_interrupt)


def assert_fails(result: Result, *texts: str, code: int = 1) -> None:
    """With these texts, in few lines on standard error and none on standard output."""
    assert result.exit_code == code, result.output
    assert isinstance(result.exception, SystemExit)
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ")
    assert len(result.stderr.splitlines()) <= 2
    for text in texts:
        assert text in result.stderr


# ---- help --------------------------------------------------------------------------------------
def test_the_commands_are_listed_in_the_order_of_the_pipeline(run: Callable[..., Result]) -> None:
    output = run("--help").output
    places = [output.index(f"\n  {name} ") for name in STAGES]
    assert places == sorted(places)
    for name in COMMANDS:
        assert f"\n  {name} " in output
    assert "..." not in output.partition("Commands:")[2], "a line of help is cut"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_has_help(run: Callable[..., Result], name: str) -> None:
    result = run(name, "--help")
    assert result.exit_code == 0
    command = cli.main.commands[name]
    assert command.help
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{name} {parameter.name}"


@pytest.mark.parametrize("name", [*STAGES, "notebook", "push"])
def test_every_stage_takes_the_same_options(name: str) -> None:
    expected = {
        "source",
        "recipe",
        "run",
        "seed",
        "overrides",
        "folds",
        "force",
        "data",
        "submissions",
    }
    assert expected <= {parameter.name for parameter in cli.main.commands[name].params}


def test_every_option_can_come_from_make() -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    for parameter in cli.main.commands["train"].params:
        assert isinstance(parameter.envvar, str)
        assert f"\nexport {parameter.envvar} = " in makefile


def test_the_version(run: Callable[..., Result]) -> None:
    assert run("--version").output == f"digits, version {__version__}\n"
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["dynamic"] == ["version"]


def test_the_console_script_is_this_command() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["scripts"] == {"digits": "pipeline.__main__:main"}


WARNING = """
import sys, warnings
from pipeline.__main__ import main
warnings.warn("of a library")
sys.argv = ["digits", "--version"]
main()
"""


@pytest.mark.parametrize(("options", "shown"), [((), False), (("-W", "default"), True)])
def test_what_libraries_warn_of_is_shown_to_those_who_ask(
    options: tuple[str, ...], shown: bool
) -> None:
    done = subprocess.run(
        [sys.executable, *options, "-c", WARNING],
        cwd=REPOSITORY,
        env=environment(PYTHONWARNINGS=""),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"digits, version {__version__}\n"
    assert ("of a library" in done.stderr) == shown
    assert shown or not done.stderr


HELP_AND_IMPORTS = """
import sys
from pipeline.cli import main
main(["{command}", "--help"], standalone_mode=False)
heavy = {{"numpy", "pandas", "sklearn", "scipy", "kaggle", "rich", "pydantic", "requests"}}
print("imported:", sorted(heavy & set(sys.modules)))
"""


@pytest.mark.parametrize("name", ["train", "submit", "push"])
def test_help_imports_nothing_that_takes_long(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HELP_AND_IMPORTS.format(command=name)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Usage: " in done.stdout
    assert done.stdout.endswith("imported: []\n")


# ---- what the user got wrong -------------------------------------------------------------------
@pytest.mark.parametrize(
    "arguments", [["nosuch"], ["train", "--sed", "3"], ["check"], ["runs", "x"]]
)
def test_usage(run: Callable[..., Result], arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith("Usage: ")
    assert "Error: " in result.stderr


@pytest.mark.parametrize(
    ("arguments", "texts"),
    [
        (["--source", "kagle"], ["SOURCE=kagle: no such file", "Give auto, kaggle"]),
        (["--recipe", "nosuch"], ["RECIPE=nosuch: no recipe", "mlp, notebook-10"]),
        (["--recipe", "nosuch.toml"], ["RECIPE=nosuch.toml: no such file"]),
        (["--seed", "-1"], ["SEED=-1: not a whole number from 0 to 999,999,999,999,999,999"]),
        (["--seed", str(2**70)], [f"SEED={2**70}: not a whole number from 0 to"]),
        (["--folds", "1"], ["FOLDS=1: not a whole number from 2 to 1,000"]),
        (["--folds", str(10**9)], ["FOLDS=1000000000: not a whole number from 2 to 1,000"]),
        (["--seed", "1.5"], ["SEED=1.5: not a whole number"]),
        (["--run", "../run"], ["RUN=../run: not usable as the name of a folder", "Use letters"]),
    ],
)
@pytest.mark.parametrize("stage", ["download", "train", "submit"])
def test_wrong_values(
    run: Callable[..., Result], stage: str, arguments: list[str], texts: list[str]
) -> None:
    assert_fails(run(stage, *arguments), *texts)
    assert not Path("data").exists()


@pytest.mark.parametrize(
    ("setting", "text"),
    [
        (f"training.epochs={10**12}", "training.epochs: should be less than or equal to"),
        (f"training.batch_size={10**12}", "training.batch_size: "),
        (f"training.least_steps={10**12}", "training.least_steps: should be less than or equal"),
        (f"network.layers.8.units={10**12}", "network.layers.8.units: should be less than or"),
    ],
)
def test_numbers_beyond_all_use(run: Callable[..., Result], setting: str, text: str) -> None:
    assert_fails(run("train", "--recipe", "smoke", "--set", setting), text)


BYTES = os.fsdecode(b"my\xff")


@pytest.mark.parametrize(
    ("command", "option"),
    sampled(
        [
            *(("train", name) for name in ("SOURCE", "RECIPE", "SET", "DATA", "SUBMISSIONS")),
            *(("train", name) for name in ("RUN", "SEED", "FOLDS", "TRACK", "EXECUTOR", "DASK")),
            *(("tune", name) for name in ("STORAGE", "TRIALS")),
            *(("compare", name) for name in ("RUNS", "DATA")),
            ("seeds", "SEEDS"),
            ("decide", "RECIPES"),
            ("trace", "RUN"),
            ("predict", "IMAGE"),
        ],
        (0, 1, 2, 3, 5, 11, 13, 15, 17),
    ),
)
def test_names_that_are_no_text(command: str, option: str, tmp_path: Path) -> None:
    if option == "SOURCE":
        (tmp_path / BYTES).mkdir()
    value = f"{BYTES} other" if option in ("RUNS", "RECIPES") else BYTES
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", command],
        cwd=tmp_path,
        env=environment(**{f"DIGITS_{option}": value, "PYTHONPATH": str(REPOSITORY)}),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("Error: ")
    assert "unexpected" not in done.stderr
    assert r"\udcff" in done.stderr


@pytest.mark.parametrize(
    ("runs", "text"),
    [([], "A blend needs at least two runs"), (["a", "b"], "There is no run a (data/runs/a)")],
)
def test_what_cannot_be_blended(run: Callable[..., Result], runs: list[str], text: str) -> None:
    assert_fails(run("blend", *runs), text)
    assert not Path("data").exists()


def test_a_wrong_recipe_and_setting(run: Callable[..., Result], tmp_path: Path) -> None:
    recipe = tmp_path / "mine.toml"
    recipe.write_text("training = 3", encoding="utf-8")
    assert_fails(run("train", "--recipe", recipe), f"{recipe}: ", "network: missing key")
    assert_fails(run("train", "--set", "training.epoch=3"), "training.epoch: unknown key")
    assert_fails(run("train", "--set", "fast"), "SET=fast: not of the form key=value")


@pytest.mark.parametrize(
    ("stage", "before"),
    [
        ("preprocess", "download"),
        ("train", "preprocess"),
        ("validate", "train"),
        ("submission", "train"),
        ("summary", "train"),
        ("submit", "submission"),
    ],
)
def test_a_stage_says_which_one_to_run_before_it(
    run: Callable[..., Result], stage: str, before: str
) -> None:
    result = run(stage, "--source", "practice", "--recipe", "smoke")
    assert_fails(result, "There ", f"\nRun: make {before}")


def test_a_submission_before_its_validation(
    run: Callable[..., Result], practice_workspace: Workspace, tmp_path: Path
) -> None:
    plan = plan_of(copy_practice(practice_workspace, tmp_path), overrides="training.epochs=1")
    train(plan)
    given = ("--run", plan.run)
    assert_fails(run("submission", *given), "has not been validated", "Run: make validate")
    assert run("validate", *given).exit_code == 0
    assert_fails(run("summary", *given), "There is no submission", "Run: make submission")


def test_checking_a_file_that_is_not_there(run: Callable[..., Result]) -> None:
    assert_fails(run("check", "none.csv"), "none.csv cannot be read: No such file")


def test_no_runs_are_no_failure(run: Callable[..., Result]) -> None:
    result = run("runs")
    assert result.exit_code == 0
    assert "There are no runs yet" in result.stdout


@pytest.mark.parametrize("stage", ["download", "train"])
def test_a_folder_that_is_a_file(run: Callable[..., Result], stage: str, tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    result = run(stage, "--source", "practice", "--data", "taken")
    assert_fails(result, "Error: taken is no folder", "Move it away")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(run: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o500)
    result = run("download", "--source", "practice", "--data", "closed")
    assert_fails(result, "Error: closed/raw", "Permission denied")


# ---- what went wrong on the way ----------------------------------------------------------------
@pytest.mark.parametrize(
    ("error", "lines", "code"),
    [
        (PipelineError("What", remedy="How"), "Error: What\nHow\n", 1),
        (PipelineError("What"), "Error: What\n", 1),
        (
            PermissionError(13, "Permission denied", "data/x"),
            f"Error: data/x: Permission denied\n{PERMISSION}\n",
            1,
        ),
        (OSError(28, "No space left on device"), f"Error: No space left on device\n{SPACE}\n", 1),
        (
            OSError(18, "Invalid cross-device link", "a", None, "b"),
            "Error: b: Invalid cross-device link\n",
            1,
        ),
        (MemoryError(), f"Error: There is not enough memory for this\n{MEMORY}\n", 1),
        (
            RuntimeError("can't start new thread"),
            f"Error: The system lets this user start no more processes\n{PROCESSES}\n",
            1,
        ),
        (OSError("strange"), "Error: strange\n", 1),
        (
            ModuleNotFoundError("No module named 'numpy'", name="numpy"),
            f"Error: the package numpy is not installed\n{HOW_TO_INSTALL}\n",
            1,
        ),
        (
            ImportError("x.so: failed to map"),
            "Error: a package cannot be loaded (x.so: failed to map)\n"
            f"There may be too little memory for it, or it may be damaged. {HOW_TO_INSTALL}\n",
            1,
        ),
        (KeyboardInterrupt(), "\nInterrupted. The same command goes on from here.\n", 130),
    ],
)
def test_failures_are_lines(
    run: Callable[..., Result],
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    lines: str,
    code: int,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("pipeline.stages.download.download", fail)
    result = run("download")
    assert (result.stderr, result.stdout, result.exit_code) == (lines, "", code)


def test_an_error_on_the_way_of_an_interrupt_is_an_interrupt(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        try:
            raise KeyboardInterrupt
        except sys.no_such_name:  # type: ignore[attr-defined]
            pass

    monkeypatch.setattr("pipeline.stages.download.download", fail)
    assert run("download").exit_code == 130


def test_an_interrupt_before_the_command_begins(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pipeline.cli.main.make_context", fail)
    result = run("download")
    assert (result.stderr.strip(), result.exit_code) == (
        "Interrupted. The same command goes on from here.",
        130,
    )


def test_a_mistake_of_ours_is_a_line_and_its_traceback_can_be_had(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("by\n0")

    monkeypatch.setattr("pipeline.stages.download.download", fail)
    assert isinstance(run("download").exception, ZeroDivisionError)  # as conftest sets it
    monkeypatch.delenv("DIGITS_TRACEBACK")
    assert_fails(
        run("download"), "Error: unexpected ZeroDivisionError: by 0\n", "DIGITS_TRACEBACK=1"
    )


def test_without_the_packages(tmp_path: Path) -> None:
    # -S: without the folder in which packages are installed.
    done = subprocess.run(
        [sys.executable, "-S", "-m", "pipeline", "train"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == f"Error: the package click is not installed\n{HOW_TO_INSTALL}\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device")
@pytest.mark.parametrize("arguments", [["--help"], ["runs"]])
def test_a_full_disk(arguments: list[str], tmp_path: Path) -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = subprocess.run(
            [*command(*arguments)],
            cwd=REPOSITORY,
            env=environment(DIGITS_DATA=str(tmp_path)),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == f"Error: No space left on device\n{SPACE}\n"


@pytest.mark.parametrize("arguments", [["--help"], ["runs"]])
def test_a_reader_that_has_seen_enough(arguments: list[str], tmp_path: Path) -> None:
    process = subprocess.Popen(
        command(*arguments),
        cwd=REPOSITORY,
        env=environment(DIGITS_DATA=str(tmp_path)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stderr
    process.stdout.close()
    with process.stderr as stream:
        assert stream.read() == ""
    assert process.wait(timeout=60) in (0, 1)


# ---- what arrives at the stages ----------------------------------------------------------------
@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Plan, bool]]:
    """What the stage download is called with, instead of its doing."""
    calls: list[tuple[Plan, bool]] = []

    def note(plan: Plan, *, force: bool) -> None:
        calls.append((plan, force))

    monkeypatch.setattr("pipeline.stages.download.download", note)
    monkeypatch.setattr("pipeline.cli.show.stages.show_download", lambda *_: None)
    return calls


def test_options_become_a_plan(
    run: Callable[..., Result], given: list[tuple[Plan, bool]], tmp_path: Path
) -> None:
    options = ["--source", "practice", "--recipe", "smoke", "--seed", "3", "--set", "a=1 b=x y"]
    options += ["--folds", "5"]
    folders = ["--data", "d ä", "--submissions", "s"]
    run("download", *options, *folders, "--run", "mine", "--force")
    ((plan, force),) = given
    assert plan.source.kind == "practice"
    assert (plan.recipe_name, plan.seed, plan.overrides) == ("smoke", 3, ("a=1", "b=x y"))
    assert plan.folds == 5
    assert plan.workspace == Workspace(Path("d ä"), Path("s"))
    assert plan.run == "mine"
    assert force


def test_variables_become_a_plan(
    run: Callable[..., Result], given: list[tuple[Plan, bool]], monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {
        "SOURCE": "practice",
        "RECIPE": "smoke",
        "SEED": "3",
        "SET": "a=1",
        "FOLDS": "4",
        "RUN": "mine",
        "DATA": "d",
        "SUBMISSIONS": "s",
        "FORCE": "1",
    }
    for name, value in values.items():
        monkeypatch.setenv(f"DIGITS_{name}", value)
    run("download")
    run("download", "--seed", "4")
    (first, force), (second, _) = given
    assert (first.recipe_name, first.seed, first.overrides, first.run) == (
        "smoke",
        3,
        ("a=1",),
        "mine",
    )
    assert first.workspace == Workspace(Path("d"), Path("s"))
    assert force
    assert first.folds == 4
    assert second.seed == 4


def test_empty_variables_are_defaults(
    run: Callable[..., Result], given: list[tuple[Plan, bool]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SOURCE", "RECIPE", "SEED", "SET", "FOLDS", "RUN", "DATA", "SUBMISSIONS", "FORCE"):
        monkeypatch.setenv(f"DIGITS_{name}", "")
    run("download")
    monkeypatch.setenv("DIGITS_FORCE", "0")
    run("download")
    ((plan, force), (_, zero)) = given
    assert (plan.run, plan.seed, plan.overrides) == ("practice-quick", None, ())
    assert plan.workspace == Workspace(Path("data"), Path("submissions"))
    assert not force
    assert not zero


def test_a_command_as_a_process(tmp_path: Path) -> None:
    done = digits("runs", "--data", tmp_path / "none")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_terminal_that_knows_few_letters(tmp_path: Path) -> None:
    path = tmp_path / "ü.csv"
    path.write_text("ImageId,Label\n1,7\n", encoding="utf-8")
    done = digits("check", path, "--rows", "1", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\\xfc.csv" in done.stdout
