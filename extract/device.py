"""Which device encodes, and what it computes in."""

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


def imitates(precision: str) -> bool:
    """Tell whether this machine's CPU has no instructions for a precision, which takes long then.

    Args:
        precision: "float32", "bfloat16" or "float16".
    """
    asked = {
        "bfloat16": torch.ops.mkldnn._is_mkldnn_bf16_supported,
        "float16": torch.ops.mkldnn._is_mkldnn_fp16_supported,
    }
    known = torch.backends.mkldnn.is_available() and precision in asked
    return known and not asked[precision]()
