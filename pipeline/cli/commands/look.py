"""Looking at digits: of the data, the misread ones, and pictures of one's own."""

import io
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.failures import show_error
from pipeline.cli.options import console, run_options
from pipeline.plan.plan import Plan
from pipeline.system.errors import PipelineError

if TYPE_CHECKING:
    from pipeline.digits.ink import FoundDigit

DIGIT = click.IntRange(0, 9)


@click.command()
@run_options
@click.argument("index", type=click.IntRange(min=0), envvar="DIGITS_INDEX")
@click.option("--test", is_flag=True, help="A row of test.csv instead (ImageId minus 1).")
@click.option(
    "--save",
    type=click.Path(readable=False, path_type=Path),
    metavar="FILE.png",
    help="Also write the digit to this PNG file.",
)
def look(plan: Plan, *, index: int, test: bool, save: Path | None) -> None:
    """Show a digit of the data, and what the run reads in it.

    INDEX is its row in train.csv. The first row is 0, as in the errors that validate lists.
    """
    from pipeline.analysis.look import look as run_look
    from pipeline.cli.show.look import show_look
    from pipeline.digits.picture import write_png

    result = run_look(plan, index, test=test)
    if save is not None:
        write_png(save, result.image)
    show_look(console(), result, saved=save)


@click.command()
@run_options
@click.option(
    "--count", type=click.IntRange(min=1), default=8, show_default=True, help="At most so many."
)
@click.option("--label", type=DIGIT, help="Only digits with this label.")
@click.option("--as", "read_as", type=DIGIT, help="Only digits that were misread as this one.")
def errors(plan: Plan, *, count: int, label: int | None, read_as: int | None) -> None:
    """Show the held-out digits that the run misreads."""
    from pipeline.analysis.look import errors as run_errors
    from pipeline.cli.show.look import show_errors

    show_errors(console(), run_errors(plan, count=count, label=label, read_as=read_as))


@click.command()
@run_options
@click.argument(
    "images",
    nargs=-1,
    required=True,
    type=click.Path(readable=False, path_type=Path),
    envvar="DIGITS_IMAGE",
)
@click.option("--json", "as_json", is_flag=True, help="One line of JSON for each picture.")
def predict(plan: Plan, *, images: tuple[Path, ...], as_json: bool) -> None:
    """Read the digit in any pictures: photos, scans, drawings.

    IMAGES are files (PNG, JPEG, GIF, BMP, WebP, TIFF), or - for standard input. Those that cannot
    be read are named, and the others are read all the same. What makes an answer doubtful stands
    below it.
    """
    from pipeline.analysis.look import read_pictures
    from pipeline.cli.show.look import show_picture

    names, digits, failed = [], [], False
    for path in images:
        try:
            digits.append(_read_digit(path))
            names.append(str(path))
        except PipelineError as error:
            show_error(error)
            failed = True
    for name, digit, reading in zip(names, digits, read_pictures(plan, digits), strict=True):
        if as_json:
            click.echo(
                json.dumps({"file": name, **reading.to_json(), "doubts": list(reading.doubts)})
            )
        else:
            show_picture(console(), name, digit.image, reading)
    if failed:
        sys.exit(1)


def _read_digit(path: Path) -> "FoundDigit":
    from pipeline.digits.picture import read_digit, read_digit_from

    if str(path) == "-":
        return read_digit_from(io.BytesIO(sys.stdin.buffer.read()), "standard input")
    return read_digit(path)
