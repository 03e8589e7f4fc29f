"""Glissade: gradient methods that stay in control, and measures of the gradients they follow.

`method` makes a step rule for a loop of your own, `estimate` and `measure` take gradients in memory, `theory` gives
what theorems give, `train`, `sweep`, `advise` and `Run` are the command's runs, and `list` says what there is.
`glissade.torch` has the step rules as PyTorch optimizers.
"""

from ._callbacks import Callback, Progress
from ._data import Data
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
from ._library import version as _version
from ._measure import Figure, Measurement, Measurements, measure
from ._members import Member, Option
from ._members import members as list  # noqa: A004 - the name is the interface
from ._method import Method, Query, StepReport, method
from ._monitor import Monitor
from ._predict import Predictions
from ._run import MeasuredFigure, Run, Series
from ._search import Advice, AdviceLine, Entrant, Stat, Sweep, SweepProgress, Trial, Verdict, advise, sweep
from ._theory import TheoremValue, TheoremValues, theory
from ._train import TrainResult, train

__version__ = _version()

__all__ = [
    "Advice",
    "AdviceLine",
    "BadInputError",
    "Block",
    "Callback",
    "Data",
    "Entrant",
    "Estimate",
    "Figure",
    "FileError",
    "GlissadeError",
    "InternalError",
    "MeasuredFigure",
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
    "Stat",
    "StepReport",
    "Sweep",
    "SweepProgress",
    "TheoremValue",
    "TheoremValues",
    "TrainResult",
    "Trial",
    "UnsupportedError",
    "Verdict",
    "advise",
    "estimate",
    "list",
    "measure",
    "method",
    "sweep",
    "theory",
    "train",
]
