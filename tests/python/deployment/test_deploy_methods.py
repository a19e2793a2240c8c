"""Methods, limits on the metric, draws of calibration images: from folders, in Python and on the command line."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings

import numpy as np
import pytest
from PIL import Image

from nerone.cli.main import main
from nerone.data import labelled_frames
from nerone.deployment import Bundle, deploy
from nerone.errors import ConfigurationError, ShapeError
from nerone.quantization import QuantizeOptions
from nerone.runtime.preprocessing import Channels, Preprocessing, Resize, ScaleOffset

STEPS = Preprocessing((Channels(1), Resize(16, 16), ScaleOffset((1 / 255,))))
NAMES = ("dark", "grey", "bright")
LEVELS = (30, 130, 230)
QUICK = {"finetune_epochs": 1, "train_epochs": 1}


def network(*, classes=3, whole=False):
    """A network that tells the levels apart by its weights, nearly without error."""
    keras = pytest.importorskip("keras")
    layers = keras.layers
    image = keras.Input((16, 16, 1))
    x = layers.Conv2D(1, 1, activation="relu", name="same")(image)
    if whole:
        x = layers.Reshape((classes,))(layers.Conv2D(classes, 1)(layers.GlobalAveragePooling2D(keepdims=True)(x)))
        model = keras.Model(image, layers.Softmax()(x))
    else:
        model = keras.Model(image, layers.Conv2D(classes, 1, activation="softmax")(x))
    kernel, bias = np.array([[[[0.0, 10.0, 30.0]]]], np.float32), np.array([0.0, -3.0, -17.0], np.float32)
    model.set_weights([np.ones((1, 1, 1, 1), np.float32), np.zeros(1, np.float32), kernel, bias])
    return model


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "net.keras"
    network().save(path)
    return path


def write_masks(folder, count, seed, shows):
    """Pictures whose pixels have the level of their class; ``shows`` gives the classes of picture ``number``."""
    rng = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True)
    (folder / "masks").mkdir()
    for number in range(count):
        truth = rng.choice(shows(number), (4, 4)).repeat(4, 0).repeat(4, 1).astype(np.uint8)
        pixels = np.clip(np.take(LEVELS, truth) + rng.normal(0, 8, truth.shape), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / "images" / f"{number:03d}.png")
        Image.fromarray(truth).save(folder / "masks" / f"{number:03d}.png")
    return folder


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    """Sixty pictures: dark and grey everywhere, bright in every tenth."""
    return write_masks(tmp_path_factory.mktemp("scans"), 60, 0, lambda n: (0, 1, 2) if n % 10 == 0 else (0, 1))


@pytest.fixture(scope="module")
def check(tmp_path_factory):
    return write_masks(tmp_path_factory.mktemp("check"), 12, 1, lambda n: (0, 1, 2))


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("cells"), np.random.default_rng(2)
    for label, name in enumerate(NAMES):
        (folder / name).mkdir()
        for number in range(12):
            pixels = np.clip(LEVELS[label] + rng.normal(0, 20, (16, 16)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return folder


def made(model, calibration, target, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return deploy(
            model, calibration=calibration, preprocessing=STEPS, class_names=NAMES, output=target, **options
        ).report()["quantization"]


def test_limit_is_kept_by_the_first_method(model, scans, check, tmp_path):
    report = made(model, scans, tmp_path / "net", max_drop=0.5, validation=check)
    assert [step["method"] for step in report["steps"]] == ["ptq"]
    assert (report["metric"], report["within"], report["method"]) == ("mean_dice", True, "ptq")
    assert report["validation_images"] == 12
    assert report["float_metric"] > 0.95
    assert report["steps"][0]["drop"] == pytest.approx(report["float_metric"] - report["steps"][0]["metric"])


def test_every_method_is_tried_where_the_folder_has_labels(model, scans, check, tmp_path):
    values = iter([1.0, 0.8, 0.5, 0.9])
    strict = made(
        model,
        scans,
        tmp_path / "net",
        max_drop=0.0,
        validation=check,
        options=QuantizeOptions(**QUICK),
        metric=lambda truth, scores: next(values),
    )
    assert [(step["method"], round(step["drop"], 6)) for step in strict["steps"]] == [
        ("ptq", 0.2),
        ("ffq", 0.5),
        ("qat", 0.1),
    ]
    assert (strict["method"], strict["within"], strict["training"]["labelled"]) == ("qat", False, True)
    assert any("more than the 0 allowed" in text for text in strict["warnings"])
    assert Bundle.open(tmp_path / "net").name == "net"


def test_validation_in_every_form_is_the_same(model, scans, check, tmp_path):
    pictures = [np.asarray(Image.open(path)) for path in sorted((check / "images").iterdir())]
    truth = [np.asarray(Image.open(path)) for path in sorted((check / "masks").iterdir())]
    forms = (check, labelled_frames(check), (pictures, truth), (np.stack(pictures), np.stack(truth)))
    reports = [made(model, scans, tmp_path / "net", images=10, validation=form) for form in forms]
    assert all(report["steps"] == reports[0]["steps"] for report in reports)


def test_command_line_does_the_same(model, scans, check, tmp_path, capsys):
    old = made(model, scans, tmp_path / "old", images=20)
    assert old["calibration"]["images"] == 20
    settings = ["--validation", check, "--max-drop", "0.5", "--images", "20", "--seed", "3"]
    settings += ["--class-share", "bright=0.25", "--class-factor", "grey=1", "--option", "compare_images=4"]
    # Preprocessing and class names come from the bundle that is replaced.
    words = ["deploy", model, "--calibration", scans, "-o", tmp_path / "old", "--strategy", "vitis", *settings]
    assert main([str(word) for word in words]) == 0
    out = capsys.readouterr().out
    report = made(
        model,
        scans,
        tmp_path / "new",
        strategy="vitis",
        validation=check,
        max_drop=0.5,
        images=20,
        seed=3,
        class_shares={"bright": 0.25},
        class_factors={1: 1.0},
        options=QuantizeOptions(compare_images=4),
    )
    assert Bundle.open(tmp_path / "old").report()["quantization"] == report
    assert report["strategy"] == "vitis"
    step = report["steps"][0]
    assert f"ptq: mean Dice {100 * step['metric']:.2f} %, drop {100 * step['drop']:+.2f} points" in out
    assert "taken: ptq, limit 50.00 points kept" in out
    assert "bright in 5 (25% of 10%)" in out
    main([str(word) for word in [*words, "--json"]])
    assert json.loads(capsys.readouterr().out)["quantization"]["steps"] == report["steps"]


def test_a_missed_limit_is_exit_code_1(model, scans, check, tmp_path, capsys):
    made(model, scans, tmp_path / "net", images=4)
    words = ["deploy", model, "--calibration", scans, "-o", tmp_path / "net", "--validation", check]
    words += ["--max-drop", "0", "--option", "finetune_epochs=0,train_epochs=0", "--metric", "dice"]
    code = main([str(word) for word in words])
    quantization = Bundle.open(tmp_path / "net").report()["quantization"]
    assert code == (0 if quantization["within"] else 1)
    assert ("limit 0.00 points missed" in capsys.readouterr().out) == (code == 1)


def test_shares_of_classes_are_drawn_and_reported(model, scans, tmp_path):
    rows = {row["name"]: row for row in made(model, scans, tmp_path / "net", images=12)["calibration"]["classes"]}
    assert rows["dark"]["share"] == 1.0
    assert "natural_share" not in rows["dark"]
    raised = made(model, scans, tmp_path / "net", images=12, class_factors={"bright": 5.0})["calibration"]
    assert raised["class_factors"] == {"2": 5.0}
    row = raised["classes"][2]
    assert (row["images"], row["natural_share"]) == (6, 0.1)
    lowered = made(model, scans, tmp_path / "net", images=12, class_shares={"bright": 0.0})
    assert lowered["calibration"]["classes"][2]["images"] == 0
    assert any("'bright' in 0" in text for text in lowered["warnings"])


def test_labels_that_are_not_of_this_network_are_left_out(model, cells, scans, tmp_path):
    (tmp_path / "patient").mkdir()
    (tmp_path / "patient" / "a.png").write_bytes((scans / "images" / "000.png").read_bytes())
    report = made(model, tmp_path, tmp_path / "net")
    assert "patient" in report["calibration"]["labels_left_out"]
    assert report["calibration"]["images"] == 1
    assert "classes" not in report["calibration"]
    report = made(model, cells, tmp_path / "net")
    assert "this network needs masks" in report["calibration"]["labels_left_out"]


def test_classification_takes_folders_of_classes(cells, tmp_path):
    report = made(network(whole=True), cells, tmp_path / "net", max_drop=0.3, validation=cells)
    assert (report["metric"], report["within"]) == ("accuracy", True)
    assert report["float_metric"] == 1.0
    assert [row["images"] for row in report["calibration"]["classes"]] == [12, 12, 12]
    trained = made(network(whole=True), cells, tmp_path / "net", method="qat", options=QuantizeOptions(**QUICK))
    assert trained["training"]["labelled"]
    assert trained["training"]["images"] == 36


def told(model, calibration, target, **options):
    with pytest.warns(UserWarning, match="calibration images") as caught:
        deploy(model, calibration=calibration, preprocessing=STEPS, class_names=NAMES, output=target, **options)
    return [str(warning.message) for warning in caught]


def test_poor_images_are_warned_about_with_numbers(model, scans, tmp_path, capsys):
    same = np.stack([np.asarray(Image.open(scans / "images" / "000.png"))] * 60)
    noisy = np.clip(same + np.random.default_rng(0).integers(-1, 2, same.shape), 0, 255).astype(np.uint8)
    assert any("all 60 calibration images look alike" in text for text in told(model, noisy, tmp_path / "net"))
    grey = np.random.default_rng(1).integers(100, 160, (60, 16, 16), np.uint8)
    found = told(model, grey, tmp_path / "net")
    assert any("finds class 'grey' only in all 32 calibration images" in text for text in found)
    assert any("only 2 calibration images" in text for text in told(model, grey[:2], tmp_path / "net"))
    one = write_masks(tmp_path / "one", 60, 3, lambda n: (1,))
    assert any(
        "all 60 calibration images contain class 'grey' only" in text for text in told(model, one, tmp_path / "n")
    )
    main(["deploy", str(model), "--calibration", str(one), "-o", str(tmp_path / "net")])
    assert "warning: all 60 calibration images contain class 'grey' only" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"validation": "cells"}, ShapeError, "this network needs masks"),
        ({"validation": ([np.zeros((16, 16), np.uint8)], [])}, ShapeError, "1 images and 0 labels"),
        ({"validation": ([], [])}, ConfigurationError, "no labelled image"),
        ({"validation": ([np.zeros((16, 16), np.uint8)], [np.full((16, 16), 7)])}, ShapeError, "class 7"),
        ({"validation": 7}, ConfigurationError, "a int has none"),
        ({"labelled": "nowhere"}, ConfigurationError, "does not exist"),
        ({"class_shares": {"blue": 0.5}}, ConfigurationError, "class 'blue'"),
        ({"class_shares": {9: 0.5}}, ConfigurationError, "class 9"),
        ({"class_shares": {"grey": 1.5}}, ConfigurationError, "give 0 to 1"),
        ({"class_factors": {"grey": -1.0}}, ConfigurationError, "0 or more"),
        ({"class_factors": {"grey": 2.0}, "class_shares": {1: 0.5}}, ConfigurationError, "one of them"),
        ({"images": 0}, ConfigurationError, "at least 1"),
        ({"max_drop": -1.0}, ConfigurationError, "0 or more"),
        ({"metric": "magic", "max_drop": 1.0}, ConfigurationError, "unknown metric"),
        ({"strategy": "magic"}, ConfigurationError, "unknown strategy"),
        ({"method": "magic"}, ConfigurationError, "unknown method"),
    ],
)
def test_bad_settings(model, scans, cells, tmp_path, changes, error, words):
    changes = {key: cells if isinstance(value, str) and value == "cells" else value for key, value in changes.items()}
    with pytest.raises(error, match=words):
        made(model, scans, tmp_path / "net", **changes)
    assert list(tmp_path.iterdir()) == []


def test_shares_need_labels(model, tmp_path):
    images = np.random.default_rng(1).integers(0, 255, (4, 16, 16), np.uint8)
    with pytest.raises(ConfigurationError, match="labels are needed"):
        made(model, images, tmp_path / "net", class_shares={"grey": 0.5})


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--class-share", "bright"], "expected NAME=VALUE"),
        (["--class-share", "bright=much"], "expected a number"),
        (["--option", "magic=1"], "no option 'magic'"),
        (["--option", "train_epochs=few"], "expected a whole number"),
        (["--option", "equalize=perhaps"], "expected true or false"),
    ],
)
def test_bad_words(model, scans, tmp_path, capsys, words, sentence):
    code = main(["deploy", str(model), "--calibration", str(scans), "-o", str(tmp_path / "net"), *words])
    assert code == 2
    assert sentence in capsys.readouterr().err


def test_a_bundle_lends_its_settings_to_the_next(model, scans, tmp_path):
    made(model, scans, tmp_path / "net", images=4)
    older = Bundle.open(tmp_path / "net")
    with pytest.warns(UserWarning, match="only 4"):
        again = deploy(model, calibration=scans, images=4, output=tmp_path / "net")
    assert (again.preprocessing, again.output, again.board) == (older.preprocessing, older.output, older.board)
    with pytest.raises(ConfigurationError, match="neither a preset nor"):
        deploy(model, calibration=scans, images=4, output=tmp_path / "other")
    with pytest.raises(ConfigurationError, match="the bundle names 2"):
        deploy(network(classes=3), calibration=scans, class_names=NAMES[:2], output=tmp_path / "net")


def test_a_bundle_is_taken_as_it_is(model, scans, tmp_path):
    made(model, scans, tmp_path / "net", images=4)
    older = Bundle.open(tmp_path / "net")
    assert deploy(tmp_path / "net.nerone") == older
    copy = deploy(older, output=tmp_path / "copy")
    assert copy.checksums == older.checksums
    assert copy.name == "copy"
    for changes in ({"calibration": scans}, {"max_drop": 0.1}, {"board": "kv260"}, {"class_names": NAMES}):
        with pytest.raises(ConfigurationError, match="is a bundle already"):
            deploy(tmp_path / "net.nerone", **changes)
    (tmp_path / "net.nerone" / "model.xmodel").write_bytes(b"damaged")
    with pytest.raises(ConfigurationError, match="checksum"):
        deploy(tmp_path / "net.nerone")


def test_a_bundle_is_sent_without_tensorflow(model, scans, tmp_path):
    made(model, scans, tmp_path / "net", images=4)
    program = (
        "import sys; sys.modules.update(tensorflow=None, keras=None)\n"
        "from nerone.cli.main import main\n"
        f"sys.exit(main(['deploy', {str(tmp_path / 'net.nerone')!r}, '-o', {str(tmp_path / 'copy')!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert "copy.nerone" in done.stdout


def test_a_quantized_model_takes_no_method(tmp_path):
    from compilation.small_models import Maker

    quantized = Maker(shape=(16, 16, 1)).conv("conv", 3, fix_point=4).model()
    with pytest.raises(ConfigurationError, match="quantized already"):
        deploy(quantized, preprocessing=STEPS, class_names=NAMES, output=tmp_path / "net", max_drop=0.1)
    with pytest.raises(ConfigurationError, match="no bundle to make was named"):
        deploy(quantized, preprocessing=STEPS, class_names=NAMES)
