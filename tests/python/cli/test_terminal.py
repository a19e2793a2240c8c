"""Names of files, layers, classes and boards give the terminal no commands, whichever verb shows them."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys

import nibabel
import numpy as np
import pytest
from PIL import Image

from cli.conftest import CLASSIFICATION, SEGMENTATION
from compilation.small_models import Maker
from nerone.cli import main as main_module
from nerone.cli.console import print_json, print_log, print_table
from nerone.cli.main import main
from nerone.cli.terminal import cleaned_streams, console
from nerone.deployment import deploy
from nerone.errors import ModelError, printable
from nerone.graph import Op
from paths import REPOSITORY
from waiting import PATIENT_S

# Sets a window's title, clears the screen, links, colours, rings, turns the writing's direction, and forges lines.
EVIL = "e\x1b]0;owned\x07\x1b[2J\x1b]8;;http://x\x1b\\\x1b[31m\x9b1m\r\u202e\x7f\n§"


def assert_harmless(*texts):
    for text in texts:
        assert text == printable(text)
        assert not any(line.strip(" │┃").startswith("§") for line in text.splitlines())


def evil_model(shape, *, flat):
    """Every layer has a hostile name."""
    maker = Maker(shape=shape, fix_point=6 if flat else 5).conv(f"conv{EVIL}", 3, fix_point=4)
    last = maker.nodes[-1].shape
    if flat:
        size = int(np.prod(last))
        maker.add(f"flat{EVIL}", Op.RESHAPE, (size,), attrs={"shape": (size,)})
        weights = {"kernel": maker.rng.normal(0, 0.3, (size, 4)).astype(np.float32)}
        maker.add(f"dense{EVIL}", Op.DENSE, (4,), weights=weights, fix_point=3)
        last = (4,)
    return maker.add(f"soft{EVIL}", Op.SOFTMAX, last, reason=f"no softmax {EVIL}").model()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evil") / f"in{EVIL}".replace("/", "_")
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def segmenter(place):
    names = [f"none{EVIL}", f"liver{EVIL}", f"bone{EVIL}"]
    made = deploy(
        evil_model((16, 16, 1), flat=False),
        preprocessing=SEGMENTATION,
        class_names=names,
        output=place / f"net{EVIL.replace('/', '_')}.nerone",
    )
    return made.path


@pytest.fixture(scope="module")
def classifier(place):
    names = [f"{letter}{EVIL}" for letter in "abcd"]
    made = deploy(
        evil_model((16, 16, 3), flat=True), preprocessing=CLASSIFICATION, class_names=names, output=place / "c.nerone"
    )
    return made.path


@pytest.fixture(scope="module")
def scans(place):
    """Good and bad files, all with hostile names."""
    folder, name = place / "scans", EVIL.replace("/", "_")
    folder.mkdir()
    image = nibabel.Nifti1Image(np.zeros((20, 14, 2), np.int16), np.eye(4))
    nibabel.save(image, folder / f"volume-1{name}.nii")
    for ending in ("png", "npy", "tif", "dcm", "nii", "nrrd"):
        (folder / f"bad{name}.{ending}").write_bytes(b"DICM" * 100)
    return folder


@pytest.fixture(scope="module")
def pictures(place):
    folder, name = place / "pictures", EVIL.replace("/", "_")
    for index, kind in enumerate("ab"):
        (folder / f"{kind}{EVIL.replace('/', '_')}").mkdir(parents=True)
        Image.fromarray(np.full((16, 16, 3), 99 * index, np.uint8)).save(
            folder / f"{kind}{EVIL.replace('/', '_')}" / f"p{name}.png"
        )
    return folder


@pytest.fixture
def said(capsys):
    """Run a verb and return all that it writes."""

    def call(*words):
        capsys.readouterr()
        code = main([str(word) for word in words])
        out, err = capsys.readouterr()
        assert_harmless(out, err)
        return code, out + err

    return call


def test_verbs_that_show_a_model(said, segmenter):
    shown = {
        "inspect": ["--ops"],
        "disassemble": [],
        "verify": [],
        "estimate": ["--layers"],
        "profile": ["--seconds", "0.01"],
    }
    for verb, more in shown.items():
        code, text = said(verb, segmenter, *more)
        assert "owned" in text, verb
        assert (code, verb) in ((0, verb), (2, "disassemble"), (2, "verify"))


def test_verbs_that_run_a_bundle(said, segmenter, classifier, scans, pictures, tmp_path):
    code, text = said("run", segmenter, scans, "-o", tmp_path / f"out{EVIL.replace('/', '_')}", "--skip-bad")
    assert code == 0
    assert text.count("left out") == 6
    code, text = said("run", classifier, pictures, "-o", tmp_path / "table")
    assert code == 0
    assert "owned" in text
    code, text = said("evaluate", classifier, "--data", pictures)
    assert "owned" in text
    code, text = said("bench", segmenter, scans, "--runs", "1", "--seconds", "0.01")
    assert code == 2
    assert "owned" in text
    code, text = said("live", segmenter, next(scans.glob("volume*")), "--terminal", "--seconds", "0.1")
    assert code in (0, 2)
    assert "owned" in text


def test_verbs_that_make_a_bundle(said, segmenter, scans, place, tmp_path):
    model = place / f"model{EVIL.replace('/', '_')}.h5"
    model.write_bytes(b"no model")
    for words in (
        ("deploy", model, "--calibration", scans, "-o", tmp_path / "n.nerone", "--preset", "ct-org"),
        ("compile", model, "-o", tmp_path / "n.xmodel"),
        ("deploy", segmenter / "model.xmodel", "--preset", f"p{EVIL}", "-o", tmp_path / "n.nerone"),
        ("data", "ct-org", scans),
        ("zoo", f"z{EVIL}"),
        ("board", f"b{EVIL}"),
        ("train", f"t{EVIL}"),
        ("serve", scans),
        ("node", scans, "--to", f"t{EVIL}"),
        ("reproduce", f"t{EVIL}"),
        (f"verb{EVIL}",),
        ("run", f"--option{EVIL}"),
    ):
        code, text = said(*words)
        assert code in (1, 2), (words[0], text)
        assert text.strip(), words[0]


def test_layers_of_a_file(said, tmp_path):
    h5py = pytest.importorskip("h5py", reason="h5py is not installed")
    given = {"name": "given", "batch_input_shape": [None, 4, 4, 1], "dtype": "float32"}
    layers = [
        {"class_name": "InputLayer", "config": given},
        {"class_name": f"Odd{EVIL}", "config": {"name": f"layer{EVIL}"}},
    ]
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs["model_config"] = json.dumps(
            {"class_name": "Sequential", "config": {"name": f"s{EVIL}", "layers": layers}}
        )
        file.create_group("model_weights").attrs["layer_names"] = [b"given", f"layer{EVIL}".encode()]
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "a.png")
    code, text = said(
        "compile", tmp_path / "a.h5", "-o", tmp_path / "n.xmodel", "--calibration", tmp_path, "--preset", "ct-org"
    )
    assert code == 2
    assert "owned" in text


def test_json_stays_as_it_is(said, capsys, segmenter):
    code, _ = said("inspect", segmenter, "--ops", "--json")
    assert code == 0
    assert main(["inspect", str(segmenter), "--ops", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert any(EVIL in str(value) for value in _texts(found))


def _texts(value):
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    if isinstance(value, list):
        return [text for one in value for text in _texts(one)]
    return [value]


def test_every_way_of_writing(capsys):
    with cleaned_streams():
        print(EVIL, file=sys.stderr)
        print_log(EVIL)
        print_table([EVIL, "n"], [[EVIL, 3], ["[red]plain[/red]", 4]], title=EVIL)
        print_json({EVIL: EVIL})
        sys.stdout.writelines([EVIL, "\n"])
    out, err = capsys.readouterr()
    assert_harmless(out, err)
    assert "[red]plain[/red]" in out
    assert "owned" in out
    assert "owned" in err


def test_an_error_is_harmless_without_the_command_line_too():
    error = ModelError(f"'{EVIL}'")
    assert_harmless(str(error))
    assert error.args == (f"'{EVIL}'",)


def test_text_that_is_no_command_stays():
    for text in ("Größe\u00a05\u3000µm\n\tниже", "頭部CT", "e\u0301"):
        assert printable(text) == text
    assert printable("a\udcff") == "a\N{REPLACEMENT CHARACTER}"


SHOW = """
import sys
from nerone.cli.console import print_table, progress_bars
from nerone.cli.terminal import cleaned_streams
evil = sys.argv[1]
with cleaned_streams():
    with progress_bars() as show:
        show(evil, 1, 2)
        print("shown " + evil)
        print("shown " + evil, file=sys.stderr)
    print_table([evil], [[evil]], title=evil)
