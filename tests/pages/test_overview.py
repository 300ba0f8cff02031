from pipeline.pages.overview import draw_curves, facts_of, headline_of
from pipeline.runs.listing import RunScore
from tests.pages.evidence_case import history, make_evidence, readings

LABELS = [1, 2, 3, 4]
READ = readings({1: 0.9}, {2: 0.9}, {3: 0.9}, {7: 0.9})


def test_the_card_says_what_was_reached() -> None:
    evidence = make_evidence(LABELS, READ, overrides=("training.epochs=5",))
    [(_, value, note)] = headline_of(evidence)
    assert value == "75.00 %"
    assert note == "3 of 4 digits; 95 % interval 30.06 to 95.44 %"
    facts = dict(facts_of(evidence))
    assert facts["Training"] == "12.3 s on 1 core"
    assert facts["Commit"] == "0123456"
    assert facts["Changed in the recipe"] == "training.epochs=5"
    assert facts["Parameters"] == "7,850"
    assert facts["Test accuracy"] == "not measured yet: make all"


def test_a_score_stands_beside_it() -> None:
    sent = make_evidence(LABELS, READ, score=RunScore(0.98765, "leaderboard"))
    assert headline_of(sent)[1][:2] == ("Score on Kaggle", "98.765 %")
    known = make_evidence(LABELS, READ, score=RunScore(0.5, "answer key"))
    assert headline_of(known)[1][:2] == ("Test accuracy", "50.00 %")
    assert "Test accuracy" not in dict(facts_of(known))


def test_an_ensemble_shows_the_curves_of_its_networks() -> None:
    members = {"one": history(0.5), "two": history(0.4, 0.3)}
    evidence = make_evidence(LABELS, READ, histories=members)
    assert evidence.is_ensemble
    curves = draw_curves(evidence.histories)
    assert [(name, series) for name, series, _ in curves.legend] == [
        ("one", "series-1"),
        ("two", "series-2"),
    ]
    assert len(curves.figures) == 3
    assert "At the end: one 0.5; two 0.3." in curves.figures[0].svg
