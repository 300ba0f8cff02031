"""The same trials however a search was interrupted, and no more of them than were asked for."""

import contextlib
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from pipeline.recipes.recipe import Recipe
from pipeline.system.reporter import listening
from pipeline.training.search import study
from pipeline.training.search.outcome import Dimension, Trial
from pipeline.training.search.study import Search, quiet
from tests.sampling import sampled
from tests.training.search.tuning_case import (
    FakeDigits,
    Heard,
    open_search,
    own_settings,
    run_in_memory,
)


def begin(search: Search, worker: str) -> None:
    """Begin a trial as another process would, which then dies without a word."""
    trial = optuna.create_trial(state=TrialState.RUNNING, user_attrs={"worker": worker})
    search.study.add_trial(trial)


def test_the_first_trial_is_the_recipe(tmp_path: Path) -> None:
    search = open_search(tmp_path, 3, in_memory=True)
    first, *others = search.run()
    assert first.settings == own_settings(search)
    assert all(trial.settings != first.settings for trial in others)


def test_values_are_within_their_ranges(tmp_path: Path) -> None:
    for trial in run_in_memory(tmp_path, 25):
        assert 0.0001 <= trial.settings["optimizer.learning_rate"] <= 0.1
        assert 0.0 <= trial.settings["optimizer.weight_decay"] <= 0.3
        assert trial.settings["training.batch_size"] in (64, 128, 256)
        assert trial.settings["network.layers.2.units"] in (8, 16, 24, 32)


def test_stopping_and_going_on_makes_the_same_trials(tmp_path: Path) -> None:
    """From the file, by processes that know nothing of one another; also where pruning begins."""
    whole = run_in_memory(tmp_path, 13)
    for trials in (3, 11, 13):
        found = open_search(tmp_path, trials).run()
        assert len(found) == trials
    assert found == whole
    assert {trial.state for trial in whole} == {"complete", "pruned"}


def test_what_was_seen_guides_what_comes(tmp_path: Path) -> None:
    """Other outcomes, other trials: else the seed alone would choose them."""

    def fail(recipe: Recipe) -> None:
        if recipe.training.batch_size == 64:
            raise MemoryError

    one = [trial.settings for trial in run_in_memory(tmp_path, 16)]
    other = [trial.settings for trial in run_in_memory(tmp_path, 16, FakeDigits(fail))]
    assert one[:10] == other[:10]
    assert one[10:] != other[10:]


def test_ctrl_c_loses_no_finished_trial_and_changes_none(tmp_path: Path) -> None:
    whole = run_in_memory(tmp_path, 8)
    seen: list[Recipe] = []

    def interrupt(recipe: Recipe) -> None:
        seen.append(recipe)
        if len(seen) in (1, 5):  # the recipe itself, and another one
            raise KeyboardInterrupt

    digits = FakeDigits(interrupt)
    for kept in (0, 3):
        with pytest.raises(KeyboardInterrupt):
            open_search(tmp_path, 8, digits).run()
        assert len(open_search(tmp_path, 8).finished()) == kept
    assert open_search(tmp_path, 8, digits).run() == whole


def test_a_trial_of_a_dead_process_is_done_again(tmp_path: Path) -> None:
    whole = run_in_memory(tmp_path, 6)
    search = open_search(tmp_path, 2)
    search.run()
    begin(search, f"{socket.gethostname()} 999999999")
    assert open_search(tmp_path, 6).run() == whole


@pytest.mark.parametrize("stored", sampled([1, 2, 3], [1]))
def test_a_process_killed_while_it_wrote_values_down_changes_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stored: int
) -> None:
    whole = run_in_memory(tmp_path, 13)
    suggest = study._suggest
    for at in (2, 11):  # drawn by chance, and from what came before
        search = open_search(tmp_path, at)
        search.run()
        search.trials += 1
        left = [suggest] * (len(search.dimensions) + stored)  # first they are drawn apart

        def killed(
            trial: optuna.Trial, found: Dimension, left: list[Callable[..., Any]] = left
        ) -> Any:
            if not left:
                raise KeyboardInterrupt
            return left.pop()(trial, found)

        monkeypatch.setattr(study, "_suggest", killed)
        with pytest.raises(KeyboardInterrupt):
            search.run()
        monkeypatch.undo()
        assert len(search.study.trials[at].params) == stored
    assert open_search(tmp_path, 13).run() == whole


def test_a_process_killed_in_mid_training_changes_no_outcome(tmp_path: Path) -> None:
    """Also of a trial that is pruned: it is compared at the same times as without the kill."""
    whole = run_in_memory(tmp_path, 13)
    assert any(trial.state == "pruned" for trial in whole)

    class Killed(FakeDigits):
        def measure(self, recipe: Recipe, watch: Callable[[Any, int], None], *, name: str) -> Any:
            def killed(result: Any, epochs: int) -> None:
                watch(result, epochs)
                if result.epoch == 3 and name not in seen:
                    seen.add(name)
                    raise KeyboardInterrupt

            return super().measure(recipe, killed, name=name)

    seen: set[str] = set()
    search = open_search(tmp_path, 13, Killed())
    while len(search.finished()) < 13:
        with contextlib.suppress(KeyboardInterrupt):
            search.run()
    assert len(seen) > 6
    assert search.finished() == whole


