"""The same trials however a search was interrupted, and no more of them than were asked for."""

import threading
import warnings
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from pipeline.recipes.recipe import Recipe
from pipeline.training.search import study
from pipeline.training.search.outcome import Trial
from pipeline.training.search.study import Search, quiet
from tests.training.search.tuning_case import (
    FakeDigits,
    Watched,
    open_search,
    own_settings,
    run_in_memory,
)


def ask(search: Search) -> optuna.Trial:
    """Begin a trial as another process would, which then dies without a word."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the heartbeat is meant for optuna's own loop
        return search.study.ask()


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


def test_a_trial_of_a_dead_process_is_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run_in_memory(tmp_path, 6)
    search = open_search(tmp_path, 2)
    search.run()
    # It got as far as writing down who it is, and which place it took.
    trial = ask(search)
    trial.set_user_attr("worker", study._worker().rpartition(" ")[0] + " 999999999")
    trial.set_user_attr("place", 2)
    assert open_search(tmp_path, 6).run() == whole


def test_a_trial_of_another_machine_is_dead_when_it_is_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.training.search.storage.HEARTBEAT_SECONDS", 1)
    monkeypatch.setattr("pipeline.training.search.storage.SILENT_SECONDS", 1)
    monkeypatch.setattr(study, "POLL_SECONDS", 0.2)
    search = open_search(tmp_path, 3)
    trial = ask(search)
    trial.set_user_attr("worker", "elsewhere 1")
    trial.set_user_attr("place", 0)
    storage = search.study._storage
    assert isinstance(storage, optuna.storages._CachedStorage)
    storage.record_heartbeat(trial._trial_id)
    said: list[str] = []
    search.tell = said.append
    found = search.run()
    assert [trial.place for trial in found] == [0, 1, 2]
    assert found[0].settings == own_settings(search)
    assert said == ["Waiting for 1 trials of other processes to end."]


def test_a_process_that_died_before_it_said_who_it_is_does_not_stop_a_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = open_search(tmp_path, 2)
    ask(search)
    assert len(search.run()) == 2
    monkeypatch.setattr(study, "SILENT_SECONDS", 0)
    open_search(tmp_path, 3).run()
    running = search.study.get_trials(states=(TrialState.RUNNING,))
    assert not running


def test_who_is_slow_by_half_is_pruned_but_never_the_recipe(tmp_path: Path) -> None:
    watched = Watched()
    search = open_search(tmp_path, 30, FakeDigits(epochs=10), in_memory=True)
    search.watcher = watched
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
    assert (best.place, "complete", True) in watched.ended
    assert len(watched.ended) == 30


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

    watched = Watched()
    search = open_search(tmp_path, 12, FakeDigits(fail), in_memory=True)
    search.watcher = watched
    found = search.run()
    assert len(found) == 12
    failed = [trial for trial in found if trial.state == "failed"]
    assert failed
    assert {trial.settings["training.batch_size"] for trial in failed} == {64}
    assert {trial.reason for trial in failed} == {str(error) or type(error).__name__}
    assert {(trial.place, "failed", False) for trial in failed} <= set(watched.ended)


def test_a_loss_that_is_no_number_fails(tmp_path: Path) -> None:
    class Broken(FakeDigits):
        def measure(self, recipe: Recipe, watch: object) -> tuple[float, float]:  # noqa: ARG002
            return float("nan"), 0.1

    [trial] = run_in_memory(tmp_path, 1, Broken())
    assert trial.state == "failed"


def test_a_mistake_of_ours_is_not_a_failed_trial(tmp_path: Path) -> None:
    def fail(_: Recipe) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_in_memory(tmp_path, 3, FakeDigits(fail))


def test_of_two_that_take_the_same_place_one_gives_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever of them is faster: each place is taken once, and nobody fails."""
    monkeypatch.setattr(study, "_is_dead", lambda _: False)  # threads share a number
    monkeypatch.setattr(study, "POLL_SECONDS", 0.05)
    failures: list[BaseException] = []
    results: list[list[Trial]] = []
    searches = [open_search(tmp_path, 5) for _ in range(2)]

    def work(search: Search) -> None:
        try:
            results.append(search.run())
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(search,)) for search in searches]
    with quiet():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failures == []
    assert len(results) == 2
    for found in results:
        assert [trial.place for trial in found] == list(range(5))
    states = [trial.state for trial in searches[0].study.get_trials()]
    assert states.count(TrialState.COMPLETE) + states.count(TrialState.PRUNED) == 5
    assert TrialState.RUNNING not in states


def test_a_place_that_another_process_has_is_left_to_it(tmp_path: Path) -> None:
    """Both saw it free; the one that comes second finds the other's name there."""
    search = open_search(tmp_path, 2)
    trial = ask(search)
    trial.set_user_attr("worker", "elsewhere 1")
    trial.set_user_attr("place", 0)
    with quiet():
        search._try(0)
    states = [found.state for found in search.study.get_trials()]
    assert states == [TrialState.RUNNING, TrialState.FAIL]
    assert search.finished() == []


def test_what_came_too_late_is_not_taken(tmp_path: Path) -> None:
    """A process that was asleep for long finds that others gave it up."""
    search = open_search(tmp_path, 2)
    said: list[str] = []
    search.tell = said.append

    def fall_asleep(_: Recipe) -> None:
        running = search.study.get_trials(states=(TrialState.RUNNING,))
        if len(search.study.get_trials()) == 1:
            search.study.tell(running[0].number, state=TrialState.FAIL)

    search.digits = FakeDigits(fall_asleep)  # type: ignore[assignment]
    found = search.run()
    assert [trial.place for trial in found] == [0, 1]
    assert said == ["Trial 1 came too late: another process had given this one up."]
