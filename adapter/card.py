"""The model card of a run: what it is, what it learned from, how good it is, what it is not for."""

from typing import Any

from adapter.alignment import Alignment
from adapter.runs import RunConfig
from corpus.words import counted

_SHOWN = 20  # labels


def card(config: RunConfig, metrics: dict[str, Any]) -> str:
    """Write a run's model card.

    Args:
        config: what decided the run.
        metrics: as in its metrics.json.

    Returns:
        Markdown.
    """
    facts, shape, how = config.features, config.model, config.train
    more = len(config.labels) - _SHOWN
    labels = ", ".join(f"`{_plain(label)}`" for label in config.labels[:_SHOWN])
    lines = [
        f"# Action recogniser `{shape.method}` on {_plain(facts.backbone)}",
        "",
        "Made with ALT (`alt-adapter train`). It reads region features of that frozen backbone and",
        "scores a clip against texts; labels that it was not trained on may be given.",
        "",
        "## Data",
        "",
        f"- data set `{_plain(facts.dataset)}`: {counted(config.clips, 'clip')}, "
        f"{facts.views} views of {facts.frames} frames, r = {facts.merge}, "
        f"{facts.regions} regions a frame",
        f"- features {', '.join(f'`{digest}`' for digest in config.contents)}; "
        f"backbone weights `{facts.fingerprint}`"
        + (" (RANDOM: the figures mean nothing)" if facts.random_weights else ""),
        f"- text corpus `{config.corpus}`",
        f"- {counted(len(config.labels), 'label')} in the prompts "
        + ", ".join(f"`{_plain(prompt)}`" for prompt in config.prompts)
        + f": {labels}"
        + (f" and {more} more (config.json)" if more > 0 else ""),
        *(
            f"- {counted(count, 'row')} left out: {reason}"
            for reason, count in config.left_out.items()
        ),
        "",
        "## Figures",
        "",
        *_figures(config, metrics),
        *_alignment(metrics),
        "",
        "## Training",
        "",
        f"{counted(len(metrics['history']), 'epoch')} of at most {how.passes(config.clips)}, "
        f"best {metrics['best_epoch']}; "
        f"AdamW, lr {how.lr:g}, batch {how.batch_size}, seed {how.seed}. All settings are in",
        "config.json. Features come from a cache: there is no pixel augmentation at each step.",
        "",
        "## Limits",
        "",
        "Its mistakes are those of the backbone and of the clips above, with whatever bias they",
        "have. Scores are softmax over the labels asked for: one of them is always first.",
        "",
        "Made by " + ", ".join(f"{name} {number}" for name, number in config.versions.items()),
    ]
    return "\n".join(lines) + "\n"


def _figures(config: RunConfig, metrics: dict[str, Any]) -> list[str]:
    if "validation" not in metrics:
        return ["None: there were no clips to validate with."]
    ours = metrics["validation"]
    rows = {"mean-pooled CLIP": metrics["validation_clip"], config.model.method: ours}
    columns = ("top1", "top5", "mean_class", "calibration_error")
    table = [
        f"| {name} | " + " | ".join(f"{100 * scores[column]:.1f}" for column in columns) + " |"
        for name, scores in rows.items()
    ]
    return [
        f"{counted(ours['clips'], 'validation clip')} "
        f"({config.validation}; list `{ours['list_hash']}`), "
        f"{counted(ours['labels'], 'label')}; they chose the epoch, so they flatter.",
        "",
        "| % | top-1 | top-5 | mean class | calibration error |",
        "|---|---|---|---|---|",
        *table,
    ]


def _alignment(metrics: dict[str, Any]) -> list[str]:
    if "alignment" not in metrics:
        return []
    found = Alignment.model_validate(metrics["alignment"])
    words = "Where a few take nearly all, words say little."
    return ["", f"In {counted(found.clips, 'clip')}, {_plain(found.describe())}. {words}"]


def _plain(text: str) -> str:
    """Keep a name from ending its code span or its line."""
    return " ".join(text.replace("`", "'").split())
