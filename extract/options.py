"""How to extract: all the choices that change what a cache holds."""

import re
from dataclasses import dataclass
from typing import get_args

from corpus.backbone import Backbone
from corpus.errors import BadInput
from extract.clip import Plan, Sampling
from extract.decode import Decoder
from extract.encode import PRECISIONS, Encoder
from extract.manifest import Compression, Dtype
from extract.views import Framing

_MOST = 1_000_000  # of any count


@dataclass(frozen=True)
class Options:
    """How to extract; what is not here does not change a cache's content.

    Attributes:
        frames: T, frames in a view.
        views: "TxS", temporal × spatial views.
        merge: token pairs merged in each block, r.
        keep_regions: store only so many of each frame's regions, the largest; 0 for all.
        dtype: "float16" or "int8".
        compression: "none", "lz4" or "zstd".
        sampling: "centre" or "random"; by default random where the split that is asked for
            begins with "train", else centre.
        seed: of random sampling.
        augment: random crops, mirrored by even chance: views to train on.
        precision: of the encoder: "float32", "bfloat16" or "float16".
        batch: frames to a forward pass.
        compile: the encoder, with torch.compile; the last bits of its results change.
        decoder: "auto" (decord, then PyAV), "decord" or "pyav".
        checkpoint: videos to a shard; a kill can cost the two that are on their way to the disk.
    """

    frames: int = 8
    views: str = "1x1"
    merge: int = 8
    keep_regions: int = 0
    dtype: Dtype = "float16"
    compression: Compression = "none"
    sampling: Sampling | None = None
    seed: int = 0
    augment: bool = False
    precision: str = "float32"
    batch: int = 32
    compile: bool = False
    decoder: Decoder = "auto"
    checkpoint: int = 64

    def __post_init__(self) -> None:
        for name, known in (
            ("dtype", get_args(Dtype)),
            ("compression", get_args(Compression)),
            ("sampling", (None, *get_args(Sampling))),
            ("precision", tuple(PRECISIONS)),
            ("decoder", get_args(Decoder)),
        ):
            if getattr(self, name) not in known:
                choices = ", ".join(str(choice) for choice in known if choice)
                raise BadInput(f"--{name} {getattr(self, name)}", "unknown", f"use {choices}")
        for name in ("frames", "batch", "checkpoint"):
            if getattr(self, name) < 1:
                raise BadInput(f"--{name} {getattr(self, name)}", "below 1", "use 1 or more")
        for name in ("frames", "batch", "checkpoint", "merge", "keep_regions"):
            if getattr(self, name) > _MOST:
                option = f"--{name.replace('_', '-')} {getattr(self, name)}"
                raise BadInput(option, f"above {_MOST}", "use a smaller number")
        if not 0 <= self.seed < 2**53:  # from there on a cache gives it back rounded
            mend = f"use a number from 0 to {2**53 - 1}"
            raise BadInput(f"--seed {self.seed}", "cannot be negative, nor as large", mend)
        if self.keep_regions < 0:
            mend = "use 0 to keep all"
            raise BadInput(f"--keep-regions {self.keep_regions}", "cannot be negative", mend)
        self.view_counts()

    def encoder(self, backbone: Backbone, lanes: int = 1) -> Encoder:
        """The encoder that works with these options, on so many lanes.

        Raises:
            BadInput: the backbone's image tower is not a plain vision transformer.
        """
        return Encoder(
            backbone,
            self.merge,
            self.precision,
            self.dtype,
            self.batch,
            self.keep_regions,
            lanes,
            self.compile,
        )

    def view_counts(self) -> tuple[int, int]:
        """Temporal and spatial views."""
        temporal, _, spatial = self.views.partition("x")
        if not re.fullmatch("[1-9][0-9]{0,5}x[0-9]+", self.views):
            raise BadInput(f"--views {self.views}", "not temporal x spatial views", "as in 4x3")
        if spatial not in ("1", "3"):
            mend = f"use {temporal}x1 or {temporal}x3"
            raise BadInput(f"--views {self.views}", "there are 1 or 3 spatial views", mend)
        if self.augment and spatial != "1":
            raise BadInput(f"--views {self.views}", "augmented views are one crop each", "use Tx1")
        return int(temporal), int(spatial)


def usual_batch(device: str) -> int:
    """Frames to a forward pass where nobody says: more on a GPU, which they have to fill."""
    return 256 if device.startswith("cuda") else 32


def usual_checkpoint(device: str) -> int:
    """Videos to a shard where nobody says: about a second's on a GPU, where they come fast.

    Between two shards the GPU waits for a moment, which is a sixth of the time with 64.
    """
    return 256 if device.startswith("cuda") else 64


def plan_of(backbone: Backbone, options: Options, split: str = "all") -> Plan:
    """How videos are to be read for this backbone and these options."""
    temporal, spatial = options.view_counts()
    facts = backbone.preprocess
    return Plan(
        Framing(facts.size, facts.interpolation, facts.resize_mode, spatial),
        frames=options.frames,
        temporal=temporal,
        sampling=options.sampling or ("random" if split.startswith("train") else "centre"),
        seed=options.seed,
        decoder=options.decoder,
        augment=options.augment,
    )
