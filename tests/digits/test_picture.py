"""A digit saved, drawn or photographed in any way is read as the digit itself."""

import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from pipeline.digits import picture
from pipeline.digits.picture import read_digit, read_digit_from, read_grey, write_png
from pipeline.plan.workspace import Workspace
from pipeline.stages.train import train
from pipeline.system.errors import PipelineError
from pipeline.training import checkpoint, prediction
from pipeline.training.prediction import Model
from tests.pictures import FORMS, enlarged, file_of
from tests.practice_case import copy_practice, plan_of
from tests.sampling import sampled

COUNT, ALL = 6, 40  # of each form, here and in the stress tests
SURE = 0.9

# It reads well after a few seconds of training.
LAYERS = """[{kind="crop2d", pixels=2}, {kind="avg_pool2d"}, {kind="conv2d", filters=16},
 {kind="batch_norm"}, {kind="relu"}, {kind="conv2d", filters=32}, {kind="max_pool2d"},
 {kind="batch_norm"}, {kind="relu"}, {kind="flatten"}, {kind="dense", units=10}]"""


@pytest.fixture(scope="module")
def model(practice_workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Model:
    workspace = copy_practice(practice_workspace, tmp_path_factory.mktemp("picture"))
    # A blank before a name would begin another setting.
    layers = "".join(LAYERS.split())
    plan = plan_of(workspace, overrides=f"training.epochs=5 network.layers={layers}")
    train(plan)
    return checkpoint.load_model(workspace.run(plan.run).model)


@pytest.fixture(scope="module")
def digits(practice_workspace: Workspace) -> NDArray[np.uint8]:
    images: NDArray[np.uint8] = np.load(practice_workspace.processed("practice").test_images)
    return images[: 2 * ALL]


@pytest.mark.parametrize("count", sampled([COUNT, ALL], [0]))
@pytest.mark.parametrize("form", list(FORMS))
def test_a_picture_is_read_as_its_digit_is(
    form: str, count: int, model: Model, digits: NDArray[np.uint8]
) -> None:
    probabilities = prediction.predict(model, digits)
    # Where so small a network is in doubt, half a pixel decides, and not the picture's form.
    sure = np.flatnonzero(probabilities.max(axis=1) >= SURE)[:count]
    assert len(sure) == count
    found = np.stack([read_digit_from(FORMS[form](digit), form).image for digit in digits[sure]])
    expected = probabilities[sure].argmax(axis=1)
    wrong = np.sum(prediction.predict(model, found).argmax(axis=1) != expected)
    assert wrong <= 1


def test_a_digit_of_the_data_survives_being_written(
    digits: NDArray[np.uint8], tmp_path: Path
) -> None:
    path = tmp_path / "new" / "digit.png"
    write_png(path, digits[0])
    first = path.read_bytes()
    np.testing.assert_array_equal(read_digit(path).image, digits[0])
    write_png(path, digits[0])
    assert path.read_bytes() == first
    assert list(path.parent.iterdir()) == [path]


def test_another_suffix_than_png_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"digit\.jpg: the name of a PNG file ends in"):
        write_png(tmp_path / "digit.jpg", np.zeros((28, 28), np.uint8))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "YCbCr", "CMYK", "I", "F"])
def test_every_kind_of_pixels(mode: str, digits: NDArray[np.uint8]) -> None:
    image = enlarged(digits[0], 4).point(lambda level: 255 if level > 127 else 0)
    grey = read_grey(file_of(image.convert(mode), "TIFF"), "picture")
    assert grey.dtype == np.float32
    assert grey.shape == (112, 112)
    correlation = np.corrcoef(grey.ravel(), np.asarray(image).ravel())[0, 1]
    assert abs(correlation) > 0.98


def test_of_an_animation_the_first_picture_counts(digits: NDArray[np.uint8]) -> None:
    first, second = (enlarged(digit, 4) for digit in digits[:2])
    moving = file_of(first, "GIF", save_all=True, append_images=[second])
    np.testing.assert_array_equal(
        read_digit_from(moving, "moving").image,
        read_digit_from(file_of(first, "GIF"), "still").image,
    )


def test_a_large_picture_is_made_smaller_first(digits: NDArray[np.uint8]) -> None:
    image = Image.fromarray(digits[0]).resize((2520, 2520), Image.Resampling.NEAREST)
    grey = read_grey(file_of(image), "large")
    assert max(grey.shape) <= picture.LONGEST_SIDE
    assert len(grey) == 840


def whole_png() -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    return file_of(Image.fromarray(noise)).getvalue()


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "is not a picture"),
        (b"hello", "is not a picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "is not a picture"),
        (whole_png()[:900], "is damaged: "),
        (file_of(Image.new("L", (50, 40), 200)).getvalue(), "shows no digit"),
        (file_of(Image.new("RGBA", (50, 40), (9, 9, 9, 0))).getvalue(), "shows no digit"),
    ],
    ids=["empty", "text", "postscript", "cut short", "one colour", "transparent"],
)
def test_what_is_no_picture_of_a_digit(content: bytes, text: str, tmp_path: Path) -> None:
    path = tmp_path / "file.png"
    path.write_bytes(content)
    with pytest.raises(PipelineError) as failure:
        read_digit(path)
    assert failure.value.message.startswith(f"{path} {text}")
    assert failure.value.remedy
    assert len(str(failure.value).splitlines()) == 2


def test_a_file_that_is_not_there_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="there is no such file"):
        read_digit(tmp_path / "none.png")
    with pytest.raises(PipelineError, match="is a folder"):
        read_digit(tmp_path)


def test_too_many_pixels_are_refused_before_they_are_unpacked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    content = file_of(Image.new("1", (300, 300))).getvalue()
    # First our own limit; then Pillow's warning of a bomb, and its error at twice as many.
    for limit in (picture, Image):
        name = "MOST_PIXELS" if limit is picture else "MAX_IMAGE_PIXELS"
        for most in (300 * 300 - 1, 300 * 300 // 3):
            with monkeypatch.context() as patch:
                patch.setattr(limit, name, most)
                with pytest.raises(PipelineError, match="million pixels"):
                    read_grey(io.BytesIO(content), "bomb.png")


def test_bytes_that_were_changed_never_end_in_another_error(digits: NDArray[np.uint8]) -> None:
    rng = np.random.default_rng(0)
    kinds = ("PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP")
    for kind in kinds:
        content = file_of(enlarged(digits[0], 3), kind).getvalue()
        for _ in range(15):
            changed = np.frombuffer(content, np.uint8).copy()
            changed[rng.integers(0, len(changed), 6)] = rng.integers(0, 256, 6)
            try:
                digit = read_digit_from(io.BytesIO(changed.tobytes()), kind).image
            except PipelineError:
                continue
            assert digit.shape == (28, 28)
