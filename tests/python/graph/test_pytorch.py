"""PyTorch modules and programs against PyTorch itself; checkpoints and hostile files without it."""

from __future__ import annotations

import io
import json
import os
import pickle
import re
import zipfile

import numpy as np
import pytest

from data.files import write_picture
from nerone.cli.main import main
from nerone.errors import ConfigurationError, ModelError
from nerone.graph import import_model, load
from nerone.graph.pickles import foreign_names
from nerone.graph.pytorch_model import from_pt2
from nerone.quantization.executor import Executor
from paths import REPOSITORY

NO_TORCH = "PyTorch and onnxscript are not installed: pip install 'nerone[torch]'"


@pytest.fixture
def torch():
    pytest.importorskip("onnxscript", reason=NO_TORCH)
    return pytest.importorskip("torch", reason=NO_TORCH)


def unet(torch):
    nn = torch.nn

    class Block(nn.Sequential):
        def __init__(self, before, after):
            super().__init__(nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU())

    class UNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.down, self.deep = Block(2, 4), Block(4, 8)
            self.up, self.end = nn.ConvTranspose2d(8, 4, 2, stride=2), nn.Conv2d(8, 3, 1)

        def forward(self, x):
            skip = self.down(x)
            deep = self.deep(nn.functional.max_pool2d(skip, 2))
            return self.end(torch.cat([self.up(deep), skip], 1))

    return UNet()


def classifier(torch):
    nn = torch.nn
    return nn.Sequential(
        nn.Conv2d(2, 6, 3, stride=2, padding=1),
        nn.BatchNorm2d(6),
        nn.LeakyReLU(0.1),
        nn.Conv2d(6, 6, 3, padding=1, groups=6),
        nn.Hardswish(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(6, 4),
    )


def randomized(torch, model):
    torch.manual_seed(0)
    for norm in (part for part in model.modules() if isinstance(part, torch.nn.BatchNorm2d)):
        norm.running_mean.normal_(0, 0.2)
        norm.running_var.uniform_(0.5, 2)
    return model


@pytest.mark.parametrize("build", [unet, classifier])
def test_module_and_program_compute_what_pytorch_computes(build, torch, tmp_path):
    model = randomized(torch, build(torch))
    model.train()
    graph = import_model(model, input_shape=(16, 12, 2))
    assert model.training, "the module is left as it was"
    model.eval()
    images = np.random.default_rng(0).normal(size=(1, 16, 12, 2)).astype(np.float32)
    feed = torch.from_numpy(images.transpose(0, 3, 1, 2).copy())
    torch.export.save(torch.export.export(model, (feed,)), str(tmp_path / "model.pt2"))
    with torch.no_grad():
        expected = model(feed).numpy()
    for found in (graph, load(tmp_path / "model.pt2")):
        got = Executor(found)(images)[0]
        got = got.transpose(0, 3, 1, 2) if got.ndim == 4 else got
        np.testing.assert_allclose(got, expected, atol=1e-4)


def test_a_module_needs_the_size_of_its_images(torch):
    with pytest.raises(ConfigurationError, match="input_shape="):
        import_model(classifier(torch))


def test_what_pytorch_cannot_export_or_the_dpu_cannot_run_is_named(torch):
    class Branching(torch.nn.Module):
        def forward(self, x):
            return x if x.sum() > 0 else -x

    with pytest.raises(ModelError, match="cannot export Branching"):
        import_model(Branching(), input_shape=(8, 8, 2))
    with pytest.raises(ModelError, match="InstanceNorm"):
        import_model(torch.nn.InstanceNorm2d(2), input_shape=(8, 8, 2))


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".ckpt"])
def test_a_checkpoint_is_one_sentence_with_what_to_type(suffix, tmp_path):
    path = tmp_path / f"model{suffix}"
    path.write_bytes(pickle.dumps({"weight": 1}))
    with pytest.raises(
        ConfigurationError, match=r"model\.eval\(\).*torch\.export\.export.*torch\.export\.save"
    ) as caught:
        load(path)
    assert "\n" not in str(caught.value)


class Bomb:
    """Touches a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("protocol", [0, 1, 2, 4, 5])
def test_pickles_are_read_without_being_run(protocol, tmp_path):
    content = pickle.dumps({"sample": Bomb(tmp_path / "ran")}, protocol)
    assert foreign_names(content)
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("archive/data.pkl", content)
    path = tmp_path / "model.pt2"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("m/models/model.json", "{}")
        archive.writestr("m/data/sample_inputs/model.pt", inner.getvalue())
    with pytest.raises(ModelError, match="would run"):
        from_pt2(path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("node", "reason"),
    [
        ({"target": "torch.hub.load"}, r"calls 'torch\.hub\.load'"),
        ({"target": "builtins.eval"}, "calls 'builtins.eval'"),
        ({"expr_str": "__import__('os').mkdir('x')"}, "no arithmetic"),
        ({"expr_str": "s0.__class__"}, "no arithmetic"),
    ],
)
def test_programs_that_call_or_compute_something_else(node, reason, tmp_path):
    path = tmp_path / "model.pt2"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("m/models/model.json", json.dumps({"graph": {"nodes": [node]}}))
    with pytest.raises(ModelError, match=reason):
        from_pt2(path)


def test_a_file_that_is_no_program(tmp_path):
    (tmp_path / "model.pt2").write_bytes(b"no zip")
    with pytest.raises(ModelError, match="no program of torch"):
        load(tmp_path / "model.pt2")


def test_the_page_does_what_it_says(torch, tmp_path, monkeypatch, capsys):
    """Every Python block of docs/pytorch.md that needs nothing but PyTorch, and every command but pip, in order."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for number in range(4):
        picture = rng.integers(0, 256, (64, 64, 3), np.uint8)
        write_picture(tmp_path / "images" / ("cat", "dog")[number % 2] / f"{number}.png", picture)
    page = (REPOSITORY / "docs" / "pytorch.md").read_text("utf-8")
    names, said = {}, []
    for kind, block in re.findall(r"```(python|text)\n(.*?)```", page, re.DOTALL):
        if kind == "python" and "monai" not in block:
            exec(compile(block, "docs/pytorch.md", "exec"), names)
        for line in block.splitlines() if kind == "text" else ():
            if line.startswith("nerone "):
                more = ["--port", "0", "--seconds", "1"] if " live " in line else []
                assert main([*line.split()[1:], *more]) == 0, capsys.readouterr().err
                said.append(capsys.readouterr().out)
    deployed, scores, live = said
    assert (tmp_path / "classifier.nerone" / "bundle.json").is_file()
    assert "classifier.nerone" in deployed
    assert re.search(r"accuracy +│ [0-9.]+ +│ [0-9.]+ +│", scores), scores
    assert "open http" in live


def test_monai_block_of_the_page(torch):
    pytest.importorskip("monai", reason="MONAI is not installed")
    page = (REPOSITORY / "docs" / "pytorch.md").read_text("utf-8")
    block = next(block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "monai" in block)
    names = {}
    exec(compile(block, "docs/pytorch.md", "exec"), names)
    images = np.random.default_rng(0).normal(size=(1, 64, 64, 1)).astype(np.float32)
    with torch.no_grad():
        expected = names["model"].eval()(torch.from_numpy(images.transpose(0, 3, 1, 2).copy())).numpy()
    found = Executor(names["graph"])(images)[0].transpose(0, 3, 1, 2)
    np.testing.assert_allclose(found, expected, atol=1e-4)
