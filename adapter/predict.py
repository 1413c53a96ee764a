"""From a video, or its cached features, to its action and the entities it was recognised by."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Self

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from adapter.align import Aligned
from adapter.clips import Clips
from adapter.data import Paths, opened
from adapter.labelling import Labelling, Labels
from adapter.model import EntityRecogniser
from adapter.runs import Named, Run
from adapter.stores import Streamed, view_of
from adapter.task import backbone_of, same_features
from corpus.errors import BadInput
from extract.cores import cores
from extract.pool import Pool
from extract.rows import Features, dequantised
from extract.run import Options, encode_videos, plan_of
from extract.store import FeatureCache


class Scored(BaseModel):
    """A label and its probability."""

    model_config = ConfigDict(frozen=True)
    label: str
    score: float


class Seen(BaseModel):
    """An entity and the share that its regions have in saying the label that came first.

    Attributes:
        row: of the corpus; two senses of a word are two rows.
        entity, kind, synset, description: what it is called, and in which sense.
        weight: the share.
    """

    model_config = ConfigDict(frozen=True)
    row: int
    entity: str
    kind: str
    synset: str | None
    description: str
    weight: float


class Prediction(BaseModel):
    """What is recognised in one video.

    Attributes:
        video: the file, as given, or the name of its row in a cache.
        truth: the label that a cache has for it, if any.
        labels: best first; none when it failed.
        entities: those that counted most; none for a run without entities.
        error: why there is no prediction.
    """

    model_config = ConfigDict(frozen=True)
    video: str
    truth: str | None = None
    labels: tuple[Scored, ...] = ()
    entities: tuple[Seen, ...] = ()
    error: str | None = None

    def describe(self) -> str:
        """Write the prediction in a few lines."""
        name = self.video if self.truth is None else f"{self.video}, labelled {self.truth}"
        if self.error is not None:
            return f"{name}: {self.error}"
        lines = [f"  {100 * scored.score:5.1f} %  {scored.label}" for scored in self.labels]
        if self.entities:
            often = Counter(seen.entity for seen in self.entities)
            names = (
                seen.entity + f" ({seen.synset or seen.kind})" * (often[seen.entity] > 1)
                for seen in self.entities
            )
            lines.append("  through " + ", ".join(names))
        return "\n".join([name, *lines])


class Predictor:
    """A run, its backbone and its labels, ready for videos, each seen in one view.

    Within `with`, decoding workers are kept from call to call; else each call starts its own, which
    takes a second or so.

    Args:
        run: the run.
        labels: a label set's name or file, or labels, in place of the run's own.
        device: "cpu" or "cuda".

    Raises:
        BadInput: labels that cannot be used, a backbone that cannot be had, or a damaged run.
    """

    def __init__(self, run: Run, labels: Labels | None = None, device: str = "cpu") -> None:
        self.run, self.labelling = run, run.vocabulary.choose(labels)
        facts = run.config.features
        backbone = backbone_of(facts, run.folder, device)
        options = Options(
            frames=facts.frames,
            merge=facts.merge,
            keep_regions=facts.keep_regions,
            dtype=facts.dtype,
            sampling="centre",
            precision=facts.precision,
        )
        self.encoder = options.encoder(backbone)
        self.plan = plan_of(backbone, options)
        tower = self.encoder.tower
        makes = (self.encoder.regions, tower.dim, tower.patches, tower.grid)
        if makes != (facts.regions, facts.dim, facts.patches, facts.grid):
            cause = "is damaged (its config.json tells of other features than its backbone makes)"
            raise BadInput(run.folder, cause, "train again")
        self.pool: Pool | None = None

    def __enter__(self) -> Self:
        self.pool = Pool(cores())
        return self

    def __exit__(self, *ended: object) -> None:
        pool, self.pool = self.pool, None
        if pool:
            pool.__exit__(*ended)

    def predict(self, video: Path | str, top: int = 5) -> Prediction:
        """Recognise one video; one that cannot be read is a prediction with an error."""
        (prediction,) = self.predict_all([video], top)
        return prediction

    def predict_all(
        self, videos: Iterable[Path | str] | Path | str, top: int = 5
    ) -> Iterator[Prediction]:
        """Recognise videos, in order, decoding some while another is encoded."""
        videos = [videos] if isinstance(videos, Path | str) else list(videos)
        seen = encode_videos(videos, self.encoder, self.plan, self.pool)
        for video, found in zip(videos, seen, strict=True):
            if isinstance(found, BadInput):
                yield Prediction(video=str(video), error=f"{found.cause}; {found.mend}")
            else:
                _, features = found
                yield judge(self.run, self.labelling, video, self.clips(features), top)

    def clips(self, features: Features) -> Clips:
        """Return a video's view as a batch of one, where the model is."""
        regions = dequantised(features.regions, features.regions_scale)
        clips = view_of(regions, features.patch_region, self.run.config.features)
        return clips.to(self.labelling.text.device)


