"""The ground truth beside each video: `x.json` says what is where, `x.png` shows each pixel's id.

The PNG is one frame's ids above the next, palette colours for the eye, ids as values.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict

from corpus.atomic import atomic_file
from corpus.causes import first_cause
from corpus.errors import BadInput
from pipelines.world.entities import ENTITIES

Box = tuple[int, int, int, int]


class Seen(BaseModel):
    """An entity of a clip.

    Attributes:
        entity, kind, synset: as in `pipelines.world.entities`.
        acting: it takes part in the action.
        ids: values of its pixels in the masks.
        boxes: for each frame (left, top, right, bottom) in pixels, right and bottom exclusive, of
            what is visible of it; None where nothing is.
    """

    model_config = ConfigDict(frozen=True)
    entity: str
    kind: str
    synset: str
    acting: bool
    ids: tuple[int, ...]
    boxes: tuple[Box | None, ...]


class Truth(BaseModel):
    """What is known of a clip."""

    model_config = ConfigDict(frozen=True)
    video: str
    label: str
    split: str
    seed: int
    fps: int
    frames: int
    width: int
    height: int
    masks: str
    entities: tuple[Seen, ...]

    def mask(self, ids: np.ndarray, entity: str) -> np.ndarray:
        """Return where `entity` is in an array of ids, as booleans of the same shape."""
        of = next((seen.ids for seen in self.entities if seen.entity == entity), ())
        return np.isin(ids, of)


def entities_seen(
    ids: Sequence[np.ndarray], names: dict[int, tuple[str, ...]], acting: Sequence[str]
) -> tuple[Seen, ...]:
    """List the entities that any frame shows, with a box for each frame.

    Args:
        ids: (H, W) uint8 of each frame.
        names: entities of each id.
        acting: entities that take part in the action.
    """
    found: dict[str, tuple[int, ...]] = {}
    for number, of in names.items():
        for name in of:
            found[name] = (*found.get(name, ()), number)
    seen = []
    for name, numbers in found.items():
        boxes = tuple(_box(np.isin(frame, numbers)) for frame in ids)
        if any(boxes):
            entity = ENTITIES[name]
            seen.append(
                Seen(
                    entity=name,
                    kind=entity.kind,
                    synset=entity.synset,
                    acting=name in acting,
                    ids=numbers,
                    boxes=boxes,
                )
            )
    return tuple(seen)


def _box(mask: np.ndarray) -> Box | None:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def write_masks(ids: Sequence[np.ndarray], path: Path) -> None:
    """Write ids as a palette PNG, frame under frame."""
    image = Image.fromarray(np.concatenate(list(ids)))
    image.putpalette(np.random.default_rng(1).integers(40, 255, 768, dtype=np.uint8).tobytes())
    with atomic_file(path) as draft:
        image.save(draft, "PNG")


def read(video: Path) -> tuple[Truth, np.ndarray]:
    """Read the truth of a video.

    Returns:
        The truth and the ids, (frames, H, W) uint8.

    Raises:
        BadInput: it has none, or it is damaged.
    """
    path = video.with_suffix(".json")
    if not path.is_file():
        raise BadInput(path, "no ground truth beside the video", "make it by alt-demo world")
    try:
        truth = Truth.model_validate_json(path.read_bytes())
        path = video.with_name(Path(truth.masks).name)
        ids = np.asarray(Image.open(path)).reshape(truth.frames, truth.height, truth.width)
    except (OSError, ValueError) as error:
        cause = f"is missing or damaged ({first_cause(error)})"
        raise BadInput(path, cause, "remove it, and run alt-demo world again") from error
    return truth, ids
