"""Glissade in Hugging Face's transformers: micro-batch clipping and the monitor in its Trainer."""

from ._callback import GradientMonitorCallback
from ._trainer import MicroBatchClippingMixin

__all__ = ["GradientMonitorCallback", "MicroBatchClippingMixin"]
