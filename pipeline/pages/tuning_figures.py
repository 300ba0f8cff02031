"""Figures of a search: how it went on, what mattered, and each setting against the outcome."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, LogLocator, MaxNLocator, NullLocator

from pipeline.pages.figures import SIZE, drawing
from pipeline.pages.palette import stand_in
from pipeline.training.search.outcome import Dimension, Outcome, Trial

AXIS = {"loss": "hold-out loss", "accuracy": "hold-out accuracy"}
# From here on a loss is drawn on a log scale, so that one bad trial does not flatten the others.
WIDE = 3.0


def progress(outcome: Outcome) -> Figure:
    """Return the trials in the order in which they were begun, and the best so far."""
    worst = np.inf if outcome.objective == "loss" else -np.inf
    better = np.minimum if outcome.objective == "loss" else np.maximum
    values = [_value(trial, outcome) for trial in outcome.trials]
    kept = [worst if value is None else value for value in values]
    best = better.accumulate(np.array(kept))
    known = np.isfinite(best)
    numbers = np.array([trial.place + 1 for trial in outcome.trials])
    with drawing("Progress", (1.6 * SIZE[0], SIZE[1])) as (figure, axes):
        axes.step(
            numbers[known], best[known], where="post", color=stand_in("series-1"), label="best"
        )
        _draw_trials(axes, outcome, numbers.tolist())
        _draw_own(axes, outcome)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("trial")
        _scale(axes, outcome)
        figure.legend(loc="outside upper left", ncols=5, columnspacing=1.2, handletextpad=0.4)
    return figure


def importance_bars(importances: Mapping[str, float]) -> Figure:
    """Return the share of each setting as a bar, largest at the top."""
    names = list(importances)
    places = np.arange(len(names))[::-1]
    height = 0.9 + 0.36 * len(names)
    with drawing("Importance", (1.6 * SIZE[0], height)) as (figure, axes):
        bars = axes.barh(
            places,
            [100 * importances[name] for name in names],
            height=0.6,
            color=stand_in("series-1"),
        )
        axes.bar_label(bars, fmt=lambda value: f"{value:.0f} %", padding=4)
        axes.yaxis.set_major_locator(FixedLocator(places.tolist()))
        axes.set_yticklabels(names)
        axes.tick_params(axis="y", length=0, labelcolor=stand_in("ink"))
        axes.grid(visible=False, axis="y")
        axes.set_xlim(0, 112 * max(importances.values()))
        axes.set_xlabel("percent of what differs between trials")
    return figure


def against(outcome: Outcome, dimension: Dimension) -> Figure:
    """Return the outcome of all trials over the values that they had of one setting."""
    given = [trial.settings[dimension.key] for trial in outcome.trials]
    with drawing(dimension.key) as (figure, axes):
        if dimension.range.choices is not None:
            names = [str(choice) for choice in dimension.range.choices]
            # Side by side, or trials with the same choice would hide one another.
            spread = np.random.default_rng(0).uniform(-0.18, 0.18, len(given))
            places = [names.index(str(value)) for value in given]
            _draw_trials(axes, outcome, (np.array(places) + spread).tolist())
            axes.set_xlim(-0.5, len(names) - 0.5)
            axes.xaxis.set_major_locator(FixedLocator(list(range(len(names)))))
            axes.set_xticklabels(names)
        else:
            _draw_trials(axes, outcome, given)
            if dimension.range.log:
                axes.set_xscale("log")
                axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
                axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
                axes.xaxis.set_minor_locator(NullLocator())
        _draw_own(axes, outcome)
        axes.set_xlabel(dimension.key)
        _scale(axes, outcome)
    return figure


def _value(trial: Trial, outcome: Outcome) -> float | None:
    """What a trial reached at its end; None of one that was ended early."""
    return trial.value(outcome.objective) if trial.state == "complete" else None


def _draw_trials(axes: Axes, outcome: Outcome, places: Sequence[float]) -> None:
    """Dots at the outcome; crosses at the worse edge for what was ended early, which has none."""
    complete = [
        (place, value)
        for place, trial in zip(places, outcome.trials, strict=True)
        if (value := _value(trial, outcome)) is not None
    ]
    at, values = zip(*complete, strict=True)
    axes.scatter(at, values, s=26, color=stand_in("series-1"), label="trial")
    edge = 1.0 if outcome.objective == "loss" else 0.0
    for state, marker, role in (("pruned", "x", "quiet"), ("failed", "^", "series-2")):
        there = [
            place
            for place, trial in zip(places, outcome.trials, strict=True)
            if trial.state == state
        ]
        if there:
            axes.scatter(
                there,
                [edge] * len(there),
                transform=axes.get_xaxis_transform(),
                clip_on=False,
                s=26,
                linewidths=1.4,
                marker=marker,
                color=stand_in(role),
                label=state,
            )
    best = outcome.best
    place = places[[trial.place for trial in outcome.trials].index(best.place)]
    axes.scatter(
        [place],
        [_value(best, outcome) or 0.0],
        s=110,
        marker="o",
        facecolors="none",
        edgecolors=stand_in("series-2"),
        linewidths=2,
        zorder=3,
    )


def _draw_own(axes: Axes, outcome: Outcome) -> None:
    if outcome.own is not None and (value := _value(outcome.own, outcome)) is not None:
        axes.axhline(
            value, color=stand_in("quiet"), linestyle="--", linewidth=1.2, label="the recipe"
        )


def _scale(axes: Axes, outcome: Outcome) -> None:
    values = [trial.loss for trial in outcome.complete if trial.loss]
    if outcome.objective == "loss" and max(values) > WIDE * min(values):
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.yaxis.set_minor_locator(NullLocator())
    axes.set_ylabel(AXIS[outcome.objective])
