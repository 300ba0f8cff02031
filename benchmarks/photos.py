"""How many photographs of digits are read right: made ones, of digits the network never saw.

    python -m benchmarks.photos --run practice-quick
    python -m benchmarks.photos --run practice-quick --count 600 --seed 21 --write

A run has to be there first: make all SOURCE=practice RECIPE=quick. The digits are those of test.csv
where their labels are known (the practice digits), or else those that the run held out.

What a person reads is a rule (benchmarks/photo_drawing.py): how much ink and paper differ, and how
broad strokes are. Nobody has looked at each picture. Digits that the run misreads without any
photograph, as they are in the data or as the strokes that were drawn, are counted apart: there
it is the network that errs, or the drawing.
"""

import argparse
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.photo_drawing import Photograph, Scene, draw, scene
from docs.sections import write_section
from pipeline.analysis.look import network_doubts
from pipeline.digits import dataset
from pipeline.digits.ink import FoundDigit
from pipeline.digits.picture import read_digit_from
from pipeline.kaggle.submission_csv import read_submission
from pipeline.plan.plan import Plan, make_plan
from pipeline.runs.ensemble import HeldOut
from pipeline.system.errors import PipelineError
from pipeline.training import checkpoint, prediction

PAGE = Path(__file__).parents[1] / "docs" / "looking-at-digits.md"
SURE = 0.99
NOTHING = FoundDigit(np.zeros((28, 28), np.uint8), ("no digit was found",))


@dataclass(frozen=True)
class Outcome:
    """What became of one photograph.

    readable: by a person.  plain, strokes: whether the digit is read right as it is in the data,
    and as the bare strokes that were drawn.  right, probability: of the photograph.
    """

    scene: Scene
    readable: bool
    plain: bool
    strokes: bool
    right: bool
    probability: float
    doubts: tuple[str, ...]

    @property
    def counts(self) -> bool:
        return self.readable and self.plain and self.strokes


def unseen_digits(plan: Plan) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return digits that the run's network never saw: (N, 28, 28) uint8, and labels (N,)."""
    processed = plan.workspace.processed(plan.source.name)
    key = plan.workspace.raw(plan.source.name).answer_key
    if key.exists():
        images = dataset.load_test_images(processed)
        labels = np.array(read_submission(key, test_rows=len(images)), np.uint8)
        return np.asarray(images), labels
    held_out = HeldOut.read(plan.workspace.run(plan.run).hold_out)
    return np.asarray(dataset.load_labelled(processed).images[held_out.rows]), held_out.labels


def find(content: bytes) -> FoundDigit:
    """Return the digit in a picture file; an empty one if none is found."""
    try:
        return read_digit_from(io.BytesIO(content), "photograph")
    except PipelineError:
        return NOTHING


def scanned(photograph: Photograph) -> bytes:
    """The same strokes without any photograph: black on white, with white around."""
    stream = io.BytesIO()
    white = np.pad(~photograph.strokes, max(photograph.strokes.shape) // 10, constant_values=True)
    Image.fromarray((255 * white).astype(np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def measure(plan: Plan, count: int, seed: int) -> list[Outcome]:
    """Photograph so many digits, and read them with the plan's run."""
    rng = np.random.default_rng(seed)
    images, labels = unseen_digits(plan)
    rows = rng.choice(len(images), count, replace=count > len(images))
    scenes, readable, strokes, found = [], [], [], []
    for row in rows.tolist():
        scenes.append(scene(rng))
        photograph = draw(images[row], scenes[-1])
        readable.append(photograph.readable)
        strokes.append(find(scanned(photograph)).image)
        found.append(find(photograph.content))
    model = checkpoint.load_model(plan.workspace.run(plan.run).model)
    plain, drawn, read = (
        prediction.predict(model, pictures)
        for pictures in (images[rows], np.stack(strokes), np.stack([one.image for one in found]))
    )
    return [
        Outcome(
            scenes[at],
            readable[at],
            bool(plain[at].argmax() == label),
            bool(drawn[at].argmax() == label),
            bool(read[at].argmax() == label),
            float(read[at].max()),
            found[at].doubts + network_doubts(read[at]),
        )
        for at, label in enumerate(labels[rows])
    ]


def share(outcomes: list[Outcome]) -> str:
    right = sum(outcome.right for outcome in outcomes)
    return f"{right / max(len(outcomes), 1):.3f} ({right} of {len(outcomes)})"


def rows(outcomes: list[Outcome]) -> Iterator[tuple[str, str, str]]:
    """Yield the table's rows: what, which, and how many are read right."""
    readable = [outcome for outcome in outcomes if outcome.readable]
    counted = [outcome for outcome in outcomes if outcome.counts]
    yield "all", "a person reads it", share(readable)
    yield (
        "",
        "and the run reads the digit of the data",
        share([one for one in readable if one.plain]),
    )
    yield "", "and the bare strokes, too", share(counted)
    doubtful = [outcome for outcome in counted if outcome.doubts]
    yield "", "of these, with a warning", share(doubtful)
    sure = [one for one in readable if not one.right and one.probability > SURE and not one.doubts]
    yield "", f"wrong above {SURE} without a warning", str(len(sure))
    yield "", "beyond what a person reads", share([one for one in outcomes if not one.readable])
    kinds = {
        "light from": lambda scene: scene.light,
        "span of light, grey levels": lambda scene: scene.span,
        "shadow": lambda scene: scene.shadow,
        "paper": lambda scene: scene.paper,
        "pen": lambda scene: scene.pen,
        "longer side, pixels": lambda scene: max(scene.size),
    }
    for kind, value in kinds.items():
        for number, which in enumerate(sorted({value(one.scene) for one in counted})):
            chosen = [one for one in counted if value(one.scene) == which]
            yield "" if number else kind, str(which), share(chosen)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.photos",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--run", required=True, help="a folder in data/runs")
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--count", type=int, default=600)
    parser.add_argument("--seed", type=int, default=21)
    parser.add_argument("--write", action="store_true", help=f"write the table into {PAGE.name}")
    arguments = parser.parse_args()
    plan = make_plan(run=arguments.run, data=arguments.data)
    outcomes = measure(plan, arguments.count, arguments.seed)
    lines = [("", f"{plan.run}, {len(outcomes)} photographs", "read right"), ("---",) * 3]
    table = "\n".join(f"| {' | '.join(line)} |" for line in [*lines, *rows(outcomes)])
    print(table)
    for one in outcomes:
        if one.readable and not one.right and one.probability > SURE and not one.doubts:
            print("surely wrong:", one.scene)
    if arguments.write:
        write_section(PAGE, "photos", table)


if __name__ == "__main__":
    main()
