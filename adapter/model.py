"""The adapter: a clip read through the entities its regions are aligned with (paper §3.4).

A clip is a few tracks: entities that its regions are aligned with, followed through the frames.
A track has a *word*, the entity's text; a *way*, a direction in the joint space that is read from
its path and from the other tracks' company; and a weight. A label's text is compared with each
track by itself: with its word, and its way with what the label says besides the things that it
names. It is enough that one track says the label: all together say it as a mixture does, by the log
of the weighted sum of exponentials. So nothing that is learned from some things' motion can change
which thing is there, and an entity that no training clip held is told by its text alone.

In three points this is not the paper's adapter, which is `adapter.paper`. There, the texts of all
regions' entities are queries on what regions look like; here looks are left out unless `content`
asks for them, since they let the adapter learn the training clips' things by heart. There, one
vector stands for the clip, in which what acts drowns in what only stands by; here tracks meet the
labels one by one. And nothing here is added to the class token through a gate that starts at zero,
unless `gate` asks for it. `alt-adapter ablate` measures the parts.
"""

import math
from abc import ABC, abstractmethod
from typing import Generic, Literal, NamedTuple, Protocol, TypeVar

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn import functional as F

from adapter.align import Align, Aligned, LearnedWords
from adapter.clips import Clips, mean_class_token
from adapter.layers import Dropout, Layer, zero
from adapter.predicates import Beyond, beyond
from adapter.tracks import PATH, Tracks, follow, through_time

# Of cosines between labels and tracks: the larger, the more the best track alone decides.
SHARPNESS = 5.0

Method = Literal["clip", "linear", "temporal", "alt-paper", "alt-learned", "alt-shuffled", "alt"]


class ModelConfig(BaseModel):
    """All that decides an adapter's shape.

    Attributes:
        method: "alt", the paper's adapter ("alt-paper"), a baseline on the class tokens ("clip",
            "linear", "temporal"), or ALT with its entities replaced ("alt-learned",
            "alt-shuffled").
        layers: M, attention layers among tracks (of "temporal": among frames; of "alt-paper": from
            entities to regions).
        width: of a track's state.
        mlp_ratio: width of a layer's MLP over its own.
        dropout: on what attention and MLP add.
        tracks: entities of a clip that are followed.
        top_k: entities in the running for a region.
        align: one entity to a region ("hard"), a mixture of the nearest ("soft"), or none: a track
            is what its regions look like, and no word.
        project: learn a projection of regions and of entities before they are compared; without,
            the alignment is the backbone's own, and is looked up once for all of training.
        explore: let Gumbel noise have a say in the choice during training (paper), so that no
            clip has the same tracks twice.
        waves: cosines of time that a path is described by; with 1 all that is left of time is how
            far it went in all, the sum of its changes, and with 0 nothing: where it was on average.
        convolution: let a depthwise convolution over time change paths before that.
        place: whether paths know where in the frame an entity is.
        content: let tracks read one another's looks beside their paths.
        class_token: how much the class tokens' cosines, their mean over frames, count beside the
            tracks.
        gate: let tracks count by a learned factor that starts at zero, so that the untrained
            adapter ranks the labels of a view as zero-shot CLIP does.
        pool: let the tracks' weighted mean stand for the clip (paper), in place of a mixture.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    method: Method = "alt"
    layers: int = Field(default=1, ge=0, le=100)
    width: int = Field(default=128, ge=32, le=8192, multiple_of=32)
    mlp_ratio: float = Field(default=2.0, ge=1 / 32, le=32)
    dropout: float = Field(default=0.1, ge=0, lt=1)
    tracks: int = Field(default=16, ge=1)
    top_k: int = Field(default=4, ge=1)
    align: Literal["hard", "soft", "none"] = "hard"
    project: bool = False
    explore: bool = True
    waves: int = Field(default=4, ge=0, le=1000)
    convolution: bool = False
    place: bool = True
    content: bool = False
    class_token: float = Field(default=0.3, ge=0)
    gate: bool = False
    pool: bool = False

    @property
    def meets_entities(self) -> bool:
        """Whether regions are compared with a corpus, whose texts they then take."""
        return self.method in ("alt", "alt-shuffled", "alt-paper")


class Reading(NamedTuple):
    """What the adapter made of a batch of clips.

    Attributes:
        words: (batch, tracks, dim), the text of each track.
        ways: (batch, tracks, dim), how each goes.
        importance: (batch, tracks), log of how much each counts; its exponentials sum to one.
        glance: (batch, dim), the mean class token, as much of it as counts.
        member: (batch, tracks, frames, regions), one where a region belongs to a track. Class
            tokens belong to none, nor do regions of entities that were not followed.
        aligned: each region's entity, whose text it took (`Align.order`); None when there are none,
            only learned vectors.
    """

    words: Tensor
    ways: Tensor
    importance: Tensor
    glance: Tensor
    member: Tensor
    aligned: Aligned | None


class HasAligned(Protocol):
    """What was read of clips, among it what their regions were aligned with."""

    @property
    def aligned(self) -> Aligned | None:
        """Each region's entity, whose text it took; None where there are none."""


