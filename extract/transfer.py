"""Pixels to the device and results back; on a GPU beside what it computes."""

from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor


class Transfer:
    """Copies between memory and a device; for use in many threads.

    A GPU copies on streams of their own, so that its processors do not wait for the bus.

    Args:
        device: where tensors are worked on.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._streams: tuple[torch.cuda.Stream, torch.cuda.Stream] | None = None
        if device.type == "cuda":
            self._streams = torch.cuda.Stream(device), torch.cuda.Stream(device)

    def room(self, *shape: int) -> Tensor:
        """Memory for pixels, uint8, from where `up` is quick."""
        return torch.empty(*shape, dtype=torch.uint8, pin_memory=self._streams is not None)

    def up(self, tensor: Tensor) -> Tensor:
        """Bring a tensor of `room` to the device."""
        if self._streams is None:
            return tensor.to(self._device)
        up, work = self._streams[0], torch.cuda.current_stream(self._device)
        with torch.cuda.stream(up):
            there = tensor.to(self._device, non_blocking=True)
        work.wait_stream(up)
        there.record_stream(work)
        return there

    def down(self, tensors: list[Tensor]) -> list[NDArray[Any]]:
        """Bring tensors of the device to NumPy.

        From a GPU by way of memory that is pinned and used again: a copy to memory of any other
        kind waits while the system finds it, page by page, and the processor waits with it.
        """
        if self._streams is None:
            return [tensor.cpu().numpy() for tensor in tensors]
        down, work = self._streams[1], torch.cuda.current_stream(self._device)
        here = [torch.empty_like(tensor, device="cpu", pin_memory=True) for tensor in tensors]
        copied = torch.cuda.Event(blocking=True)
        with torch.cuda.stream(down):
            down.wait_stream(work)
            for tensor, copy in zip(tensors, here, strict=True):
                copy.copy_(tensor, non_blocking=True)
                tensor.record_stream(down)
            copied.record()
        copied.synchronize()
        return [copy.numpy() for copy in here]
