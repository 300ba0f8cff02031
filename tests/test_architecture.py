"""The house: imports point down, few modules print, and every module says why it exists."""

import ast
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import pipeline

ROOT = Path(pipeline.__file__).parent
LONGEST_MODULE = 350

# From top to bottom: a module imports from its own room and from those below it.
ROOMS = (
    "__main__",
    "cli",
    "stages",
    "analysis",
    "tracking",
    "pages",
    "runs",
    "training",
    "digits",
    "plan",
    "recipes",
    "kaggle",
    "nn",
    "system",
    "__init__",  # the tour, and two constants
)
MOST_ENTRIES = 15

# Files that several rooms have, each because it is the same idea at another height.
SHARED_FILES = {
    "__init__": "a room's face",
    "errors": "what a user may see of a failure, and Kaggle's failures in these terms",
    "look": "a command, what it does, and what it shows",
    "notebook": "how a notebook is made, and the stage that writes it",
    "push": "a command, the stage, and what it shows",
    "records": "the shapes of a room's records, and how any record is read",
    "runs": "the commands about runs, and what they show",
    "stages": "the commands of the stages, and what they show",
    "trace": "a command, what it does, and what it shows",
    "tune": "a command, what it does, and what it shows",
    "validate": "a stage, and what it shows",
}


def name_of(path: Path) -> str:
    """pipeline.nn.layers for pipeline/nn/layers.py, pipeline.nn for pipeline/nn/__init__.py."""
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def part_of(name: str) -> str:
    """The first level below the package: "nn" for pipeline.nn.layers."""
    return name.split(".")[1] if "." in name else "__init__"


SOURCES = {name_of(path): path.read_bytes() for path in sorted(ROOT.rglob("*.py"))}
TREES = {module: ast.parse(source) for module, source in SOURCES.items()}
MODULES = list(TREES)


def imports(tree: ast.AST) -> Iterator[str]:
    """All modules that a tree imports, at run time; those for type checkers only are left out."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            assert node.module
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole in TREES else node.module
        elif not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
            yield from imports(node)


def own_imports(module: str) -> set[str]:
    return {name for name in imports(TREES[module]) if name.split(".")[0] == "pipeline"}


def test_the_root_shows_the_rooms_and_nothing_else() -> None:
    entries = {path.stem for path in ROOT.iterdir() if not path.name.startswith("__pycache__")}
    entries -= {"py"}  # py.typed, which only type checkers look for
    assert entries == set(ROOMS)
    assert len(entries) <= MOST_ENTRIES


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_down(module: str) -> None:
    for imported in own_imports(module):
        assert ROOMS.index(part_of(imported)) >= ROOMS.index(part_of(module)), imported


def test_a_file_s_name_stands_for_one_thing() -> None:
    stems = Counter(path.stem for path in ROOT.rglob("*.py"))
    assert {stem for stem, count in stems.items() if count > 1} <= set(SHARED_FILES)


def test_no_two_classes_have_one_name() -> None:
    names = Counter(
        node.name
        for module, tree in TREES.items()
        if module != "pipeline.nn.plain"  # the same layers, as a page of a textbook
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    assert not {name for name, count in names.items() if count > 1}


def test_no_two_modules_import_each_other() -> None:
    finished: set[str] = set()

    def walk(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join([*path, module])
        if module not in finished:
            for imported in sorted(own_imports(module) - {module}):
                walk(imported, (*path, module))
            finished.add(module)

    for module in MODULES:
        walk(module, ())


def test_the_network_needs_numpy_and_itself() -> None:
    for module in MODULES:
        if part_of(module) == "nn":
            for imported in imports(TREES[module]):
                top = imported.split(".")[0]
                assert top == "numpy" or top in sys.stdlib_module_names or top == "pipeline"
                assert top != "pipeline" or part_of(imported) == "nn", (module, imported)


def test_the_textbooks_page_stands_alone() -> None:
    assert not own_imports("pipeline.nn.plain")


def test_few_modules_know_the_network() -> None:
    users = {
        module
        for module in MODULES
        if part_of(module) != "nn" and any(part_of(name) == "nn" for name in own_imports(module))
    }
    assert users == {
        # What makes a run due again, and a record say so, is the number of its arithmetic.
        "pipeline.analysis.trace_links",
        "pipeline.runs.run",
        "pipeline.pages.first_layer",
        "pipeline.recipes.sections",
        "pipeline.training.checkpoint",
        "pipeline.training.fitting",
        "pipeline.training.network_run",
        "pipeline.training.prediction",
    }


def test_stages_do_not_import_one_another() -> None:
    for module in MODULES:
        if module.startswith("pipeline.stages."):
            others = own_imports(module) - {module}
            assert not [name for name in others if name.startswith("pipeline.stages")], module


def test_only_the_kaggle_modules_import_kaggle() -> None:
    users = {
        module
        for module in MODULES
        if any(name.split(".")[0] in ("kaggle", "kagglesdk") for name in imports(TREES[module]))
    }
    assert users
    assert all(part_of(module) == "kaggle" for module in users)
    for module in users:
        top = {name.split(".")[0] for name in imports(ast.Module(_top_imports(module), []))}
        assert not top & {"kaggle", "kagglesdk"}, f"{module} logs in when it is imported"


def _top_imports(module: str) -> list[ast.stmt]:
    return [node for node in TREES[module].body if isinstance(node, ast.Import | ast.ImportFrom)]


def test_only_the_command_line_prints() -> None:
    printing = {
        module
        for module, tree in TREES.items()
        for node in ast.walk(tree)
        if (isinstance(node, ast.Name) and node.id == "print")
        or (isinstance(node, ast.Attribute) and ast.unparse(node) in ("sys.stdout", "sys.stderr"))
        or (isinstance(node, ast.Attribute) and ast.unparse(node) == "click.echo")
    }
    # make runs two others, and a reader the page of a textbook.
    assert {module for module in printing if part_of(module) != "cli"} == {
        "pipeline.nn.plain",
        "pipeline.plan.cleaning",
        "pipeline.system.installation",
    }


def test_only_workspace_builds_paths_of_artefacts() -> None:
    builders = {
        module
        for module, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and node.value in ("raw", "processed", "runs")
        and _is_path_part(tree, node)
    }
    assert builders == {"pipeline.plan.workspace"}


def _is_path_part(tree: ast.AST, constant: ast.Constant) -> bool:
    return any(
        isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and node.right is constant
        for node in ast.walk(tree)
    )


@pytest.mark.parametrize("module", MODULES)
def test_modules_are_short_and_say_why_they_are(module: str) -> None:
    tree = TREES[module]
    assert ast.get_docstring(tree), "a module opens with why it exists"
    lines = SOURCES[module].count(b"\n")
    assert lines <= LONGEST_MODULE
    for node in _public(tree):
        assert ast.get_docstring(node), f"{node.name} has no docstring"


def _public(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.ClassDef]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node
