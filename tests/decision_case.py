"""A comparison of recipes that nobody made, for what is shown and written of one."""

from typing import Any

from pipeline.runs.decisions import DecisionRecord


def difference(value: float, p_value: float, **fields: float) -> dict[str, Any]:
    return {
        "value": value,
        "low": value - abs(value),
        "high": value + abs(value),
        "p_value": p_value,
        "corrected": p_value,
        "digits_deviation": abs(value) / 3,
        "networks_deviation": abs(value) / 4,
    } | fields


def recipe(name: str, *errors: int, log_loss: float) -> dict[str, Any]:
    return {
        "recipe": name,
        "errors": list(errors),
        "accuracy": 1 - sum(errors) / len(errors) / 35_000,
        "log_loss": log_loss,
        "seconds": 61.2,
        "runs": [f"kaggle-{name}-seed{seed}-folds3" for seed in range(len(errors))],
    }


def make_decision(**fields: Any) -> DecisionRecord:
    """``mine``, of 12 epochs, against ``quick``, unless a field says otherwise."""
    values: dict[str, Any] = {
        "inputs": {},
        "kind": "competition",
        "rows": 35_000,
        "locked_rows": 7_000,
        "folds": 3,
        "seeds": [0, 1],
        "recipes": [
            recipe("quick", 180, 171, log_loss=0.01702),
            recipe("mine", 150, 149, log_loss=0.01611),
        ],
        "contenders": [
            {
                "recipe": "mine",
                "log_loss": difference(-0.00091, 0.00002),
                "errors": difference(-26.0, 0.07),
            }
        ],
        "settings": [
            {"key": "training.epochs", "values": ["8", "12"]},
            {"key": "network.layers", "values": ["{ ... }\n{ ... }", "{ ... }"]},
        ],
        "environment": {"commit": None, "dirty": None},
        "finished_at": "2026-02-03T04:05:06+00:00",
    }
    return DecisionRecord.model_validate(values | fields)


def make_three() -> DecisionRecord:
    """Two others against the first one."""
    decision = make_decision()
    other = decision.contenders[0].model_dump() | {"recipe": "other"}
    other["log_loss"] = difference(0.004, 0.03, corrected=0.06)
    return make_decision(
        recipes=[
            *(found.model_dump() for found in decision.recipes),
            recipe("other", 200, 199, log_loss=0.02102),
        ],
        contenders=[decision.contenders[0].model_dump(), other],
        settings=[{"key": "training.epochs", "values": ["8", "12", "8"]}],
    )
