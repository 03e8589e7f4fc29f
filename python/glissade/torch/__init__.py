"""Glissade in PyTorch: the step rules as optimizers, micro-batch clipping, and exchanges between ranks."""

from ._accumulation import MicroBatchAccumulation
from ._clipping import ClippingReport, FallbackWarning, MicroBatchClipping
from ._exchange import ExchangeReport, MicroBatchExchange, QuantizedExchange
from ._monitor import GradientMonitor, MonitorWarning, NoiseScale
from ._optimizers import (
    LAMB,
    LARS,
    NAG,
    NGD,
    SGD,
    SNGD,
    SNGM,
    ACClip,
    Adagrad,
    Adam,
    AdamW,
    AMSGrad,
    CClip,
    Clip,
    GClip,
    MomentumSGD,
    RMSprop,
    RuleOptimizer,
    StepRefusedWarning,
)

__all__ = [
    "LAMB",
    "LARS",
    "NAG",
    "NGD",
    "SGD",
    "SNGD",
    "SNGM",
    "ACClip",
    "AMSGrad",
    "Adagrad",
    "Adam",
    "AdamW",
    "CClip",
    "Clip",
    "ClippingReport",
    "ExchangeReport",
    "FallbackWarning",
    "GClip",
    "GradientMonitor",
    "MicroBatchAccumulation",
    "MicroBatchClipping",
    "MicroBatchExchange",
    "MomentumSGD",
    "MonitorWarning",
    "NoiseScale",
    "QuantizedExchange",
    "RMSprop",
    "RuleOptimizer",
    "StepRefusedWarning",
]
