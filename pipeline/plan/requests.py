"""A plan kept in its run's folder, so that the run's name alone brings it back."""

import json
from typing import Any

from pipeline.plan.plan import Plan
from pipeline.system.files import write_text


def record_request(plan: Plan) -> None:
    """Keep the plan in its run's folder; an equal one is left untouched."""
    path, text = plan.workspace.run(plan.run).request, request_of(plan) + "\n"
    if not (path.exists() and path.read_bytes() == text.encode()):
        write_text(path, text)


def request_of(plan: Plan) -> str:
    """Return the plan as one line of JSON."""
    request: dict[str, Any] = {
        "source": plan.source.text,
        "recipe": plan.recipe.text,
        "seed": plan.seed,
        "set": " ".join(plan.overrides),
    }
    if plan.blend:
        request = {"source": plan.source.text, "blend": list(plan.blend)}
    # Only where they are given, so that older requests remain what they were.
    request |= {
        name: value
        for name, value in (("folds", plan.folds), ("fold", plan.fold))
        if value is not None
    }
    return json.dumps(request, ensure_ascii=False)
