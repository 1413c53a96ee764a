import copy
import io
from dataclasses import replace
from itertools import chain

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from adapter.baselines import build
from adapter.clips import Clips, mean_class_token
from adapter.data import ClipSet, open_clips
from adapter.evaluate import evaluate
from adapter.model import ModelConfig, Recogniser
from adapter.schedule import Average, groups, temperature
from adapter.stores import InMemory
from adapter.train import Progress, TrainConfig, _loss, _validate, fit, train
from corpus.errors import BadInput, RunFailed

DIM = 32
CLASSES = ("archery", "hugging", "singing", "cleaning pool")
LABELS = F.normalize(torch.randn(4, 2, DIM, generator=torch.Generator().manual_seed(3)), dim=-1)
ENTITIES = F.normalize(torch.randn(40, DIM, generator=torch.Generator().manual_seed(1)), dim=-1)
QUICK = TrainConfig(epochs=4, batch_size=6, mixup=0.4)


def recogniser(method: str = "alt", seed: int = 0) -> Recogniser:
    return build(ModelConfig.model_validate({"method": method}), ENTITIES, 5, 100.0, seed)


@pytest.fixture
def clips(write_cache) -> ClipSet:
    return open_clips([write_cache(per_class=4, views="1x2")])


class Watched(Recogniser):
    """Learns one vector, and notes what it is shown."""

    def __init__(self) -> None:
        super().__init__(10.0)
        self.weight = nn.Parameter(torch.zeros(DIM))
        self.shown: list[tuple[Clips, tuple[Tensor, float] | None]] = []

    def forward(
        self, clips: Clips, labels: Tensor, mix: tuple[Tensor, float] | None = None
    ) -> Tensor:
        self.shown.append((clips, mix))
        video = mean_class_token(clips.regions) + self.weight
        logits: Tensor = self.log_scale.exp() * video @ labels[:, 0].T
        return logits


QUIET = TrainConfig(
    epochs=3, batch_size=6, frame_dropout=0, region_dropout=0, mirror=False, reframe=0, mixup=0
)


def shown(clips: ClipSet, **settings: object) -> list[tuple[Clips, tuple[Tensor, float] | None]]:
    """What a recogniser is shown in each step, without noise but for what is set."""
    model = Watched()
    train(model, clips, LABELS, QUIET.model_copy(update=settings))
    return model.shown


def test_each_batch_of_an_epoch_and_of_its_validation_is_told_of(clips: ClipSet) -> None:
    told: list[tuple[int, int]] = []
    epochs = fit(Watched(), clips, LABELS, QUIET, clips, tally=lambda *done: told.append(done))
    next(epochs)
    assert len(clips) == 16  # of two views, each scored
    assert told == [(n, 3) for n in range(4)] + [(n, 6) for n in range(7)]


def saved(progress: Progress) -> Progress:
    """Progress as it comes back from a checkpoint file."""
    file = io.BytesIO()
    torch.save(vars(progress), file)
    file.seek(0)
    return Progress(**torch.load(file, weights_only=True))


def same(one: Progress, other: Progress) -> bool:
    return one.history == other.history and all(
        torch.equal(value, other.weights[name]) for name, value in one.weights.items()
    )


def test_training_leaves_the_callers_own_draws_alone(clips: ClipSet) -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    train(recogniser(), clips, LABELS, QUICK)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize(
    "method", ["linear", "temporal", "alt-paper", "alt-learned", "alt-shuffled", "alt"]
)
def test_sixteen_clips_are_learned_by_heart(clips: ClipSet, method: str) -> None:
    # Labels far from their clips: nothing is right before training.
    config = TrainConfig(
        epochs=200, batch_size=16, lr=5e-3, label_smoothing=0, weight_decay=0,
        frame_dropout=0, mirror=False, reframe=0, mixup=0,
    )  # fmt: skip
    model = recogniser(method)
    assert evaluate(model, clips, LABELS).top1 < 1
    train(model, clips, LABELS, config)
    assert evaluate(model, clips, LABELS).top1 == 1


def test_the_same_seed_gives_the_same_run_bit_for_bit(clips: ClipSet) -> None:
    runs = [copy.deepcopy(train(recogniser(), clips, LABELS, QUICK, clips)) for _ in range(2)]
    assert same(*runs)
    other = train(recogniser(), clips, LABELS, QUICK.model_copy(update={"seed": 1}), clips)
    assert not same(runs[0], other)


