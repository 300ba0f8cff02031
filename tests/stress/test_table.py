"""The page gets what a part of the stress tests came to; the rows go elsewhere."""

from tests.stress.table import Table


def test_the_outcome_has_no_rows_but_every_failure() -> None:
    table = Table("1 of 2 held.", ("what", "held"), [("a|b", "yes"), ("c", "no")], ["c: lost"])
    outcome = "1 of 2 held.\n\nDid not hold:\n\n- c: lost"
    assert table.outcome() == outcome
    assert table.markdown() == (
        f"{outcome}\n\n| what | held |\n| --- | --- |\n| a\\|b | yes |\n| c | no |"
    )
