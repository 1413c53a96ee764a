"""What ALT is measured against, on the same features with the same loop, and how each is built."""

from abc import abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from adapter.align import Align, LearnedWords, Nudge
from adapter.clips import Clips, mean_class_token
from adapter.layers import Layer, Position
from adapter.model import Adapter, Method, ModelConfig, Recogniser, score
from adapter.paper import PaperAdapter
from adapter.train import TrainConfig

# In the order of a table: from what needs no training to what is proposed.
TITLES: dict[Method, str] = {
    "clip": "mean-pooled CLIP, no training",
    "linear": "linear probe on class tokens",
    "temporal": "temporal transformer on class tokens",
    "alt-paper": "the paper's adapter",
    "alt-learned": "ALT without entities (learned vectors)",
    "alt-shuffled": "ALT with shuffled entities",
    "alt": "ALT",
}


_ALIGNING = {"align", "top_k", "project", "explore", "temperature", "temperature_end"}
_SHAPE = ({*ModelConfig.model_fields} | _ALIGNING) - {"method"}
# Settings of what is trained, and of how its words are chosen, that have no effect on a method.
UNREAD: dict[Method, set[str]] = {
    "linear": _SHAPE,
    "temporal": _SHAPE - {"layers", "mlp_ratio", "dropout"},
    "alt-paper": {
        *("width", "tracks", "waves", "convolution", "content", "class_token", "gate", "pool")
    },
    "alt-learned": _ALIGNING,
}


class Pooled(Recogniser):
    """A clip becomes a point in the joint space, near its label."""

    @abstractmethod
    def embed(self, clips: Clips) -> Tensor:
        """Embed clips as (batch, dim)."""

    def forward(
        self, clips: Clips, labels: Tensor, mix: tuple[Tensor, float] | None = None
    ) -> Tensor:
        """Score clips against labels; MixUp is of the points."""
        return score(self.embed(clips), labels, self.log_scale.exp(), mix)


class MeanPooled(Pooled):
    """Zero-shot CLIP: the mean class token. It has nothing to train."""

    def embed(self, clips: Clips) -> Tensor:
        """Embed clips as (batch, dim)."""
        return mean_class_token(clips.regions)


class LinearProbe(Pooled):
    """One linear map of the mean class token, scored against the label texts.

    For label texts that are linearly independent any linear classifier without bias can be
    written so; unlike a plain one it can be asked about labels it was not trained on.
    """

    lr = 1e-4

    def __init__(self, dim: int, scale: float) -> None:
        super().__init__(scale)
        self.map = Nudge(dim)

    def embed(self, clips: Clips) -> Tensor:
        """Embed clips as (batch, dim)."""
        return self.map(mean_class_token(clips.regions))


class TemporalTransformer(Pooled):
    """Adapt, then align: self-attention over class tokens through time, as X-CLIP has it."""

    lr = 1e-5

    def __init__(self, dim: int, scale: float, config: ModelConfig) -> None:
        super().__init__(scale)
        self.position = Position(dim)
        self.layers = nn.ModuleList(
            Layer(dim, config.mlp_ratio, config.dropout) for _ in range(config.layers)
        )

    def embed(self, clips: Clips) -> Tensor:
        """Embed clips as (batch, dim)."""
        x = F.normalize(clips.regions[:, :, 0].float(), dim=-1)  # (batch, frames, dim)
        x = x + self.position(x.shape[1])
        for layer in self.layers:
            x = layer(x, x)
        return x.mean(dim=1)


def peak_lr(method: str, config: TrainConfig) -> float:
    """Return the peak learning rate that a method is trained with."""
    kinds: dict[str, type[Recogniser]] = {
        "linear": LinearProbe,
        "temporal": TemporalTransformer,
        "alt-paper": PaperAdapter,
    }
    return config.lr or kinds.get(method, Adapter).lr


def settled(config: TrainConfig, method: str, clips: int) -> TrainConfig:
    """Return a method's training on so many clips with no number left to a later version."""
    return config.model_copy(update={"lr": peak_lr(method, config), "epochs": config.passes(clips)})


def build(
    config: ModelConfig, entities: Tensor, regions: int, scale: float, seed: int = 0
) -> Recogniser:
    """Make an untrained recogniser.

    Args:
        config: which method, and its shape.
        entities: (K, D) unit rows, the text corpus.
        regions: R, tokens of a frame; as many learned vectors stand in for entities.
        scale: of the backbone's cosines.
        seed: of the weights and, for "alt-shuffled", of the permutation.

    Returns:
        The recogniser, in training mode.
    """
    dim = entities.shape[1]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        match config.method:
            case "clip":
                return MeanPooled(scale)
            case "linear":
                return LinearProbe(dim, scale)
            case "temporal":
                return TemporalTransformer(dim, scale, config)
            case "alt-learned":
                align: Align = LearnedWords(regions, dim, scale)
                return Adapter(align, scale, config)
            case "alt" | "alt-shuffled" | "alt-paper":
                shuffled = config.method == "alt-shuffled"
                align = Align(
                    entities,
                    scale,
                    config.top_k,
                    hard=config.align != "soft",
                    project=config.project,
                    explore=config.explore,
                    order=torch.randperm(len(entities)) if shuffled else None,
                )
                if config.method == "alt-paper":
                    return PaperAdapter(align, scale, config)
                return Adapter(align, scale, config)