def test_each_epoch_shows_each_clip_once_in_an_order_of_its_own_and_all_views_in_turn(
    clips: ClipSet,
) -> None:
    every, _ = clips.fetch(torch.arange(2 * len(clips)))
    item_of = {regions.numpy().tobytes(): item for item, regions in enumerate(every.regions)}
    steps = [
        [item_of[regions.numpy().tobytes()] for regions in batch.regions]
        for batch, _ in shown(clips, epochs=16)
    ]
    assert [len(step) for step in steps] == [6, 6, 4] * 16
    epochs = [[*chain(*steps[start : start + 3])] for start in range(0, len(steps), 3)]
    orders = [tuple(item // 2 for item in items) for items in epochs]
    assert all(sorted(order) == list(range(16)) for order in orders)
    assert len(set(orders)) == 16
    assert set(chain(*epochs)) == set(range(32))


def test_what_is_shown_has_each_noise_that_is_asked_for_and_no_other(clips: ClipSet) -> None:
    plain = shown(clips)

    def whole(run: list[tuple[Clips, tuple[Tensor, float] | None]]) -> Clips:
        """Clips of all steps together."""
        assert all(mix is None for _, mix in run)
        return Clips(
            torch.cat([batch.regions for batch, _ in run]),
            torch.cat([batch.place for batch, _ in run]),
        )

    one, same = whole(plain), whole(shown(clips))
    assert torch.equal(one.regions, same.regions)
    assert torch.equal(one.place, same.place)
    other = whole(shown(clips, frame_dropout=0.5))
    dropped = (one.regions != other.regions).flatten(2).any(dim=-1)
    assert not dropped[:, 0].any()
    assert 0.3 < dropped[:, 1:].float().mean() < 0.7
    assert whole(shown(clips, region_dropout=0.5)).regions.shape[2] == 1 + 2
    other = whole(shown(clips, mirror=True))
    mirrored = (one.place != other.place).flatten(1).any(dim=1)
    assert 0.3 < mirrored.float().mean() < 0.7
    other = whole(shown(clips, reframe=0.2))
    assert (one.place != other.place).flatten(1).any(dim=1).all()
    assert torch.equal(one.regions, other.regions)
    shares = [mix[1] for _, mix in shown(clips, mixup=0.4) if mix is not None]
    assert len(set(shares)) == len(plain)  # each step draws its own noise


def test_the_loss_of_mixed_clips_is_that_of_their_labels_mixed() -> None:
    logits, target = torch.randn(4, 5), torch.tensor([3, 0, 4, 4])
    smooth = 0.9 * F.one_hot(target, 5) + 0.1 / 5
    other = torch.tensor([1, 0, 3, 2])
    mixed = 0.7 * smooth + 0.3 * smooth[other]
    torch.testing.assert_close(_loss(logits, target, None, 0.1), F.cross_entropy(logits, smooth))
    torch.testing.assert_close(
        _loss(logits, target, (other, 0.7), 0.1), F.cross_entropy(logits, mixed)
    )


def test_a_step_is_along_no_longer_a_gradient_than_asked_for_and_fast_for_single_numbers(
    clips: ClipSet, monkeypatch
) -> None:
    norms, factors = [], []

    def watched(self, *_: object) -> None:
        weights = [weight for group in self.param_groups for weight in group["params"]]
        norms.append(float(torch.stack([weight.grad.norm() for weight in weights]).norm()))
        factors.append(self.param_groups[-1]["lr"] / self.param_groups[0]["lr"])

    monkeypatch.setattr(torch.optim.AdamW, "step", watched)
    progress = train(Watched(), clips, LABELS, QUIET.model_copy(update={"clip_norm": 1e-3}))
    assert norms == pytest.approx([1e-3] * 9, rel=1e-2)
    assert all(record["gradient_norm"] > 1e-2 for record in progress.history)  # before
    assert factors == pytest.approx([QUIET.fast] * 9)


def test_matrices_alone_decay_and_single_numbers_alone_move_faster() -> None:
    model = build(ModelConfig(gate=True, project=True), ENTITIES, 5, 100.0)
    divided = groups(model, 0.05, 30.0)
    found = {
        id(weight): (group["weight_decay"], group["factor"])
        for group in divided
        for weight in group["params"]
    }
    assert len(found) == sum(len(group["params"]) for group in divided)
    assert found == {
        id(weight): (0.05 if weight.ndim > 1 else 0, 30 if name in ("log_scale", "gate") else 1)
        for name, weight in model.named_parameters()
    }


@pytest.mark.parametrize("stop", [1, 3])
def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(clips: ClipSet, stop: int) -> None:
    whole = copy.deepcopy(list(fit(recogniser(), clips, LABELS, QUICK, clips))[-1])
    for progress in fit(recogniser(), clips, LABELS, QUICK, clips):
        if progress.epoch == stop:
            kept = saved(progress)
            break
    torch.rand(7)  # a new process has another generator state
    *_, resumed = fit(recogniser(seed=5), clips, LABELS, QUICK, clips, progress=kept)
    assert same(whole, resumed)
    assert resumed.best_epoch == whole.best_epoch
    assert all(torch.equal(value, resumed.best[name]) for name, value in whole.best.items())


def test_streamed_clips_train_to_the_same_bits_as_clips_in_memory(write_cache) -> None:
    path = write_cache()
    runs = [
        train(recogniser(), open_clips([path], in_memory=held), LABELS, QUICK)
        for held in (True, False)
    ]
    assert same(*runs)


def test_the_best_epoch_is_that_of_the_validation_clips(write_cache) -> None:
    clips = open_clips([write_cache(noise=4)])
    val = open_clips([write_cache("val.h5", noise=4, seed=1, split="val")])
    config = TrainConfig(epochs=8, batch_size=8, lr=5e-3)
    model = recogniser()
    progress = train(model, clips, LABELS, config, val)
    scores = [(record["val_top1"], -record["val_loss"]) for record in progress.history]
    assert scores[progress.best_epoch - 1] == max(scores)
    assert evaluate(model, val, LABELS).top1 == max(scores)[0]


def test_without_validation_clips_the_last_epoch_is_the_best(clips: ClipSet) -> None:
    progress = train(recogniser(), clips, LABELS, QUICK)
    assert progress.best_epoch == QUICK.epochs
    assert all(torch.equal(value, progress.weights[name]) for name, value in progress.best.items())


def test_a_validation_video_that_could_not_be_decoded_is_wrong_and_changes_no_choice(
    write_cache,
) -> None:
    clips = open_clips([write_cache(noise=4)])
    path = write_cache("val.h5", noise=4, seed=1, split="val", failed=4)
    decoded, whole = (
        train(recogniser(), clips, LABELS, QUICK, open_clips([path], scored=scored))
        for scored in (False, True)
    )
    assert whole.best_epoch == decoded.best_epoch
    for one, other in zip(decoded.history, whole.history, strict=True):
        assert other["val_top1"] == pytest.approx(one["val_top1"] * 16 / 20)
        assert other["val_loss"] == one["val_loss"]


def test_training_that_diverges_ends_and_names_the_epoch(clips: ClipSet, monkeypatch) -> None:
    config = TrainConfig(epochs=5, batch_size=16).model_copy(update={"lr": 1e30})
    with pytest.raises(RunFailed, match=r"epoch 2: training diverged.*lower lr"):
        train(recogniser("linear"), clips, LABELS, config)
    spoiled = replace(clips, store=InMemory(clips.store.clips.map(torch.clone)))
    spoiled.store.clips.regions[3] = torch.nan
    with pytest.raises(RunFailed, match="epoch 1: training diverged"):
        train(recogniser("linear"), spoiled, LABELS, QUICK)

    def ruin(self, *_: object) -> None:
        with torch.no_grad():
            self.param_groups[0]["params"][0].fill_(torch.inf)

    monkeypatch.setattr(torch.optim.AdamW, "step", ruin)
    with pytest.raises(RunFailed, match="epoch 1: training diverged"):  # though its loss is fine
        train(recogniser("linear"), clips, LABELS, TrainConfig(epochs=1, batch_size=16))


def test_clips_that_are_none_or_of_other_labels_are_refused(clips: ClipSet) -> None:
    for some, labels in ((clips.subset([]), LABELS), (clips, LABELS[:2])):
        with pytest.raises(
            BadInput, match=r"clips: are \d+, of 4 classes, for \d labels; give some"
        ):
            train(recogniser("linear"), some, labels, QUICK)


def test_the_learning_rate_rises_then_falls(clips: ClipSet, monkeypatch) -> None:
    rates = []
    step = torch.optim.AdamW.step

    def watched(self, *args, **kwargs):
        rates.append(self.param_groups[0]["lr"])
        return step(self, *args, **kwargs)

    monkeypatch.setattr(torch.optim.AdamW, "step", watched)
    train(recogniser(), clips, LABELS, TrainConfig(epochs=10, batch_size=6, lr=1e-3))
    assert len(rates) == 30
    peak = rates.index(max(rates))
    assert peak == 3
    assert max(rates) == pytest.approx(1e-3)
    assert rates[:3] == pytest.approx([2.5e-4, 5e-4, 7.5e-4])
    assert rates[3:] == sorted(rates[3:], reverse=True)
    # After one and two thirds of the fall a cosine is 1/2 and −1/2.
    assert [rates[12], rates[21]] == pytest.approx([7.525e-4, 2.575e-4])
    assert 1e-5 < rates[-1] < 3e-5  # a hundredth of the peak, nearly


def test_a_batch_in_parts_takes_the_step_of_the_whole_batch(clips: ClipSet) -> None:
    shape = ModelConfig(explore=True, dropout=0.2)
    runs = []
    for parts in (1, 4):
        model = build(shape, ENTITIES, 5, 100.0)
        config = TrainConfig(epochs=3, batch_size=6, region_dropout=0.2, accumulate=parts)
        runs.append(train(model, clips, LABELS, config))
    for one, other in zip(runs[0].history, runs[1].history, strict=True):
        assert one["loss"] == pytest.approx(other["loss"], rel=1e-5)


@pytest.mark.parametrize("stop", [1, 3])
def test_a_resumed_average_equals_an_uninterrupted_one_bit_for_bit(clips, stop: int) -> None:
    config = QUICK.model_copy(update={"ema": 0.9, "temperature_end": 0.2})
    whole = copy.deepcopy(list(fit(recogniser(), clips, LABELS, config, clips))[-1])
    for progress in fit(recogniser(), clips, LABELS, config, clips):
        if progress.epoch == stop:
            kept = saved(progress)
            break
    *_, resumed = fit(recogniser(seed=5), clips, LABELS, config, clips, progress=kept)
    assert same(whole, resumed)
    assert all(torch.equal(value, resumed.average[name]) for name, value in whole.average.items())


def test_the_average_soon_forgets_what_it_began_with_and_copies_buffers() -> None:
    model = nn.BatchNorm1d(1, track_running_stats=True)
    average = Average(model, 0.15, {}, 0)
    expected = 1.0  # the weight that it begins with
    for step, now in enumerate((2.0, 3.0, 5.0)):
        model.weight.data.fill_(now)
        model.running_mean.fill_(now)
        average.update(model)
        decay = min(0.15, (1 + step) / (10 + step))  # 1/10, then 0.15
        expected = decay * expected + (1 - decay) * now
        assert float(average.model.weight) == pytest.approx(expected)
        assert float(average.model.running_mean) == now


def test_the_average_is_what_is_validated_and_kept(clips: ClipSet) -> None:
    model = recogniser()
    config = QUICK.model_copy(update={"ema": 0.99})
    progress = train(model, clips, LABELS, config)
    assert not torch.equal(
        progress.average["direction.weight"], progress.weights["direction.weight"]
    )
    assert torch.equal(model.state_dict()["direction.weight"], progress.average["direction.weight"])
    assert progress.last is progress.average
    progress = train(model, clips, LABELS, config, val=clips)
    scores = _validate(model, clips, LABELS, config.batch_size)  # which holds the best by now
    best = progress.history[progress.best_epoch - 1]
    assert {name: best[name] for name in scores} == pytest.approx(scores)


def test_training_stops_when_patience_ends_and_a_resumed_run_stays_stopped(write_cache) -> None:
    clips = open_clips([write_cache(noise=4)])
    # Nothing can get better: the validation clips are right from the start, and stay so.
    config = TrainConfig(epochs=30, batch_size=8, lr=1e-12, patience=3)
    *_, last = fit(recogniser(), clips, LABELS, config, clips)
    assert last.epoch == last.best_epoch + 3 < 30
    assert list(fit(recogniser(), clips, LABELS, config, clips, progress=saved(last))) == []
    with pytest.raises(BadInput, match="patience: needs validation clips"):
        next(fit(recogniser(), clips, LABELS, config))


def test_the_temperature_goes_from_its_first_to_its_last_value_by_equal_factors() -> None:
    values = [temperature(step, 5, 2.0, 0.125) for step in range(5)]
    assert values == pytest.approx([2, 1, 0.5, 0.25, 0.125])
    assert temperature(0, 1, 2.0, 0.5) == 2


def test_the_temperature_of_training_travels_with_the_weights(clips: ClipSet) -> None:
    config = QUICK.model_copy(update={"temperature_end": 0.25})
    progress = train(recogniser(), clips, LABELS, config)
    assert float(progress.weights["align.temperature"]) == pytest.approx(0.25)


def test_few_clips_are_seen_more_often_unless_the_epochs_are_given() -> None:
    by_default = TrainConfig(batch_size=64)
    assert (by_default.passes(10_000), by_default.passes(86), by_default.passes(1)) == (
        60,
        120,
        240,
    )
    assert TrainConfig(epochs=3).passes(1) == 3
