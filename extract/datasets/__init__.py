"""Where videos and their labels come from. Each module reads one form that people have."""

from extract.datasets.base import Clip, Dataset
from extract.datasets.known import NAMES, open_dataset

__all__ = ["NAMES", "Clip", "Dataset", "open_dataset"]