Read = TypeVar("Read", bound=HasAligned)


def score(
    video: Tensor, labels: Tensor, scale: Tensor, mix: tuple[Tensor, float] | None = None
) -> Tensor:
    """Logits of clips for labels as they are, whole.

    Args:
        video: (batch, dim).
        labels: (C, 2, dim) unit rows.
        scale: of cosines.
        mix: as in `Recogniser.forward`; the points are mixed.

    Returns:
        (batch, C) float32 scale · cos(video, label), in full precision whatever autocast says.
    """
    if mix is not None:
        other, share = mix
        video = share * video + (1 - share) * video[other]
    with torch.autocast(video.device.type, enabled=False):
        return scale * F.normalize(video.float(), dim=-1) @ labels[:, 0].T


class Recogniser(nn.Module, ABC):
    """What ALT and its baselines share: clips are scored against the texts of any labels.

    Args:
        scale: initial scale of cosines; the backbone's own.

    Attributes:
        lr: peak learning rate that suits it, where `TrainConfig.lr` gives none: of those tried on a
            generated world that is scored on nowhere else, the best over all columns
            (pipelines/demo_results.md).
    """

    lr = 1e-3

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)))

    @abstractmethod
    def forward(
        self, clips: Clips, labels: Tensor, mix: tuple[Tensor, float] | None = None
    ) -> Tensor:
        """Score clips against labels.

        Args:
            clips: the batch.
            labels: (C, 2, dim) unit rows, each label whole and its predicate (`adapter.text`).
            mix: for MixUp, a permutation of the batch and the share of each clip's own content.

        Returns:
            (batch, C) logits.
        """


class EntityRecogniser(Recogniser, Generic[Read]):
    """A recogniser that reads a clip through entities, and can say through which."""

    @abstractmethod
    def read(self, clips: Clips) -> Read:
        """Say what a batch of clips holds, whatever the labels."""

    @abstractmethod
    def logits(
        self, reading: Read, labels: Tensor, mix: tuple[Tensor, float] | None = None
    ) -> Tensor:
        """Score clips that were read, as `forward` does: (batch, C) for (C, 2, dim) labels."""

    @abstractmethod
    def spoken(self, reading: Read, label: Tensor) -> Tensor:
        """Say how much each region had to do with a label.

        Args:
            reading: of (batch) clips.
            label: (2, dim) unit rows, whole and predicate.

        Returns:
            (batch, frames, regions), summing to one.
        """

    def forward(
        self, clips: Clips, labels: Tensor, mix: tuple[Tensor, float] | None = None
    ) -> Tensor:
        """Score clips against labels."""
        return self.logits(self.read(clips), labels, mix)


