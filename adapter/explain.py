"""A report of one prediction: which entities it was read through, where in the frame and when."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jinja2 import Environment, PackageLoader
from numpy.typing import NDArray
from PIL import Image

from adapter.model import EntityRecogniser
from adapter.predict import Prediction, Predictor, judge
from corpus.atomic import atomic_file, check_kind
from corpus.errors import BadInput
from extract.run import encode_video

# Colours that can be told apart (Okabe and Ito's), one for each of the entities that are drawn.
COLOURS = ("#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7")


@dataclass(frozen=True)
class Patch:
    """A patch of a frame, as the report draws it; sizes are shares of the frame in per cent."""

    left: float
    top: float
    width: float
    height: float
    colour: str
    opacity: float
    title: str


@dataclass(frozen=True)
class Shot:
    """One frame: its picture as a data URI, its time in seconds, what counted in it."""

    picture: str
    time: float
    weight: float
    patches: tuple[Patch, ...]


def explain(predictor: Predictor, video: Path | str, out: Path | str, top: int = 5) -> Prediction:
    """Write a report of one video as a single HTML file that loads nothing from elsewhere.

    Args:
        predictor: of a run with entities.
        video: the file.
        out: the report.
        top: labels and entities to list; of the entities, the first are drawn in the frames, as
            many as there are colours.

    Returns:
        The prediction that is explained.

    Raises:
        BadInput: the report is not to be *.html, the video cannot be read, or the run has no
            entities to explain with.
    """
    video, out = Path(video), Path(out)
    check_kind(out, ".html", ".htm")
    model = predictor.run.model
    if not isinstance(model, EntityRecogniser):
        raise BadInput(predictor.run.folder, "is a baseline without entities", "explain an ALT run")
    pixels, features = encode_video(video, predictor.encoder, predictor.plan, predictor.pool)
    clips = predictor.clips(features)
    with torch.inference_mode():
        reading = model.read(clips)
    if reading.aligned is None:
        cause = "was trained without entities"
        raise BadInput(predictor.run.folder, cause, "explain an ALT run")
    labelling = predictor.labelling
    prediction = judge(predictor.run, labelling, video, clips, top)
    label = labelling.text[labelling.names.index(prediction.labels[0].label)]
    with torch.inference_mode():
        spoken = model.spoken(reading, label)
    colours = dict(zip((seen.row for seen in prediction.entities), COLOURS, strict=False))
    names = [named.unit for named in predictor.run.entities]
    shots = _shots(
        reading.aligned.entity.flatten(0, 1).cpu().numpy(),
        spoken.flatten(0, 1).cpu().numpy(),
        pixels.frames,
        features.patch_region,
        features.timestamps,
        names,
        colours,
        predictor.run.config.features.grid,
    )
    page = Environment(
        loader=PackageLoader("adapter", "."), autoescape=True, trim_blocks=True, lstrip_blocks=True
    ).get_template("explain.html")
    with atomic_file(out) as draft:
        draft.write_text(
            page.render(
                prediction=prediction,
                colours=colours,
                shots=shots,
                config=predictor.run.config,
                run=predictor.run.folder.name,
                name=video.name,
            ),
            encoding="utf-8",
        )
    return prediction


def _shots(
    entity: NDArray[np.int64],  # (V·T, R)
    weight: NDArray[np.float32],  # (V·T, R)
    frames: NDArray[np.uint8],
    patch_region: NDArray[np.integer],
    timestamps: NDArray[np.float32],
    names: list[str],
    colours: dict[int, str],  # by row of the corpus
    grid: tuple[int, int],
) -> list[Shot]:
    regions = entity.shape[1]
    rows, columns = grid
    # The most that a patch counts in any frame is drawn solid.
    counts = np.stack([np.bincount(row[row < regions], minlength=regions) for row in patch_region])
    each = weight / np.maximum(counts, 1)
    peak = each[:, 1:].max() or 1.0
    shots = []
    for frame in range(len(frames)):
        patches = []
        for patch, region in enumerate(patch_region[frame]):
            if region >= regions:  # its region was cut, and nothing was read from it
                continue
            named = int(entity[frame, region])
            if named in colours:
                row, column = divmod(patch, columns)
                share = each[frame, region] / peak
                patches.append(
                    Patch(
                        left=100 * column / columns,
                        top=100 * row / rows,
                        width=100 / columns,
                        height=100 / rows,
                        colour=colours[named],
                        opacity=round(0.15 + 0.55 * float(share), 3),
                        title=f"{names[named]}: {100 * weight[frame, region]:.1f} %",
                    )
                )
        shots.append(
            Shot(
                picture=_data_uri(frames[frame]),
                time=float(timestamps[frame]),
                weight=float(weight[frame].sum()),
                patches=tuple(patches),
            )
        )
    return shots


def _data_uri(frame: NDArray[np.uint8]) -> str:
    file = io.BytesIO()
    Image.fromarray(frame).save(file, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
