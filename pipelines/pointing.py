"""Alignment measured: do regions that are matched with an entity lie on it?

Only the demo world can tell, since it knows which entity every pixel shows. Each region takes
the nearest entity text, as the untrained adapter does. With nothing merged, a region is a patch,
so the row r = 0 is the per-patch argmax that merging is compared with.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from pydantic import BaseModel
from torch import Tensor
from torch.nn import functional

from corpus.backbone import Backbone
from corpus.errors import BadInput
from extract.clip import Plan, read
from extract.decode import DecodeError
from extract.encode import Encoder
from extract.rows import dequantised
from extract.views import Framing
from pipelines.world import truth
from pipelines.world.entities import SCENES

VISIBLE = 0.004  # share of the frame's pixels below which an entity does not count as present
# The columns of a table, as `Alignment` names them, and their headings.
SHARES = {
    "pointing": "pointing",
    "by_region": "by region",
    "each": "of each entity",
    "precision": "precision",
    "recall": "recall",
    "acting": "acting found",
}


class Alignment(BaseModel):
    """How well regions are aligned, over all frames.

    Attributes:
        among: which entities there were to choose from.
        merge: r; with 0 each region is one patch.
        regions: of a frame, the class token left out.
        pointing: of the pixels of regions aligned with an entity that is present, the share that
            shows that entity exactly. Each pixel counts once, whatever is merged.
        by_region: of those regions, the share that lies on the entity: at least half of their
            pixels are within half a patch of it. (The tolerance is that of the pointing game,
            Zhang et al. 2018, in proportion.) Merging folds what is easy, the many patches of a
            scene, into few regions, and this is lower for it.
        each: `by_region` taken for each entity of a frame and then averaged; scenes are left out.
            Here a ball counts as much as the man who holds it.
        precision: of the entities found in a frame, the share that is present.
        recall: of the entities present in a frame, the share that is found.
        acting: of the things that act, the share that is found.
        frames: measured on.
    """

    among: str
    merge: int
    regions: int
    pointing: float
    by_region: float
    each: float
    precision: float
    recall: float
    acting: float
    frames: int


@dataclass(frozen=True)
class _Scene:
    """What one frame shows.

    Attributes:
        masks: (H, W) bool, the pixels of each entity that is present.
        near: the same, wider to every side by half a patch.
        acting: things that act and are present.
    """

    masks: dict[str, np.ndarray]
    near: dict[str, np.ndarray]
    acting: Collection[str]

    @classmethod
    def of(cls, masks: dict[str, np.ndarray], half: int, acting: Collection[str] = ()) -> "_Scene":
        """See a frame; `half` are the pixels of half a patch."""
        near = {name: _grow(mask, half) for name, mask in masks.items()}
        return cls(masks, near, [name for name in acting if name in masks])


class _Tally:
    """Counts over frames, from which an `Alignment` is made."""

    def __init__(self) -> None:
        self.pointed = self.on = self.pixels = self.exact = self.frames = 0
        self.found = self.right = self.present = self.actors = self.actors_found = 0
        self.each: list[float] = []

    def add(self, entity: Sequence[str], areas: np.ndarray, scene: _Scene) -> None:
        """Count one frame.

        Args:
            entity: of each region.
            areas: (R, H, W) bool, the pixels of each region.
            scene: what the frame shows.
        """
        hits: dict[str, list[bool]] = {}
        for name, area in zip(entity, areas, strict=True):
            if name in scene.masks:
                hits.setdefault(name, []).append(bool(scene.near[name][area].mean() >= 0.5))
                self.pixels += int(area.sum())
                self.exact += int(scene.masks[name][area].sum())
        self.pointed += sum(map(len, hits.values()))
        self.on += sum(map(sum, hits.values()))
        self.each += [sum(hit) / len(hit) for name, hit in hits.items() if name not in SCENES]
        found = set(entity)
        self.found += len(found)
        self.right += len(found & scene.masks.keys())
        self.present += len(scene.masks)
        for name in scene.acting:
            self.actors += 1
            self.actors_found += name in found
        self.frames += 1

    def result(self, among: str, merge: int, regions: int) -> Alignment:
        """Return the shares."""
        return Alignment(
            among=among,
            merge=merge,
            regions=regions,
            pointing=self.exact / max(self.pixels, 1),
            by_region=self.on / max(self.pointed, 1),
            each=sum(self.each) / max(len(self.each), 1),
            precision=self.right / max(self.found, 1),
            recall=self.right / max(self.present, 1),
            acting=self.actors_found / max(self.actors, 1),
            frames=self.frames,
        )


def measure(
    videos: Sequence[Path],
    backbone: Backbone,
    among: Mapping[str, tuple[Sequence[str], np.ndarray]],
    merges: Sequence[int] = (0, 4, 8),
    frames: int = 4,
) -> list[Alignment]:
    """Measure the alignment of regions with entities on videos of the demo world.

    Args:
        videos: with their truth beside them.
        backbone: to encode with.
        among: by what it is called, the entities to choose from: the name of each, which several
            may share, and (K, D) float32 unit rows, their texts.
        merges: token pairs to merge in each block.
        frames: of each video.

    Returns:
        One `Alignment` for each of `merges`, for each of `among`.

    Raises:
        BadInput: a video without truth, or one that cannot be decoded or encoded.
    """
    facts = backbone.preprocess
    plan = Plan(Framing(facts.size, facts.interpolation, facts.resize_mode), frames)
    encoders = {merge: Encoder(backbone, merge) for merge in merges}
    half = facts.size[0] // next(iter(encoders.values())).tower.grid[0] // 2
    tallies = {(called, merge): _Tally() for called in among for merge in merges}
    for video in videos:
        known, ids = truth.read(video)
        try:
            pixels = read(video, video.name, plan)
        except DecodeError as error:
            mend = "remove it, and run alt-demo world again"
            raise BadInput(video, str(error), mend) from error
        at = np.clip(np.rint(pixels.timestamps * known.fps).astype(int), 0, known.frames - 1)
        acting = [e.entity for e in known.entities if e.acting and e.kind in ("object", "animal")]
        scenes = [
            _Scene.of(_present(known, _resized(ids[index], facts.size)), half, acting)
            for index in at
        ]
        for merge, encoder in encoders.items():
            features = next(encoder.features([(0, pixels)]))[1]
            if isinstance(features, str):
                raise BadInput(video, features, "measure with weights that give finite features")
            regions = dequantised(features.regions, features.regions_scale)
            tokens = torch.from_numpy(regions)[:, 1:]
            areas = [
                _areas(source, encoder.tower.grid, facts.size) for source in features.patch_region
            ]
            for called, (units, texts) in among.items():
                nearest = _nearest(tokens, torch.from_numpy(texts))  # (frames, R − 1)
                for scene, area, row in zip(scenes, areas, nearest.tolist(), strict=True):
                    tallies[called, merge].add([units[e] for e in row], area, scene)
    return [
        tally.result(called, merge, encoders[merge].tower.regions - 1)
        for (called, merge), tally in tallies.items()
    ]


def _nearest(tokens: Tensor, texts: Tensor) -> Tensor:
    return (functional.normalize(tokens, dim=-1) @ texts.T).argmax(dim=-1)


def _areas(source: np.ndarray, grid: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
    """Return (R − 1, H, W) bool, the pixels of each region but the class token."""
    cell = np.ones((size[0] // grid[0], size[1] // grid[1]), np.uint16)
    token = np.kron(source.astype(np.uint16).reshape(grid), cell)
    return np.stack([token == number for number in np.unique(source)])


def _present(known: truth.Truth, ids: np.ndarray) -> dict[str, np.ndarray]:
    masks = {seen.entity: known.mask(ids, seen.entity) for seen in known.entities}
    return {name: mask for name, mask in masks.items() if mask.mean() >= VISIBLE}


def _resized(ids: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return np.asarray(Image.fromarray(ids).resize(size[::-1], Image.Resampling.NEAREST))


def _grow(mask: np.ndarray, by: int) -> np.ndarray:
    """Widen a mask by so many pixels to every side."""
    wide = functional.max_pool2d(
        torch.from_numpy(mask)[None, None].float(), 2 * by + 1, stride=1, padding=by
    )
    return wide[0, 0].numpy() > 0