def predict_cached(
    run: Run, features: Paths, labels: Labels | None = None, top: int = 5
) -> Iterator[Prediction]:
    """Recognise the videos of caches, labelled or not, without looking at them again.

    Args:
        run: the run, on any device.
        features: cache of the same backbone, or several.
        labels: a label set's name or file, or labels, in place of the run's own.
        top: labels and entities to list for each.

    Returns:
        A prediction for each row, in order, from the mean over its views; one whose video could
        not be decoded has the error that the cache has for it, and a damaged one says so.

    Raises:
        BadInput: features of another backbone, or labels that cannot be used.
    """
    caches = opened(features)
    for cache in caches:
        same_features(cache.manifest, run.config.features, cache.path)
    labelling = run.vocabulary.choose(labels)
    return (prediction for cache in caches for prediction in _rows(run, labelling, cache, top))


def _rows(run: Run, labelling: Labelling, cache: FeatureCache, top: int) -> Iterator[Prediction]:
    store = Streamed([cache], [(0, row) for row in range(len(cache))])
    views = torch.arange(cache.manifest.view_count)
    for row in range(len(cache)):
        entry = cache.entry(row)
        truth = cache.manifest.classes[entry.label] if entry.label >= 0 else None
        if entry.status != "ok":
            yield Prediction(video=entry.video, truth=truth, error=entry.error)
            continue
        try:
            clips = store.fetch(torch.full_like(views, row), views).to(labelling.text.device)
        except BadInput as error:
            yield Prediction(video=entry.video, truth=truth, error=f"{error.cause}; {error.mend}")
            continue
        found = judge(run, labelling, entry.video, clips, top, truth)
        if not math.isfinite(found.labels[0].score):
            why = "its features are no finite numbers; see what `alt-features verify` says"
            found = Prediction(video=entry.video, truth=truth, error=why)
        yield found


@torch.inference_mode()
def judge(
    run: Run,
    labelling: Labelling,
    video: Path | str,
    clips: Clips,
    top: int = 5,
    truth: str | None = None,
) -> Prediction:
    """Recognise a video from its views: softmax over the labels in each, then the mean over them.

    Args:
        run: the run.
        labelling: labels to choose from, where the run is.
        video: its name.
        clips: the batch of its views, there too.
        top: labels and entities to list.
        truth: its label, if that is known.

    Raises:
        BadInput: `top` is below 1.
    """
    if top < 1:
        raise BadInput("top", f"is {top}", "ask for one or more")
    model, text = run.model, labelling.text
    entities: tuple[Seen, ...] = ()
    if isinstance(model, EntityRecogniser):
        reading = model.read(clips)
        chances = _chances(model.logits(reading, text))
        spoken = model.spoken(reading, text[chances.argmax()])
        entities = weighed(reading.aligned, spoken, run.entities)
    else:
        chances = _chances(model(clips, text))
    best = chances.argsort(descending=True)[:top].tolist()
    return Prediction(
        video=str(video),
        truth=truth,
        labels=tuple(Scored(label=labelling.names[i], score=float(chances[i])) for i in best),
        entities=entities[:top],
    )


def _chances(logits: Tensor) -> Tensor:
    """Return (C,) probabilities on the CPU: the softmax of each view's (views, C), their mean."""
    return logits.softmax(dim=-1).mean(dim=0).cpu()


def weighed(aligned: Aligned | None, spoken: Tensor, names: tuple[Named, ...]) -> tuple[Seen, ...]:
    """Sum by entity how much regions had to do with a label.

    Args:
        aligned: regions of a video's views, if with anything.
        spoken: (views, frames, regions), what `EntityRecogniser.spoken` says of the label.
        names: of the K entities.

    Returns:
        The entities that any region was aligned with, the weightiest first. The class token
        stands for whole frames, and is not counted.
    """
    if aligned is None:
        return ()
    entity = aligned.entity[:, :, 1:].flatten()
    weight = (spoken[:, :, 1:] / len(spoken)).flatten()
    total = torch.zeros(len(names), device=weight.device).index_add_(0, entity, weight).cpu()
    weightiest = total.argsort(descending=True, stable=True)
    weightiest = weightiest[total[weightiest] > 0]
    return tuple(
        Seen(
            row=i,
            entity=names[i].unit,
            kind=names[i].kind,
            synset=names[i].synset,
            description=names[i].description,
            weight=of_it,
        )
        for i, of_it in zip(weightiest.tolist(), total[weightiest].tolist(), strict=True)
    )
