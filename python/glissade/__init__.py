"""Glissade: gradient methods that stay in control, and measures of the gradients they follow.

`method` makes a step rule for a loop of your own, `estimate` and `measure` take gradients in memory, `theory` gives
what theorems give, `train` and `Run` are the command's runs, and `list` says what there is. `glissade.torch` has the
step rules as PyTorch optimizers.
"""

from ._errors import (
    BadInputError,
    FileError,
    GlissadeError,
    InternalError,
    NonfiniteError,
    OutOfMemoryError,
    RunInterrupted,
    UnsupportedError,
)
from ._estimate import Estimate, estimate
from ._layout import Block
from ._measure import Figure, Measurement, Measurements, measure
from ._members import Member, Option
from ._members import members as list  # noqa: A004 - the name is the interface
from ._method import Method, Query, StepReport, method
from ._monitor import Monitor
from ._run import Predictions, Run, Series
from ._theory import TheoremValue, TheoremValues, theory
from ._train import Progress, TrainResult, train

__all__ = [
    "BadInputError",
    "Block",
    "Estimate",
    "Figure",
    "FileError",
    "GlissadeError",
    "InternalError",
    "Measurement",
    "Measurements",
    "Member",
    "Method",
    "Monitor",
    "NonfiniteError",
    "Option",
    "OutOfMemoryError",
    "Predictions",
    "Progress",
    "Query",
    "Run",
    "RunInterrupted",
    "Series",
    "StepReport",
    "TheoremValue",
    "TheoremValues",
    "TrainResult",
    "UnsupportedError",
    "estimate",
    "list",
    "measure",
    "method",
    "theory",
    "train",
]
