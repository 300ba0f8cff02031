from pipeline.pages.making import making_of
from tests.pages.evidence_case import make_evidence, readings


def test_a_recipe_is_shown_as_toml() -> None:
    [(name, text)] = making_of(make_evidence([1], readings({1: 0.9}))).recipes
    assert name == "run"
    assert text.splitlines() == [
        'description = "made up"',
        "seed = 3",
        "",
        "[split]",
        "hold_out = 0.5",
        "",
        "[network]",
        "layers = [",
        '  { kind = "flatten" },',
        '  { kind = "dense", units = 10 },',
        "]",
    ]


def test_the_commit_comes_before_the_command() -> None:
    evidence = make_evidence([1], readings({1: 0.9}))
    making = making_of(evidence)
    assert making.commands == ["git checkout 0123456789abcdef", "make all"]
    assert not making.is_dirty
    assert dict(making.checksums) == {"train.csv": "a" * 64, "model": "f" * 64}
    environment = {"commit": None, "dirty": None, "cores": 1}
    elsewhere = make_evidence(
        [1], readings({1: 0.9}), training={**evidence.training, "environment": environment}
    )
    assert making_of(elsewhere).commands == ["make all"]
