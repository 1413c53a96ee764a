"""Writing a world: videos with their truth, a list for each split, and what made it."""

import csv
import hashlib
import json
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

from pydantic import BaseModel

from corpus.atomic import atomic_file, write_json
from corpus.command import leave_to_caller
from corpus.errors import BadInput
from extract.datasets import Dataset, open_dataset
from pipelines.world.actions import SPLITS, write_labels
from pipelines.world.clips import SIZE, Listed, Take, listing
from pipelines.world.film import film
from pipelines.world.stage import NUISANCE
from pipelines.world.truth import Truth, entities_seen, write_masks

_MANIFEST = "world.json"
_MADE = (".mp4", ".png", ".json")  # of each clip


class World(BaseModel):
    """What a world's folder holds."""

    folder: str
    seed: int
    clips: int
    splits: dict[str, int]
    labels: dict[str, int]


def write_world(
    out: Path, clips: int, seed: int, workers: int = 1, watch: Callable[[], None] = lambda: None
) -> World:
    """Render a world into a folder that `alt-extract --dataset csv --root OUT --split S` reads.

    The same arguments give the same truth and the same frames, bit for bit before encoding. What
    an interrupted run of the same world has made is kept.

    Args:
        out: the folder.
        clips: in all splits together.
        seed: of the world.
        workers: processes.
        watch: called after each clip.

    Raises:
        BadInput: the folder holds something else, too few clips, or a seed out of range.
    """
    listed = claim(out, clips, seed)
    todo = [clip for clip in listed if not _whole(out / clip.path)]
    for _ in range(len(listed) - len(todo)):
        watch()
    workers = min(workers, len(todo))  # a pool starts all of its own at once
    if workers > 1:
        with ProcessPoolExecutor(workers, initializer=leave_to_caller) as pool:
            try:
                for _ in pool.map(_write_clip, [out] * len(todo), todo, chunksize=4):
                    watch()
            except BaseException:
                pool.shutdown(cancel_futures=True)  # else all clips would be made first
                raise
    else:
        for clip in todo:
            _write_clip(out, clip)
            watch()
    for split in SPLITS:
        with (
            atomic_file(out / f"{split}.csv") as draft,
            draft.open("w", newline="", encoding="utf-8") as file,
        ):
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(("path", "label", "split"))
            rows.writerows((c.path, c.label, split) for c in listed if c.split == split)
    write_labels(out)
    of = {split: [c for c in listed if c.split == split] for split in SPLITS}
    return World(
        folder=str(out),
        seed=seed,
        clips=len(listed),
        splits={split: len(own) for split, own in of.items()},
        labels={split: len({c.label for c in own}) for split, own in of.items()},
    )


def claim(out: Path, clips: int, seed: int) -> list[Listed]:
    """Mark a folder as a world's, or refuse it; and list the world's clips.

    Args:
        out, clips, seed: as for `write_world`.

    Raises:
        BadInput: as of `write_world`.
    """
    listed = listing(clips, seed)
    code = {"drawn_by": drawn_by()}
    facts = {"clips": clips, "seed": seed, "size": SIZE, "nuisance": asdict(NUISANCE)} | code
    facts = json.loads(json.dumps(facts))  # as they are read again
    manifest = out / _MANIFEST
    if manifest.is_file():
        try:
            found = dict(json.loads(manifest.read_bytes()))
        except (ValueError, TypeError, RecursionError) as error:
            raise BadInput(manifest, "is damaged", "remove the folder, or give another") from error
        if found != facts:
            same = found | code == facts
            cause = (
                "holds this world as another version draws it" if same else "holds another world"
            )
            raise BadInput(out, cause, "give another --out, or remove it")
        return listed
    if out.exists() and not out.is_dir():
        raise BadInput(out, "is a file", "give an empty or new folder")
    if out.exists() and any(out.iterdir()):
        raise BadInput(out, "is not empty and no demo world", "give an empty or new folder")
    write_json(manifest, facts)
    return listed


def split_of(world: Path, split: str) -> Dataset:
    """Open a world's split, under a name that no other world has: its features are told apart.

    Raises:
        BadInput: no such world, or no such split.
    """
    try:
        facts = (world / _MANIFEST).read_bytes()
    except OSError as error:
        raise BadInput(world, "no demo world is there", "make it by alt-demo world") from error
    name = f"demo world {hashlib.sha256(facts).hexdigest()[:12]}"
    return replace(open_dataset("csv", world, split), name=name)


def drawn_by() -> str:
    """Digest this package's code: another version of it may make another world."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _whole(video: Path) -> bool:
    return all(video.with_suffix(suffix).is_file() for suffix in _MADE)


def _write_clip(out: Path, clip: Listed) -> None:
    """Render one clip: video and masks first, the truth last, which marks it as done."""
    take = Take(clip.label, clip.seed)
    images, ids = zip(*take.frames(), strict=True)
    video = out / clip.path
    film(images, video, take.fps, take.crf)
    masks = video.with_suffix(".png")
    write_masks(ids, masks)
    truth = Truth(
        video=clip.path,
        label=clip.label,
        split=clip.split,
        seed=clip.seed,
        fps=take.fps,
        frames=take.count,
        width=SIZE,
        height=SIZE,
        masks=masks.name,
        entities=entities_seen(ids, take.names, take.acting),
    )
    with atomic_file(video.with_suffix(".json")) as draft:
        draft.write_text(truth.model_dump_json() + "\n", encoding="utf-8")