def test_a_trial_of_another_machine_is_dead_when_it_is_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(study, "SILENT_SECONDS", 1)
    monkeypatch.setattr(study, "POLL_SECONDS", 0.2)
    search = open_search(tmp_path, 3)
    begin(search, "elsewhere 1")
    heard = Heard()
    with listening(heard):
        found = search.run()
    assert [trial.place for trial in found] == [0, 1, 2]
    assert found[0].settings == own_settings(search)
    # On a slow machine it was silent for long enough before there was need to wait.
    assert {line for line in heard.lines if not line.startswith("trial ")} <= {
        "Waiting for 1 trials of other processes to end."
    }


def test_who_is_slow_by_half_is_pruned_but_never_the_recipe(tmp_path: Path) -> None:
    heard = Heard()
    search = open_search(tmp_path, 30, FakeDigits(epochs=10), in_memory=True)
    with listening(heard):
        found = search.run()
    pruned = [trial for trial in found if trial.state == "pruned"]
    assert 3 < len(pruned) < 25
    complete = [trial for trial in found if trial.state == "complete"]
    assert min(trial.place for trial in pruned) >= study.LEAST_TRIALS
    for trial in pruned:
        assert trial.progress < 1
        assert trial.progress >= study.LEAST_TENTHS / study.TENTHS
        assert trial.loss is not None
    # The best of all is complete, and was told as the best when it ended.
    best = min(complete, key=lambda trial: trial.loss or 0.0)
    assert best.settings["optimizer.learning_rate"] < 0.01
    assert heard.lines[best.place].endswith("best so far")
    assert len(heard.lines) == 30


def test_trials_with_other_numbers_of_epochs_are_compared_at_the_same_share(
    tmp_path: Path,
) -> None:
    """After 3 of 10 epochs or 30 of 100, and not after as many epochs."""
    search = open_search(tmp_path, 6, FakeDigits(epochs=10), in_memory=True)
    search.run()
    for epochs, state in ((10, "complete"), (100, "complete"), (7, "pruned"), (70, "pruned")):
        loss = 0.05 if state == "complete" else 0.5
        search.digits = FakeDigits(epochs=epochs, loss=loss)  # type: ignore[assignment]
        search.trials += 1
        assert search.run()[-1].state == state


@pytest.mark.parametrize(
    "error", [FloatingPointError("the loss became nan"), MemoryError(), ValueError("too small")]
)
def test_a_trial_that_fails_is_told_and_the_search_goes_on(
    tmp_path: Path, error: Exception
) -> None:
    def fail(recipe: Recipe) -> None:
        if recipe.training.batch_size == 64:
            raise error

    heard = Heard()
    search = open_search(tmp_path, 12, FakeDigits(fail), in_memory=True)
    with listening(heard):
        found = search.run()
    assert len(found) == 12
    failed = [trial for trial in found if trial.state == "failed"]
    assert failed
    assert {trial.settings["training.batch_size"] for trial in failed} == {64}
    assert {trial.reason for trial in failed} == {str(error) or type(error).__name__}
    assert all("failed: " in heard.lines[trial.place] for trial in failed)


def test_a_loss_that_is_no_number_fails(tmp_path: Path) -> None:
    class Broken(FakeDigits):
        def measure(self, *_: object, **__: object) -> tuple[float, float]:
            return float("nan"), 0.1

    [trial] = run_in_memory(tmp_path, 1, Broken())
    assert trial.state == "failed"


def test_a_mistake_of_ours_is_not_a_failed_trial(tmp_path: Path) -> None:
    def fail(_: Recipe) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_in_memory(tmp_path, 3, FakeDigits(fail))


def test_several_at_once_do_each_trial_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(study, "POLL_SECONDS", 0.05)
    failures: list[BaseException] = []
    results: list[list[Trial]] = []
    tried: list[Recipe] = []
    searches = [open_search(tmp_path, 5, FakeDigits(tried.append)) for _ in range(3)]

    def work(search: Search) -> None:
        try:
            results.append(search.run())
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(search,)) for search in searches]
    for number, search in enumerate(searches):
        search.worker = f"elsewhere {number}"  # threads share a process
    with quiet():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failures == []
    assert len(results) == 3
    for found in results:
        assert [trial.place for trial in found] == list(range(5))
    assert len(tried) == 5


def test_more_than_were_asked_for_are_left_until_they_are(tmp_path: Path) -> None:
    """Two machines that share no lock may both begin what looks like the last one."""
    whole = run_in_memory(tmp_path, 3)
    search = open_search(tmp_path, 2)
    search.run()
    begin(search, f"{socket.gethostname()} 999999999")
    assert len(search.run()) == 2
    assert open_search(tmp_path, 3).run() == whole


def test_what_came_too_late_is_not_taken(tmp_path: Path) -> None:
    """A process that was asleep for long finds that another one did its trial."""
    search = open_search(tmp_path, 2)

    def fall_asleep(_: Recipe) -> None:
        if len(search.study.get_trials()) == 1:
            search.digits = FakeDigits()  # type: ignore[assignment]
            other = open_search(tmp_path, 1)
            other.worker = search.worker
            other.run()

    search.digits = FakeDigits(fall_asleep)  # type: ignore[assignment]
    heard = Heard()
    with listening(heard):
        found = search.run()
    assert [trial.place for trial in found] == [0, 1]
    assert "Trial 1 came too late: another process did it." in heard.lines
    assert found == run_in_memory(tmp_path, 2)