class Adapter(EntityRecogniser[Reading]):
    """ALT: aligned regions become tracks, and each track may say the label.

    Before training the paths say nothing: a track counts by the square of its evidence, its way is
    zero, and the adapter is zero-shot recognition through entities.

    Args:
        align: region to entity.
        scale: of the backbone's cosines.
        config: the adapter's shape.
    """

    def __init__(self, align: Align, scale: float, config: ModelConfig) -> None:
        super().__init__(scale)
        self.align, self.config = align, config
        dim, width = align.entities.shape[1], config.width
        self.waves = max(1, config.waves)  # the mean is always one
        self.paths = nn.Sequential(
            nn.Linear(self.waves * PATH + 1, width),
            nn.GELU(),
            Dropout(config.dropout),
            nn.Linear(width, width),
        )
        self.smooth = (
            zero(nn.Conv1d(PATH, PATH, 3, padding=1, groups=PATH)) if config.convolution else None
        )
        self.looks = nn.Linear(dim, width) if config.content else None
        self.layers = nn.ModuleList(
            Layer(width, config.mlp_ratio, config.dropout) for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(width)
        # A bias would be the same for all tracks, which a softmax does not see.
        self.importance = zero(nn.Linear(width, 1, bias=False))
        self.direction = zero(nn.Linear(width, dim))
        self.gate = nn.Parameter(torch.zeros(())) if config.gate else None
        self.beyond = Beyond()

    def logits(
        self, reading: Reading, labels: Tensor, mix: tuple[Tensor, float] | None = None
    ) -> Tensor:
        """Score clips that were read; mixed clips have the tracks of both."""
        with torch.autocast(labels.device.type, enabled=False):
            tracks, glance = self._said(reading, labels), reading.glance @ labels[:, 0].T
            if mix is not None:
                other, share = mix
                tracks = torch.logaddexp(
                    tracks + math.log(share), tracks[other] + math.log(max(1 - share, 1e-9))
                )
                glance = share * glance + (1 - share) * glance[other]
            if self.gate is not None:
                tracks = self.gate * tracks
            logits: Tensor = self.log_scale.exp() * (tracks / SHARPNESS + glance)
        return logits

    def read(self, clips: Clips) -> Reading:
        """Say what tracks there are, and how much each counts."""
        aligned = self.align(clips.regions, clips.nearest, clips.cosine)
        entity, similarity = aligned.entity[:, :, 1:], aligned.similarity[:, :, 1:]
        tracks = follow(
            entity, similarity, clips.place[:, :, 1:], len(self.align.entities), self.config.tracks
        )
        words, looks = self._text(tracks, aligned, clips), self._looks(tracks, clips)
        state = self._state(tracks, looks)
        importance = self.importance(state)[..., 0].float()
        # Evidence² is the prior. A track without any is of an entity that no region is, and which
        # one differs between devices: it must not count, or all alike where nothing has any.
        importance = importance + 2 * tracks.evidence.clamp_min(1e-12).log()
        taken = aligned._replace(entity=self.align.order[aligned.entity])
        return Reading(
            words.float(),
            self.direction(state).float(),
            importance.log_softmax(dim=-1),
            self.config.class_token * mean_class_token(clips.regions),
            F.pad(tracks.member, (1, 0)),
            None if isinstance(self.align, LearnedWords) else taken,
        )

    def spoken(self, reading: Reading, label: Tensor) -> Tensor:
        """Give each track's share in saying a label, divided among its regions in all frames."""
        said = reading.importance  # (batch, tracks)
        if not self.config.pool:  # pooled tracks have the same share in every label
            rest = beyond(label[None, 1], self.align.words())
            said = self._each(reading, label[None], rest)[..., 0]
        share = said.softmax(dim=-1)
        regions = reading.member.sum(dim=(2, 3)).clamp_min(1)
        return torch.einsum("be,betr->btr", share / regions, reading.member)

    def _said(self, reading: Reading, labels: Tensor) -> Tensor:
        """Return (batch, C), SHARPNESS times how near clips are to labels by their tracks."""
        rest = self.beyond(labels, self.align.words())
        if self.config.pool:
            weights = reading.importance.exp()
            what, how = (
                torch.einsum("be,bed->bd", weights, some) for some in (reading.words, reading.ways)
            )
            return SHARPNESS * (F.normalize(what, dim=-1) @ labels[:, 0].T + how @ rest.T)
        return self._each(reading, labels, rest).logsumexp(dim=1)

    def _each(self, reading: Reading, labels: Tensor, rest: Tensor) -> Tensor:
        """Return (batch, tracks, C): how near each track is to each label, and its weight."""
        near = reading.words @ labels[:, 0].T + reading.ways @ rest.T
        return reading.importance[..., None] + SHARPNESS * near

    def _text(self, tracks: Tracks, aligned: Aligned, clips: Clips) -> Tensor:
        """Return (batch, tracks, dim), what each track is: a word, a mixture of words, or looks."""
        if self.config.align == "none":
            return _mean(tracks.member, F.normalize(clips.regions[:, :, 1:].float(), dim=-1))
        if aligned.text is None:
            return self.align.words()[self.align.order[tracks.entity]]
        return self.align.spell(_mean(tracks.member, aligned.text[:, :, 1:]))

    def _looks(self, tracks: Tracks, clips: Clips) -> Tensor | None:
        """Return (batch, tracks, width) of what regions look like, where that may be known."""
        if self.looks is None:
            return None
        regions = F.normalize(clips.regions[:, :, 1:].float(), dim=-1)
        looks: Tensor = self.looks(4 * _mean(tracks.member, regions))
        return looks

    def _state(self, tracks: Tracks, looks: Tensor | None) -> Tensor:
        """Read paths: (batch, tracks, width)."""
        path = tracks.path
        if not (self.config.place and self.config.waves):
            told = 3 if self.config.place else 0  # of place and its changes
            path = torch.cat(
                [path[..., :told], torch.zeros_like(path[..., told:6]), path[..., 6:]], dim=-1
            )
        if self.smooth is not None:
            series = path.flatten(0, 1).mT  # (batch · tracks, 8, frames)
            path = path + self.smooth(series).mT.unflatten(0, path.shape[:2])
        seen = torch.cat([through_time(path, self.waves), 3 * tracks.evidence[..., None]], dim=-1)
        state: Tensor = self.paths(seen)
        there = tracks.evidence > 0
        there[:, 0] = True  # attention over nothing has no value
        for layer in self.layers:
            state = layer(state, state if looks is None else state + looks, there)
        normed: Tensor = self.norm(state)
        return normed


def _mean(member: Tensor, rows: Tensor) -> Tensor:
    """Mean of the rows (batch, frames, regions, dim) of each track; zero for a track of none."""
    count = member.sum(dim=(2, 3)).clamp_min(1)
    return torch.einsum("betr,btrd->bed", member, rows.to(member.dtype)) / count[..., None]
