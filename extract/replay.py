"""A tower recorded once and replayed: on a GPU one launch in place of some hundreds.

Each launch needs Python's lock, which the threads that read and write want as well: launched one by
one, the tower would wait for them, and the GPU for it.
"""

from threading import Lock

import torch
from torch import Tensor

from extract.regions import RegionEncoder, Regions


class Replay:
    """A tower for batches of one size, as a CUDA graph; for use in many threads.

    What is computed is what `tower` computes, by the same kernels. Call it without gradients.

    Args:
        tower: on a GPU.
        images: (B, 3, H, W) float32, on that GPU; a batch to begin with.

    Raises:
        torch.OutOfMemoryError: the GPU has no room for a batch.
    """

    def __init__(self, tower: RegionEncoder, images: Tensor) -> None:
        self._images, self._lock = images.clone(), Lock()
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.device(images.device):
            tower(self._images)  # what is compiled or chosen at its first use is so before
            with torch.cuda.graph(self._graph):
                self._seen = tower(self._images)

    def __call__(self, images: Tensor) -> Regions:
        """Encode images of the first ones' shape."""
        seen = self._seen
        # All threads launch on one stream: what one launches in a piece, the GPU does in a piece.
        with self._lock, torch.cuda.device(images.device):
            self._images.copy_(images)
            self._graph.replay()
            return Regions(seen.tokens.clone(), seen.size.clone(), seen.source.clone())
