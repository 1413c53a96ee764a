import copy
import errno
import json
import logging
import os
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import open_clip
import pytest
import torch
from huggingface_hub import constants as hub
from safetensors.torch import save_file

from corpus.backbone import Backbone, fingerprint, load, load_again
from corpus.errors import BadInput
from corpus.origin import OPENAI, check_activation, usual_pixels
from corpus.source import CONFIGS, find

ONLINE = hub.HF_HUB_OFFLINE  # what is set, before anything is loaded


@pytest.fixture(scope="module")
def state(mini: Backbone) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in mini.model.state_dict().items()}


def test_text_embeddings_are_unit_rows_in_the_joint_space(mini: Backbone) -> None:
    embeddings = mini.encode_text(["a ball", "a dog on a beach", ""])
    assert embeddings.shape == (3, mini.dim)
    torch.testing.assert_close(embeddings.norm(dim=-1), torch.ones(3))


@pytest.fixture
def add_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes known to open_clip, for one test, a model that differs from alt-mini as is said."""
    for kept in ("_MODEL_CONFIGS", "_MODEL_CONFIG_PATHS"):
        monkeypatch.setattr(open_clip.factory, kept, copy.copy(getattr(open_clip.factory, kept)))

    def add(name: str, vision: dict[str, object] | None = None, **other: object) -> None:
        config = open_clip.get_model_config("alt-mini") | other
        config["vision_cfg"] |= vision or {}
        (tmp_path / f"{name}.json").write_text(json.dumps(config))
        open_clip.add_model_config(tmp_path / f"{name}.json")

    return add


def test_a_config_of_one_s_own_is_loaded_by_its_name(add_config: Callable[..., None]) -> None:
    add_config("my-own", {"layers": 2, "image_size": 48})
    with pytest.warns(UserWarning, match="my-own has RANDOM weights"):
        mine = load("my-own", "none")
    assert (mine.name, mine.preprocess.size, mine.dim) == ("my-own/none", (48, 48), 128)


def test_what_the_process_has_set_decides_nothing_and_stays_as_it_is(mini: Backbone) -> None:
    root, disabled = logging.root, logging.root.manager.disable
    handlers = root.handlers[:]
    root.handlers.clear()  # those of pytest
    torch.set_default_dtype(torch.float64)
    try:
        torch.manual_seed(7)
        with warnings.catch_warnings(), ThreadPoolExecutor(3) as crew:
            warnings.simplefilter("ignore")
            made = list(crew.map(lambda _: load("alt-mini", "none").fingerprint, range(3)))
        drawn = torch.rand(3)
        assert torch.get_default_dtype() == torch.float64
        assert not root.handlers
    finally:
        torch.set_default_dtype(torch.float32)
        root.handlers[:] = handlers
    assert made == [mini.fingerprint] * 3
    assert (logging.root.manager.disable, hub.HF_HUB_OFFLINE) == (disabled, ONLINE)
    torch.manual_seed(7)
    assert torch.equal(drawn, torch.rand(3, dtype=torch.float64))


def test_a_device_that_is_not_there_is_refused_in_one_line() -> None:
    with pytest.raises(BadInput, match=r"^device nowhere: cannot be used \(.+\); use cpu$"):
        load("alt-mini", device="nowhere")


def test_no_texts_give_no_rows(mini: Backbone) -> None:
    assert mini.encode_text([]).shape == (0, mini.dim)


def test_batches_do_not_change_embeddings(mini: Backbone) -> None:
    texts = [f"{n} balls" for n in range(7)]
    torch.testing.assert_close(mini.encode_text(texts, batch_size=2), mini.encode_text(texts))


def test_token_counts_tell_which_texts_are_cut(mini: Backbone) -> None:
    short, long = mini.token_counts(["a ball", "ball " * 100])
    assert short == 4
    assert long > mini.context_length


def test_a_small_vocabulary_still_spells_any_text(mini: Backbone) -> None:
    text = "playing didgeridoo & 太極拳"
    tokens = mini.tokenizer.encode(text)  # type: ignore[attr-defined]
    assert max(tokens) < mini.model.vocab_size
    assert mini.tokenizer.decode(tokens).strip() == text  # type: ignore[attr-defined]


def test_random_weights_say_so_and_are_the_same_each_time(mini: Backbone) -> None:
    with pytest.warns(UserWarning, match="RANDOM"):
        again = load("alt-mini", "none")
    assert again.random
    assert again.fingerprint == mini.fingerprint
    with pytest.warns(UserWarning, match="RANDOM"):
        assert load("alt-mini", "none", seed=1).fingerprint != mini.fingerprint


def test_loading_leaves_the_random_state_alone() -> None:
    before = torch.random.get_rng_state()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        load("alt-mini", "none")
    assert torch.equal(before, torch.random.get_rng_state())


def test_the_fingerprint_is_of_the_weights_and_not_of_the_name(
    mini: Backbone,
    state: dict[str, torch.Tensor],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    save_file(state, tmp_path / "any name.safetensors")
    from_file = load("alt-mini", "~/any name.safetensors")
    assert from_file.fingerprint == mini.fingerprint
    assert from_file.name == f"alt-mini/{tmp_path}/any name.safetensors"
    state["logit_scale"] = state["logit_scale"] + 1
    save_file(state, tmp_path / "any name.safetensors")
    changed = load("alt-mini", str(tmp_path / "any name.safetensors"))
    assert changed.fingerprint != mini.fingerprint


def test_the_fingerprint_sees_the_activation_that_weights_do_not_show(mini: Backbone) -> None:
    import open_clip

    torch.manual_seed(0)
    plain = open_clip.create_model("alt-mini")
    quick = open_clip.create_model("alt-mini", force_quick_gelu=True)
    quick.load_state_dict(plain.state_dict())
    assert fingerprint(plain) != fingerprint(quick)


def test_the_fingerprint_sees_heads_and_input_size_that_weights_do_not_show() -> None:
    import open_clip

    torch.manual_seed(0)
    model = open_clip.create_model("alt-mini")
    before = fingerprint(model)
    size, heads = model.visual.image_size, model.transformer.resblocks[0].attn
    model.visual.image_size = (1, 1)
    assert fingerprint(model) != before
    model.visual.image_size = size
    assert fingerprint(model) == before
    heads.num_heads *= 2
    assert fingerprint(model) != before


def test_openai_weights_under_a_plain_name_are_refused(
    state: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    marks = {"input_resolution": 112, "context_length": 40, "vocab_size": 4610}
    path = tmp_path / "clip.pt"
    torch.save(state | {name: torch.tensor(value) for name, value in marks.items()}, path)
    with pytest.raises(BadInput, match=r"QuickGELU.*use --model ViT-B-16-quickgelu"):
        load("ViT-B-16", str(path))


def test_openai_weights_under_a_quick_gelu_name_are_taken_without_their_numbers(
    state: dict[str, torch.Tensor], tmp_path: Path, add_config: Callable[..., None]
) -> None:
    add_config("small-quickgelu", quick_gelu=True)
    marks = {"input_resolution": 112, "context_length": 40, "vocab_size": 4610}
    path = tmp_path / "clip.safetensors"
    halves = {name: weight.half() for name, weight in state.items()}
    save_file(halves | {name: torch.tensor(value) for name, value in marks.items()}, path)
    held = load("small-quickgelu", str(path)).model.state_dict()
    assert held.keys() == state.keys()
    assert all(torch.equal(held[name], weight.float()) for name, weight in halves.items())


def test_a_config_beside_the_checkpoint_betrays_quick_gelu(
    state: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    save_file(state, tmp_path / "open_clip_model.safetensors")
    config = {"model_cfg": {"quick_gelu": True}}
    (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
    with pytest.raises(BadInput, match=r"open_clip_config\.json beside it says so"):
        load("alt-mini", str(tmp_path / "open_clip_model.safetensors"))
    (tmp_path / "open_clip_config.json").write_text(json.dumps({"model_cfg": {}}))
    with pytest.raises(BadInput, match=r"without QuickGELU.* uses it.*use --model ViT-B-16$"):
        load("ViT-B-16-quickgelu", str(tmp_path / "open_clip_model.safetensors"))


def test_pixels_are_prepared_as_the_config_beside_the_checkpoint_says(
    mini: Backbone, state: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    path, config = tmp_path / "a.safetensors", tmp_path / "open_clip_config.json"
    save_file(state, path)
    told = {"mean": [0.5, 0.4, 0.3], "std": [0.5] * 3, "resize_mode": "squash", "size": 7}
    config.write_text(json.dumps({"model_cfg": {}, "preprocess_cfg": told}))
    made = load("alt-mini", str(path)).preprocess
    assert (made.mean, made.std, made.resize_mode) == ((0.5, 0.4, 0.3), (0.5,) * 3, "squash")
    assert (made.size, made.interpolation) == (mini.preprocess.size, "bicubic")
    for broken in ({"mean": [0.5]}, {"interpolation": "random"}):
        config.write_text(json.dumps({"model_cfg": {}, "preprocess_cfg": broken}))
        with pytest.warns(UserWarning, match=f"ignored .preprocess_cfg.{next(iter(broken))}"):
            assert load("alt-mini", str(path)).preprocess == mini.preprocess


def test_a_file_named_like_quick_gelu_weights_warns(
    state: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    path = tmp_path / "ViT-B-16.pt"
    torch.save(state, path)
    with pytest.warns(UserWarning, match="file name of weights trained with QuickGELU"):
        load("alt-mini", str(path))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_activation("ViT-B-16-quickgelu", path, state)


def test_pixels_that_nothing_tells_of_are_prepared_as_for_the_model_s_tags() -> None:
    path = Path("a.safetensors")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert usual_pixels("ViT-H-14-378", path, ())["resize_mode"] == "squash"
        assert usual_pixels("ViT-B-16", path, ())["resize_mode"] == "shortest"
        assert usual_pixels("alt-mini", path, ()) == {}
        assert usual_pixels("ViT-L-14", path, OPENAI) == {}  # of its tags one differs
    with pytest.warns(UserWarning, match=r"a\.safetensors: nothing .* laion2b_s32b_b82k$"):
        usual_pixels("ViT-L-14", path, ())


def test_weights_fit_a_model_whose_text_tower_is_a_module_of_its_own(
    mini: Backbone, state: dict[str, torch.Tensor], tmp_path: Path, add_config: Callable[..., None]
) -> None:
    save_file(state, tmp_path / "a.safetensors")
    add_config("apart", custom_text=True)
    made = load("apart", str(tmp_path / "a.safetensors"))
    torch.testing.assert_close(made.encode_text(["a ball"]), mini.encode_text(["a ball"]))


def test_weights_come_with_the_pixels_of_their_tag_or_of_their_model_s_tags(
    state: dict[str, torch.Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.safetensors"
    save_file(state, path)
    monkeypatch.setattr(open_clip, "download_pretrained", lambda known: str(path))
    for tag in ("datacomp1b", str(path)):
        assert find("ViT-L-14-CLIPA", tag).pixels == {
            "mean": (0.485, 0.456, 0.406),
            "std": (0.229, 0.224, 0.225),
            "interpolation": "bilinear",
            "resize_mode": "squash",
        }


def test_weights_are_known_by_their_digest_whatever_they_are_called(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = open_clip.get_pretrained_cfg("ViT-B-16", "openai")["url"]
    monkeypatch.setattr("corpus.origin.sha256", lambda path: url.split("/")[-2])
    check_activation("ViT-B-16-quickgelu", Path("mine.pt"), ())
    with pytest.raises(BadInput, match=r"trained with QuickGELU \(it is ViT-B-16/openai\)"):
        check_activation("ViT-B-16", Path("mine.pt"), ())


def test_a_tag_that_needs_quick_gelu_gets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    bundled = str(CONFIGS / "alt-mini.safetensors")
    monkeypatch.setattr(open_clip, "download_pretrained", lambda known: bundled)
    asked: dict[str, object] = {}

    def refuse(*args: object, **options: object) -> None:
        asked.update(options)
        raise RuntimeError("offline")

    monkeypatch.setattr(open_clip, "create_model", refuse)
    with pytest.raises(BadInput):
        load("ViT-B-16", "openai")
    assert asked["force_quick_gelu"] is True
    with pytest.raises(BadInput):
        load("ViT-B-16", "laion2b_s34b_b88k")
    assert asked["force_quick_gelu"] is False


def test_an_unknown_model_is_refused_with_near_names() -> None:
    with pytest.raises(BadInput, match=r"--model ViT-B-17: .*ViT-B-16"):
        load("ViT-B-17")


@pytest.mark.parametrize("model", ["ViT-B-16-SigLIP", "roberta-ViT-B-32"])
def test_a_model_whose_tokenizer_is_not_clip_s_is_refused(model: str) -> None:
    with pytest.raises(BadInput, match=rf"--model {model}: reads text by a tokenizer of Hugging"):
        load(model, "none")


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("RN50", "is a ModifiedResNet, not"),
        ("EVA02-E-14-plus", "is one of timm's, not"),
        ("PE-Core-B-16", "is one of timm's, not"),
        ("coca_ViT-B-32", "pools by attention"),
    ],
)
def test_a_model_whose_regions_cannot_be_had_is_refused_before_it_is_made(
    monkeypatch: pytest.MonkeyPatch, model: str, said: str
) -> None:
    monkeypatch.setattr(open_clip, "create_model", None)
    with pytest.raises(BadInput, match=rf"^--model {model}: its image tower {said}"):
        load(model)


@pytest.mark.parametrize("model", ["hf-hub:laion/CLIP", "local-dir:weights"])
def test_a_place_of_weights_is_no_model(model: str) -> None:
    with pytest.raises(BadInput, match=rf"^--model {model}: says where weights are, not what"):
        load(model)


def test_what_a_model_lacks_is_named_where_no_weights_are_wanted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import open_clip

    def lacks(*args: object, **options: object) -> None:
        raise ModuleNotFoundError("No module named 'timm'")

    monkeypatch.setattr(open_clip, "create_model", lacks)
    wanted = r"--model ViT-B-16: cannot be made \(No module named 'timm'\)"
    with pytest.warns(UserWarning, match="RANDOM"), pytest.raises(BadInput, match=wanted):
        load("ViT-B-16", "none")


def test_a_tag_of_no_model_is_refused_with_the_tags_there_are() -> None:
    with pytest.raises(BadInput, match=r"nowhere\.pt: neither a file nor a tag.*openai"):
        load("ViT-B-16", "nowhere.pt")


def test_the_bundled_backbone_with_a_tag_of_others_is_told_to_go_without() -> None:
    with pytest.raises(BadInput, match=r"of alt-mini \(it has no tags\); leave it out"):
        load("alt-mini", "openai")


def test_weights_that_cannot_be_downloaded_name_the_ways_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("corpus.backbone._reachable", lambda: False)
    with pytest.raises(BadInput, match=r"cannot be downloaded.*--model alt-mini.*--pretrained"):
        load("ViT-B-16", "laion2b_s34b_b88k")


def test_a_cache_that_cannot_be_written_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(known: object) -> None:
        try:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            raise FileNotFoundError("Failed to download file")  # noqa: B904  (as open_clip does)

    monkeypatch.setattr(open_clip, "download_pretrained", full)
    with pytest.raises(BadInput, match=r"cannot be written to the cache \(No space left"):
        load("ViT-B-16", "openai")


def test_a_tag_s_file_that_is_damaged_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "open_clip_model.safetensors"
    path.write_bytes(b"")
    monkeypatch.setattr(open_clip, "download_pretrained", lambda known: str(path))
    with pytest.raises(BadInput, match=r"open_clip_model\.safetensors: is empty"):
        load("ViT-B-16", "openai")


def test_of_a_folder_the_checkpoints_in_it_are_named(tmp_path: Path) -> None:
    for name in ("open_clip_model.safetensors", "open_clip_config.json"):
        (tmp_path / name).touch()
    with pytest.raises(BadInput, match=r"is a folder \(with open_clip_model\.safetensors\); give"):
        load("alt-mini", str(tmp_path))


@pytest.mark.parametrize("name", ["a.pt", "a.safetensors"])
def test_a_file_that_is_no_checkpoint_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(b"not weights")
    with pytest.raises(BadInput, match=r"a\.(pt|safetensors): not a"):
        load("alt-mini", str(path))


@pytest.mark.parametrize("held", [{}, [1], {"state_dict": None}])
def test_a_file_without_a_state_dict_is_refused(held: object, tmp_path: Path) -> None:
    torch.save(held, tmp_path / "a.pt")
    with pytest.raises(BadInput, match=r"a\.pt: holds no state dict"):
        load("alt-mini", str(tmp_path / "a.pt"))


def test_a_checkpoint_in_the_oldest_form_is_read_and_one_that_diverged_is_refused(
    mini: Backbone, tmp_path: Path
) -> None:
    path, state = tmp_path / "a.pt", mini.model.state_dict()
    torch.save(state, path, _use_new_zipfile_serialization=False)
    assert load("alt-mini", str(path)).fingerprint == mini.fingerprint
    torch.save(state | {"visual.proj": state["visual.proj"] * float("nan")}, path)
    with pytest.raises(BadInput, match=r"a\.pt: has weights that are not finite"):
        load("alt-mini", str(path))


@pytest.mark.parametrize("config", [None, {"model_cfg": {"quick_gelu": False}}])
def test_a_pickle_that_would_run_code_is_refused_and_not_run(
    tmp_path: Path, config: dict[str, object] | None
) -> None:
    class Boom:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (tmp_path / "ran",))  # type: ignore[return-value]

    path = tmp_path / "evil.pt"
    torch.save({"state_dict": Boom()}, path)
    if config:  # which tells the activation without a look at the weights
        (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
    with pytest.raises(BadInput, match="loaded safely"):
        load("alt-mini", str(path))
    assert not (tmp_path / "ran").exists()


def test_a_backbone_that_is_not_there_any_more_is_told_of_by_what_it_made() -> None:
    wanted = (
        r"feats\.h5: was made with alt-mini/gone\.pt, which cannot be opened here "
        r"\(neither a file nor a tag of alt-mini .*\); bring the weights"
    )
    with pytest.raises(BadInput, match=wanted) as caught:
        load_again("alt-mini", "gone.pt", "feats.h5")
    assert "--" not in str(caught.value)  # options that the command may not have


def test_weights_of_another_shape_are_refused_in_one_line(
    state: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    path = tmp_path / "other.safetensors"
    save_file(state, path)
    wanted = r"other\.safetensors: does not fit ViT-B-32 \(.* is .*, not .*; use --model alt-mini$"
    with pytest.raises(BadInput, match=wanted) as caught:
        load("ViT-B-32", str(path))
    assert "\n" not in str(caught.value)


def test_what_is_too_little_or_too_much_is_named(
    state: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    path = tmp_path / "a.safetensors"
    save_file(state | {"visual.extra": torch.ones(2)}, path)
    with pytest.raises(BadInput, match=r"\(it has visual\.extra\); name the model"):
        load("alt-mini", str(path))
    save_file({name: w for name, w in state.items() if name != "visual.proj"}, path)
    with pytest.raises(BadInput, match=r"\(it lacks visual\.proj\); name the model"):
        load("alt-mini", str(path))


def test_weights_of_another_input_size_are_stretched_with_a_warning(
    state: dict[str, torch.Tensor], tmp_path: Path, add_config: Callable[..., None]
) -> None:
    path = tmp_path / "a.safetensors"
    save_file(state, path)
    text = open_clip.get_model_config("alt-mini")["text_cfg"] | {"context_length": 50}
    add_config("larger", {"image_size": 144}, text_cfg=text)
    there, here = (1 + (size // 12) ** 2 for size in (120, 144))
    with pytest.warns(UserWarning, match="it is stretched .* use --model alt-mini$") as told:
        made = load("larger", str(path)).model
    assert (len(made.visual.positional_embedding), len(made.positional_embedding)) == (here, 50)
    said = [str(one.message).split(": ")[1].split(";")[0] for one in told]
    assert said == [
        "positional_embedding has 40 places, larger has 50",
        f"visual.positional_embedding has {there} places, larger has {here}",
    ]
