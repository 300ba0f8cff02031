"""The command line: thin commands, which parse, call and show.

Stages and the libraries behind them are imported when a command runs, so that help is instant.
"""

import click

from pipeline import __version__
from pipeline.cli.commands import look, push, runs, stages, trace, tune
from pipeline.cli.failures import Commands
from pipeline.cli.options import Lines
from pipeline.system.reporter import listening

# In the order in which help lists them: the way of the data, then what one asks about it.
COMMANDS = (
    stages.all_,
    stages.download,
    stages.preprocess,
    stages.train,
    stages.validate,
    stages.submission,
    stages.submit,
    stages.summary,
    stages.blend,
    runs.seeds,
    runs.decide,
    tune.tune,
    runs.report,
    runs.compare,
    look.look,
    look.errors,
    look.predict,
    push.notebook,
    push.push,
    runs.check,
    runs.runs,
    trace.trace,
    trace.reproduce,
)


@click.group(cls=Commands)
@click.version_option(__version__, prog_name="digits")
@click.pass_context
def main(context: click.Context) -> None:
    """From Kaggle's digits to a checked submission, around a network written in NumPy.

    Every stage reads files and writes files; run them in this order, or all of them with `all`.
    """
    context.with_resource(listening(Lines()))


for command in COMMANDS:
    main.add_command(command)
