"""Weights and card of the mini backbone: what ships, and what is said of it."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel
from safetensors.torch import save_file

import corpus.backbone
from corpus.atomic import atomic_file
from corpus.backbone import MINI, Backbone
from pipelines.mini.measure import Recognition, all_texts, recognition
from pipelines.mini.train import Recipe
from pipelines.pointing import SHARES, Alignment, measure
from pipelines.world.write import write_world

FOLDER = Path(corpus.backbone.__file__).parent / "backbones"
_WORLD_SEED = 1000  # a world that no demo uses

_CARD = """# {name}

A CLIP of {parameters:.1f} million parameters that knows the demo world and nothing else: drawings
of a figure, things, animals and scenes. It lets the whole pipeline run in minutes on two cores with
no download. For real videos take a real CLIP.

- **Made by** `python -m pipelines.mini train` (`make mini`), {steps} steps of {batch} stills, seed
  {seed}: {first} still scenes, seen {passes} times each, by the image tower alone, then {rest} more
  by both towers, each seen once. Half precision, safetensors.
- **Trained on** still scenes drawn by `pipelines/world/stills.py`, with captions of what is in them
  and where. No video, no motion and no action label; seeds that no video has. The text tower also
  reads the entities' names and WordNet definitions, names among other words, some of them made of
  pieces of the vocabulary so that they mean nothing, and WordNet's nouns for what the world does
  not have, which no picture is to be like.
- **Loss** open_clip's contrastive loss, of captions with class tokens and of two texts of one
  entity, or of one company of words; and for every token the cross-entropy of its likeness with all
  entities' texts, of regions against what covers their pixels and of the class token against what
  the still is about (what the figure has near it, or the things that are there), with 8 tokens
  merged in each block in every other step. In the rest, the keys by which tokens merge should be
  like those of patches that show the same. At the end, for the text tower alone, the cross-entropy
  of names in company with all entities' texts and strangers'. Muon and AdamW.

## Figures

{figures}

Nuisance (distractors, occlusion, light, blur, noise, compression) is at the level of the world's
videos throughout.
"""


class Figures(BaseModel):
    """What was measured: single things on held-out stills, alignment on videos."""

    recognition: Recognition
    alignment: list[Alignment]
    videos: int

    def describe(self) -> str:
        """Write the figures as Markdown."""
        seen = self.recognition
        lines = [
            f"Zero-shot recognition of single things, {seen.stills} held-out stills, "
            f"{seen.ways} ways:",
            "",
            "| text | top-1 |",
            "|---|---|",
            f"| a {{thing}} | {seen.top1_name:.1%} |",
            f"| {{thing}}: {{definition}} | {seen.top1_definition:.1%} |",
            "",
            f"Patches that show one thing (at least 90 % of their pixels) and are nearest to its "
            f"text among all entities: {seen.patch:.1%} of {seen.patches}.",
            "",
            f"Alignment on {self.alignment[0].frames} frames of {self.videos} videos, among all "
            "entities of the world (definitions in `pipelines/pointing.py`; nothing merged is "
            "the per-patch argmax):",
            "",
            f"| merged a block | regions | {' | '.join(SHARES.values())} |",
            f"|{'---|' * (2 + len(SHARES))}",
        ]
        for a in self.alignment:
            shares = a.model_dump(include=set(SHARES))
            cells = " | ".join(f"{shares[name]:.1%}" for name in SHARES)
            lines.append(f"| {a.merge} | {a.regions} | {cells} |")
        return "\n".join(lines)


def figures(backbone: Backbone, clips: int = 40, each: int = 12) -> Figures:
    """Measure a backbone on held-out stills and on videos of a fresh world.

    Args:
        backbone: of the joint space to measure.
        clips: videos for the alignment.
        each: stills of each thing.
    """
    with tempfile.TemporaryDirectory() as folder:
        write_world(Path(folder), clips, _WORLD_SEED)
        videos = sorted(Path(folder).rglob("*.mp4"))
        aligned = measure(videos, backbone, {"the names of the world": all_texts(backbone)})
    return Figures(recognition=recognition(backbone, each), alignment=aligned, videos=clips)


def rounded(backbone: Backbone) -> Backbone:
    """Round a backbone's weights to half precision, in place, and return it."""
    state = {name: tensor.half() for name, tensor in backbone.model.state_dict().items()}
    backbone.model.load_state_dict(state)
    return backbone


def bundle(
    backbone: Backbone, recipe: Recipe, found: Figures, folder: Path = FOLDER
) -> Sequence[Path]:
    """Write a trained backbone's weights in half precision, and the card about them.

    Args:
        backbone: with rounded weights, the ones that `found` is of.
        recipe: that it was trained by.
        found: what was measured.
        folder: where to.

    Returns:
        The files written.
    """
    weights, card = folder / f"{MINI}.safetensors", folder / f"{MINI}.md"
    state = {
        name: tensor.half().contiguous() for name, tensor in backbone.model.state_dict().items()
    }
    with atomic_file(weights) as draft:
        save_file(state, draft)
    count = sum(p.numel() for p in backbone.model.parameters())
    with atomic_file(card) as draft:
        draft.write_text(
            _CARD.format(
                name=MINI,
                parameters=count / 1e6,
                steps=recipe.steps,
                batch=recipe.batch,
                seed=recipe.seed,
                first=f"{recipe.alone * recipe.batch // recipe.passes:,}",
                passes=recipe.passes,
                rest=f"{(recipe.steps - recipe.alone) * recipe.batch:,}",
                figures=found.describe(),
            ),
            encoding="utf-8",
        )
    return weights, card
