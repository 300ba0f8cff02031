"""What the documentation tells people to type exists, and what it links to is there."""

import ast
import re
from pathlib import Path

import pytest

from pipeline.cli import main
from pipeline.recipes.file import RECIPE_FOLDER
from tests.stress.__main__ import PARTS

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "DATA_LICENSES.md", *sorted((ROOT / "docs").glob("*.md"))]
README = DOCUMENTS[0].read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
VARIABLES = set(re.findall(r"^([A-Z]+) \?=", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))


def shell_text() -> str:
    """Code blocks and inline code of all documents: what a reader may type."""
    text = "\n".join(document.read_text(encoding="utf-8") for document in DOCUMENTS)
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    lines = [line.split("#")[0] for block in blocks for line in block.splitlines()]
    return "\n".join(
        [*lines, *re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.S))]
    )


def test_every_make_command_names_targets_and_variables_that_exist() -> None:
    commands = re.findall(r"\bmake ([^\n;|]+)", shell_text())
    assert len(commands) > 10
    for command in commands:
        without_values = re.sub(r'="[^"]*"', "=", command)
        for word in without_values.split():
            name, is_variable, _ = word.partition("=")
            assert name in (VARIABLES if is_variable else TARGETS), f"make {command}"


def test_every_stage_of_the_command_line_is_a_target() -> None:
    stages = {
        "download",
        "preprocess",
        "train",
        "validate",
        "submission",
        "submit",
        "report",
        "compare",
        "runs",
    }
    assert stages <= set(main.commands) & TARGETS
    for stage in stages:
        assert f"make {stage}" in README


def test_commands_of_the_package_exist() -> None:
    for command in re.findall(r"(?:digits|python -m pipeline) ([a-z]+)\b", shell_text()):
        assert command in main.commands


def test_modules_that_are_run_exist() -> None:
    modules = re.findall(r"python -m ([a-z.]+)", shell_text())
    assert "benchmarks.notebooks" in modules
    for module in modules:
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), module


def test_every_variable_is_told() -> None:
    for variable in VARIABLES:
        assert f"`{variable}`" in README, variable


def test_recipes_that_are_named_exist() -> None:
    names = {path.stem for path in RECIPE_FOLDER.glob("*.toml")}
    for name in re.findall(r"RECIPE=([a-z0-9-]+)(?!\S)", shell_text()):
        assert name in names


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_within_the_repository_lead_somewhere(document: Path) -> None:
    text = document.read_text(encoding="utf-8").replace("\\_", "_")
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
        assert (document.parent / target).exists(), target


def test_messages_that_troubleshooting_explains_are_ours() -> None:
    texts = [(ROOT / "Makefile").read_text(encoding="utf-8")]
    for path in (ROOT / "pipeline").rglob("*.py"):
        nodes = ast.walk(ast.parse(path.read_bytes()))
        texts += [
            node.value
            for node in nodes
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        ]
    table = README.partition("## If something goes wrong")[2].partition("\n## ")[0]
    messages = re.findall(r"^\| `([^`]+)`", table, re.MULTILINE)
    assert len(messages) > 8
    for message in messages:
        for part in message.split("..."):
            assert any(part.strip() in text for text in texts), message


def test_the_readme_is_short_and_leads_to_every_page() -> None:
    assert len(README.splitlines()) <= 200
    for document in DOCUMENTS[1:]:
        assert f"({document.relative_to(ROOT)})" in README


def test_what_scripts_write_has_its_place() -> None:
    pages = {
        "README.md": ["results:recipes"],
        "docs/notebooks.md": ["results:notebooks"],
        "docs/experiments.md": ["decisions"],
        "docs/speed.md": ["benchmark"],
        "docs/scale.md": ["scale"],
        "docs/several-machines.md": ["executors"],
        "docs/how-it-learns.md": ["mistakes"],
        "docs/reliability.md": [f"stress:{part}" for part in PARTS],
    }
    for page, names in pages.items():
        text = (ROOT / page).read_text(encoding="utf-8")
        for name in names:
            assert len(re.findall(f"<!-- {name} -->\n.+?\n<!-- /{name} -->", text, re.DOTALL)) == 1


def test_pictures_are_there() -> None:
    for source in re.findall(r' (?:src|srcset)="([^"]+)"', README):
        assert (ROOT / source).exists(), source
    for picture in re.findall(r"<img [^>]*>", README):
        assert re.search(r'alt="[^"]{20,}"', picture), picture


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_code_that_a_link_names_is_in_its_file(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    for name, target in re.findall(r"\[`([A-Za-z_][\w.]*)`\]\(([^)#]+\.py)\)", text):
        assert name in _definitions(document.parent / target), f"{name} in {target}"


def _definitions(path: Path) -> set[str]:
    """Classes, functions, and methods as Class.method."""
    kinds = (ast.ClassDef, ast.FunctionDef)
    top = [node for node in ast.parse(path.read_bytes()).body if isinstance(node, kinds)]
    methods = {
        f"{node.name}.{item.name}" for node in top for item in node.body if isinstance(item, kinds)
    }
    return {node.name for node in top} | methods


def test_the_page_on_learning_names_its_code() -> None:
    text = (ROOT / "docs" / "how-it-learns.md").read_text(encoding="utf-8")
    named = set(re.findall(r"\[`([\w.]+)`\]\(\.\./pipeline/nn/", text))
    passes = {"Dense.forward", "Dense.backward", "ReLU.forward", "ReLU.backward"}
    assert passes | {"softmax", "softmax_cross_entropy", "SGD.apply", "check_gradient"} <= named
