"""Whether a device still computes after something went wrong on it."""

from __future__ import annotations

import torch

from townsfolk.engine.errors import DeviceFailedError


def raise_if_failed(device: torch.device, error: Exception) -> None:
    """Raise an error again that is no matter of single requests.

    CUDA keeps some errors, such as an access to an illegal address: whatever the process asks of
    the device from then on fails, and only a new process helps.

    Args:
        device: where something went wrong.
        error: what was raised.

    Raises:
        DeviceFailedError: The device computes nothing any more.
    """
    if isinstance(error, DeviceFailedError):
        raise error
    if device.type != "cuda":
        return
    try:
        torch.cuda.synchronize(device)
    except Exception:
        raise DeviceFailedError(f"{device} computes nothing any more: {error}") from error
