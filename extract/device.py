"""Which device encodes."""

import torch

from corpus.errors import BadInput


def pick_device(device: str) -> str:
    """Resolve "auto" to the best device there is.

    Raises:
        BadInput: no such device, or one that cannot be used.
    """
    if device == "auto":
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        torch.zeros(1, device=device).cpu()  # there and back: some are devices in name only
    except (RuntimeError, AssertionError, ImportError) as error:
        cause = str(error).splitlines()[0][:120]
        raise BadInput(f"--device {device}", f"cannot be used ({cause})", "use auto") from error
    return device
