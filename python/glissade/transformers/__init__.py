"""Glissade in Hugging Face's transformers: micro-batch clipping in its Trainer."""

from ._trainer import MicroBatchClippingMixin

__all__ = ["MicroBatchClippingMixin"]
