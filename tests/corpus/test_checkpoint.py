import argparse
import pickle
import warnings
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from corpus.checkpoint import read
from corpus.errors import BadInput

WEIGHTS = {
    "logit_scale": torch.tensor(4.6),
    "token_embedding.weight": torch.arange(6.0).reshape(3, 2),
    "visual.proj": torch.ones(2, 2),
}


def led(lead: str) -> dict[str, torch.Tensor]:
    return {lead + name: weight for name, weight in WEIGHTS.items()}


@pytest.mark.parametrize(
    "held",
    [
        WEIGHTS,
        {"epoch": 3, "state_dict": led("module."), "optimizer": {"state": {}, "param_groups": []}},
        {"model": WEIGHTS, "epoch": 3},
        led("_orig_mod."),
        {"state_dict": led("module._orig_mod.")},
    ],
)
def test_weights_are_found_where_training_programs_put_them(
    tmp_path: Path, held: dict[str, object]
) -> None:
    torch.save(held, tmp_path / "a.pt")
    found = read(tmp_path / "a.pt")
    assert found.keys() == WEIGHTS.keys()
    assert all(torch.equal(found[name], weight) for name, weight in WEIGHTS.items())


def test_weights_of_two_models_are_not_mixed(tmp_path: Path) -> None:
    both = led("ema.") | WEIGHTS
    torch.save(both, tmp_path / "a.pt")
    assert read(tmp_path / "a.pt").keys() == both.keys()


class Tower(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
        self.register_buffer("input_resolution", torch.tensor(224))
        self.attn_mask = torch.zeros(2, 2)
        self.sizes = [1, 2]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.blocks(x) + self.attn_mask.sum()


class Both(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.visual, self.token_embedding = Tower(), nn.Embedding(3, 2)
        self.logit_scale = nn.Parameter(torch.tensor(4.6))
        self.none = nn.Parameter(torch.empty(0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.visual(x) * self.logit_scale


def archived(path: Path) -> dict[str, torch.Tensor]:
    model = Both().half()
    model.visual.blocks[0].weight.data = model.visual.blocks[0].weight.data.T.contiguous().T
    model.visual.blocks[1].weight.data = torch.arange(9.0).half()[3:].reshape(2, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(model), path)
    return model.state_dict()


def test_of_a_torchscript_archive_the_weights_are_read_and_its_program_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = archived(tmp_path / "ViT.pt")
    monkeypatch.setattr("torch.jit.load", None)
    found = read(tmp_path / "ViT.pt")
    assert found.keys() == expected.keys()
    for name, weight in expected.items():
        assert found[name].dtype == weight.dtype
        assert torch.equal(found[name], weight)


def test_an_archive_that_names_other_code_is_refused_and_the_code_not_run(tmp_path: Path) -> None:
    class Boom:
        def __reduce__(self) -> tuple[object, tuple[Path]]:
            return (Path.touch, (tmp_path / "ran",))

    with zipfile.ZipFile(tmp_path / "evil.pt", "w") as file:
        file.writestr("evil/constants.pkl", b"")
        file.writestr("evil/data.pkl", pickle.dumps(Boom(), protocol=2))
    with pytest.raises(BadInput, match=r"evil\.pt: not a state dict that can be loaded safely"):
        read(tmp_path / "evil.pt")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("share", [0.5, 0.99])
@pytest.mark.parametrize("name", ["a.pt", "a.safetensors"])
def test_a_file_that_is_cut_short_is_said_to_be(tmp_path: Path, name: str, share: float) -> None:
    path = tmp_path / name
    weights = WEIGHTS | {"visual.proj": torch.ones(99, 9)}
    save_file(weights, path) if path.suffix == ".safetensors" else torch.save(weights, path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(BadInput, match=rf"{name}: is cut short; download or copy it again"):
        read(path)


@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
@pytest.mark.parametrize(
    ("held", "said"),
    [
        (b"", "is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:a\n", "is Git LFS's pointer"),
        (b"\n<!DOCTYPE html><html>Sign in</html>", "is a page of the web"),
    ],
)
def test_what_a_download_left_in_place_of_a_checkpoint_is_told(
    tmp_path: Path, suffix: str, held: bytes, said: str
) -> None:
    (tmp_path / f"a.{suffix}").write_bytes(held)
    with pytest.raises(BadInput, match=rf"a\.{suffix}: {said}"):
        read(tmp_path / f"a.{suffix}")


@pytest.mark.parametrize(
    "name", ["model-00001-of-00002.safetensors", "model.safetensors.index.json"]
)
def test_one_of_several_files_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"{}")
    with pytest.raises(BadInput, match="is of a checkpoint in several files"):
        read(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "vision_model.embeddings.class_embedding",
            "is in the form of Hugging Face's transformers",
        ),
        ("base_model.model.visual.proj.lora_A.weight", "holds LoRA's additions to weights"),
        ("blocks.0.attn.qkv.weight", "holds no text tower of CLIP's"),
        ("visual.proj", "holds no text tower of CLIP's"),
    ],
)
def test_weights_of_another_form_are_told_by_their_names(
    tmp_path: Path, name: str, said: str
) -> None:
    save_file({name: torch.ones(2)}, tmp_path / "a.safetensors")
    with pytest.raises(BadInput, match=said):
        read(tmp_path / "a.safetensors")


def test_what_keeps_a_checkpoint_from_being_loaded_safely_is_named(tmp_path: Path) -> None:
    torch.save({"state_dict": WEIGHTS, "args": argparse.Namespace(lr=1)}, tmp_path / "a.pt")
    with pytest.raises(BadInput, match=r"it holds a pickled argparse\.Namespace\); save its state"):
        read(tmp_path / "a.pt")
