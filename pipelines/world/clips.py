"""Clips: one action, seen on one stage, frame by frame; and which clips a world has."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from corpus.errors import BadInput
from pipelines.world.actions import ACTIONS, BY_LABEL, SPLITS, labels_of
from pipelines.world.entities import ROLES, SCENES, THINGS
from pipelines.world.motions import Moment
from pipelines.world.stage import NUISANCE, Nuisance, Stage, scatter

SIZE = 160
_SHARES = {
    "train": 0.55,
    "val": 0.06,
    "test": 0.15,
    "novel_combination": 0.12,
    "novel_entity": 0.12,
}
_ROOM = 2**20  # seeds kept apart for the clips of each split
MOST_SEEDS = 2**40 // _ROOM // len(SPLITS)
# Seen acting by the novel clips alone; base clips must not show them even as bystanders.
NEVER_SEEN = frozenset(a.thing for a in ACTIONS if a.group == "novel_entity") - frozenset(
    a.thing for a in ACTIONS if a.group != "novel_entity"
)


@dataclass(frozen=True)
class Listed:
    """A clip of a world: where it belongs and the seed that it is drawn from."""

    split: str
    number: int
    label: str
    seed: int

    @property
    def path(self) -> str:
        """The video's path under the world's folder, with forward slashes."""
        return f"{self.split}/{self.label.replace(' ', '_')}/{self.number:05d}.mp4"


def listing(clips: int, seed: int) -> list[Listed]:
    """Decide on the clips of a world: labels take turns, splits have shares of their own.

    Seeds of different splits, and of worlds of different seeds, never meet.

    Raises:
        BadInput: fewer clips than splits, more than have seeds, or a seed out of range.
    """
    if clips < len(SPLITS):
        raise BadInput(f"--clips {clips}", "too few", f"give at least {len(SPLITS)}")
    if not 0 <= seed < MOST_SEEDS:
        raise BadInput(f"--seed {seed}", "out of range", f"use 0 to {MOST_SEEDS - 1}")
    counts = {split: max(1, int(clips * share)) for split, share in _SHARES.items()}
    counts["train"] += clips - sum(counts.values())
    if max(counts.values()) > _ROOM:
        raise BadInput(f"--clips {clips}", f"more than {_ROOM} in a split", "give fewer")
    listed = []
    for place, split in enumerate(SPLITS):
        labels = labels_of(split)
        first = (seed * len(SPLITS) + place) * _ROOM
        listed += [
            Listed(split, k, labels[k % len(labels)], first + k) for k in range(counts[split])
        ]
    return listed


class Take:
    """One clip, ready to be rendered.

    Args:
        label: of the action.
        seed: decides all else; below 2**40, where the seeds of stills begin.
        size: side of the frames, pixels.
        levels: how much nuisance.

    Attributes:
        fps: frames a second.
        count: of frames.
        stage: what is around the action.
    """

    def __init__(
        self, label: str, seed: int, size: int = SIZE, levels: Nuisance = NUISANCE
    ) -> None:
        self.label, self.seed, self.action = label, seed, BY_LABEL[label]
        rng = np.random.default_rng(seed)
        self.fps = int(rng.choice((12, 15, 20)))
        self.count = round(self.fps * rng.uniform(2.0, 3.0))
        role, scene = str(rng.choice(ROLES)), str(rng.choice(SCENES))
        hidden = NEVER_SEEN if self.action.group == "base" else frozenset[str]()
        pool = [name for name in THINGS if name not in hidden]
        least, most = levels.distractors
        around = scatter(rng, int(rng.integers(least, most + 1)), pool, (self.action.thing,))
        self.crf = int(rng.integers(levels.crf[0], levels.crf[1] + 1))
        self._start, self._stop = rng.uniform(0, 0.06), rng.uniform(0.94, 1)
        self._warp = rng.uniform(-0.3, 0.3)
        self._turns, self._phase = rng.uniform(*self.action.verb.beats), rng.random()
        self.stage = Stage(rng, scene, role, around, size, levels)

    def moment(self, time: float) -> Moment:
        """Return what the action is like at `time`, 0 to 1 from first to last frame."""
        # Symmetric in time, so that tempo does not tell an action from its opposite.
        warped = time + self._warp * math.sin(math.tau * time) / math.tau
        u = self._start + (self._stop - self._start) * warped
        return self.action.at(u, self._phase + self._turns * warped)

    @property
    def names(self) -> dict[int, tuple[str, ...]]:
        """Entities of each id in the frames' id images."""
        return self.stage.ids(self.moment(0.0).things)

    @property
    def acting(self) -> tuple[str, ...]:
        """The entities that act: the figure and what it acts on."""
        return (str(self.stage.role), self.action.thing)

    def frames(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Render frame after frame: (size, size, 3) uint8 RGB and (size, size) uint8 ids."""
        for k in range(self.count):
            time = k / (self.count - 1)
            yield self.stage.shoot(self.moment(time), time, k)