"""


def test_a_terminal_gets_the_commands_of_bars_and_tables_alone(tmp_path):
    ours, theirs = pty.openpty()
    words = [sys.executable, "-c", SHOW, EVIL]
    with subprocess.Popen(words, stdout=theirs, stderr=theirs, env={**os.environ, "TERM": "xterm"}) as process:
        os.close(theirs)
        got = b""
        try:
            while part := os.read(ours, 1 << 16):
                got += part
        except OSError:  # a terminal ends so
            pass
        assert process.wait(PATIENT_S) == 0
    os.close(ours)
    text = got.decode()
    assert "owned" in text
    assert "\x1b[" in text  # rich's own
    for piece in ("\x1b]", "\x07", "\x1b[2J", "\x1b[31m", "\x9b", "\u202e", "\x7f"):
        assert piece not in text


def test_help_keeps_its_colours(monkeypatch):
    stream = io.StringIO()
    stream.isatty = lambda: True
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr("typer.rich_utils.FORCE_TERMINAL", True)
    monkeypatch.setenv("TERM", "xterm-256color")
    assert main_module.main(["inspect", "--help"]) == 0
    assert "\x1b[" in stream.getvalue()


def verbs_of(command, words=()):
    """The words that lead to each group and verb below a command."""
    for name, verb in getattr(command, "commands", {}).items():
        yield (*words, name)
        yield from verbs_of(verb, (*words, name))


def test_help_of_every_group_and_verb_keeps_its_lines(capsys):
    every = [(), *verbs_of(main_module._command())]
    assert ("data", "phantoms") in every
    for words in every:
        assert main_module.main([*words, "--help"]) == 0
        text = capsys.readouterr().out
        assert "\N{REPLACEMENT CHARACTER}" not in text, words
        assert max(map(len, text.splitlines())) < 300, words


def test_a_console_writes_past_the_cleaning_once(capsys):
    with cleaned_streams(), cleaned_streams():
        console().print(EVIL.partition("\n")[0])
    assert_harmless(capsys.readouterr().out)


def test_there_is_one_way_to_the_terminal():
    folder = REPOSITORY / "python" / "nerone"
    found = {path.name for path in folder.rglob("*.py") if "import Console" in path.read_text("utf-8")}
    assert found == {"terminal.py"}
    assert [path.name for path in (folder / "cli").glob("*.py") if ".buffer" in path.read_text("utf-8")] == []
