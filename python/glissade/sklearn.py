"""Estimators of scikit-learn over the library's models and methods."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin  # type: ignore[import-not-found, import-untyped, unused-ignore]
from sklearn.utils import check_random_state  # type: ignore[import-not-found, import-untyped, unused-ignore]
from sklearn.utils.multiclass import check_classification_targets  # type: ignore[import-not-found, import-untyped, unused-ignore]
from sklearn.utils.validation import (  # type: ignore[import-not-found, import-untyped, unused-ignore]
    _check_sample_weight,
    check_is_fitted,
    validate_data,
)

from ._arrays import Array
from ._data import Data
from ._library import Context
from ._predict import opened_from, predict
from ._train import train

_TYPES = (np.float64, np.float32)
# With a smaller eps the rounding of a gradient that vanishes would grow to steps of the rate's size.
_METHOD = {"name": "adam", "eps": 0.01}


class _Glissade(BaseEstimator):  # type: ignore[misc, unused-ignore]
    """What both estimators share: the configuration, training, and the model as the content of its file."""

    def __init__(
        self,
        model: str | Mapping[str, Any] | None = None,
        method: str | Mapping[str, Any] | None = None,
        *,
        estimator: str | Mapping[str, Any] | list[Any] | None = None,
        schedule: str | Mapping[str, Any] | None = None,
        lr: float | None = None,
        l2: float = 0.0,
        epochs: float = 100,
        batch: int = 256,
        standardize: bool = True,
        validation: float = 0.0,
        patience: int = 0,
        warm_start: bool = False,
        random_state: Any = None,
        n_jobs: int | None = None,
        verbose: bool = False,
    ) -> None:
        self.model = model
        self.method = method
        self.estimator = estimator
        self.schedule = schedule
        self.lr = lr
        self.l2 = l2
        self.epochs = epochs
        self.batch = batch
        self.standardize = standardize
        self.validation = validation
        self.patience = patience
        self.warm_start = warm_start
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    _linear = ""  # the model where none is given
    _content: bytes
    n_iter_: int

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.non_deterministic = False
        return tags

    def _config(self, epochs: float, seed: int) -> dict[str, Any]:
        given: Any = self._linear if self.model is None else self.model
        model = {"name": given} if isinstance(given, str) else dict(given)
        if self.l2 and "l2" not in model:
            model["l2"] = self.l2
        named: Any = _METHOD if self.method is None else self.method
        method = {"name": named} if isinstance(named, str) else dict(named)
        if self.lr is not None:
            method["lr"] = self.lr
        elif "lr" not in method and "from_theory" not in method:
            method["lr"] = 0.02
        learn = {
            "epochs": epochs,
            "batch": self.batch,
            "seed": seed,
            "threads": max(0, self.n_jobs or 0),
            "workers": 0,
            "checkpoint_every": 0,
            "log_every": 0,
            "validate_every": 0,
        }
        if self.validation:
            learn |= {"validation": self.validation, "patience": self.patience, "validate_every": 1}
        config = {"model": model, "method": method, "train": learn}
        optional = {"estimator": self.estimator, "schedule": self.schedule}
        return config | {key: value for key, value in optional.items() if value is not None}

    def _train(self, data: Data, *, epochs: float, resume: bool) -> None:
        seed = int(check_random_state(self.random_state).randint(1 << 31))
        kind = data.x.dtype if isinstance(data.x, np.ndarray) else data.x.value.dtype
        config = self._config(epochs, seed)
        with tempfile.TemporaryDirectory() as folder:
            start = None
            if resume:
                start = Path(folder, "start.safetensors")
                start.write_bytes(self._content)
            result = train(config, Path(folder, "run"), data=data, start=start, progress=bool(self.verbose), dtype=kind)
            self._content = Path(folder, "run", "final.safetensors").read_bytes()
        self._dtype = np.dtype(kind)
        self.n_iter_ = int(np.ceil(result.epochs)) + (self.n_iter_ if resume else 0)
        self.coefs_ = result.weights
        self.loss_ = result.train_loss

    def _values(self, x: Any) -> Array:
        """The model's own predictions [rows, classes or values]."""
        check_is_fitted(self, "_content")
        rows = validate_data(self, x, accept_sparse="csr", dtype=_TYPES, reset=False, ensure_min_samples=1)
        with Context(self._dtype, threads=max(0, self.n_jobs or 0)) as context:
            with opened_from(context, self._content) as predictor:
                values = predict(context, predictor, self._scaled(rows)).values
        assert values is not None
        return values

    def _learn_scale(self, x: Any, weight: Array | None) -> None:
        """Of the features, by weighted mean and variance; sparse ones are not centred."""
        share = np.full(x.shape[0], 1 / x.shape[0]) if weight is None else weight / weight.sum()
        mean = np.asarray(x.T @ share).ravel()
        if hasattr(x, "multiply"):
            variance = np.asarray(x.multiply(x).T @ share).ravel() - mean**2
            self._center: Any = 0.0
        else:
            variance = ((x - mean) ** 2).T @ share
            self._center = mean.astype(x.dtype)
        deviation = np.sqrt(variance.clip(min=0))
        still = deviation <= 1e-7 * np.abs(mean)  # but for rounding
        self._deviation = np.where(still, 1.0, deviation).astype(x.dtype)

    def _scaled(self, x: Any) -> Any:
        if not self.standardize:
            return x
        if hasattr(x, "multiply"):
            return x.multiply(1 / self._deviation).tocsr()
        return (x - self._center) / self._deviation


def _weighted(x: Any, y: Array, weight: Any) -> tuple[Any, Array, Array | None]:
    """Rows that weigh nothing are none."""
    if weight is None:
        return x, y, None
    weight = _check_sample_weight(weight, x, dtype=np.float64, ensure_non_negative=True)
    live = weight > 0
    if not live.any():
        raise ValueError("sample_weight: all of them are 0: expected one above it")
    return x[live], y[live], weight[live]


class GlissadeClassifier(ClassifierMixin, _Glissade):  # type: ignore[misc, unused-ignore]
    """A classifier trained by any of the library's methods.

    Args:
        model: "mlp", {"name": "mlp", "hidden": [64]}, ... (`glissade.list("models")`); None: multinomial logistic
            regression.
        method: "sngm", {"name": "clip", "gamma": 1.0}, ... (`glissade.list("methods")`); None: adam with eps=0.01.
        estimator: {"name": "microbatch", "microbatch": 16}, or a chain of such; None: the mean gradient.
        schedule: of the learning rate, "cosine" or the like; None: constant.
        lr: learning rate; None: the method's own lr, else 0.02.
        l2: coefficient of the squared weights over two, for linear models.
        epochs, batch: passes over the rows, and rows of a mini-batch.
        standardize: features to mean 0 and variance 1; sparse ones are not centred.
        validation: share or number of rows held out; patience: validations without a better one that end the training.
        warm_start: `fit` goes on from the weights that there are.
        random_state: of order and initial weights.
        n_jobs: threads; None: all.
        verbose: a progress bar.

    Attributes:
        classes_: [classes]; n_features_in_, feature_names_in_; n_iter_: epochs; loss_: over the training rows; coefs_:
        weights by name.
    """

    _linear = "softmax"

    def _data(self, x: Any, y: Any, weight: Any, classes: Any, reset: bool) -> Data:
        x, y = validate_data(self, x, y, accept_sparse="csr", dtype=_TYPES, reset=reset)
        check_classification_targets(y)
        if classes is not None:
            self.classes_ = np.unique(classes)
        elif reset:
            self.classes_ = np.unique(y)
        x, y, weight = _weighted(x, y, weight)
        if len(self.classes_) < 2 or (reset and classes is None and len(np.unique(y)) < 2):
            raise ValueError(f"{type(self).__name__} needs rows of at least two classes, found one class")
        if reset:
            self._learn_scale(x, weight)
        return Data(self._scaled(x), y, weight=weight, classes=self.classes_)

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> GlissadeClassifier:
        """Trains on X [rows, features], y [rows]; sample_weight [rows], not below 0."""
        again = self.warm_start and hasattr(self, "_content")
        self._train(self._data(X, y, sample_weight, None, not again), epochs=self.epochs, resume=again)
        return self

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> GlissadeClassifier:
        """One pass over these rows from the weights that there are; the method's own state begins anew.

        classes: all that there will be, in the first call.
        """
        again = hasattr(self, "_content")
        if not again and classes is None:
            raise ValueError("classes: the first call of partial_fit needs them all")
        self._train(self._data(X, y, sample_weight, None if again else classes, not again), epochs=1, resume=again)
        return self

    def predict_proba(self, X: Any) -> Array:
        """[rows, classes]"""
        return self._values(X)

    def predict_log_proba(self, X: Any) -> Array:
        """[rows, classes]"""
        found: Array = np.log(self._values(X))
        return found

    def predict(self, X: Any) -> Array:
        """[rows] classes."""
        best = self._values(X).argmax(axis=1)
        found: Array = self.classes_[best]
        return found


class GlissadeRegressor(RegressorMixin, _Glissade):  # type: ignore[misc, unused-ignore]
    """A regressor trained by any of the library's methods, to least squares. Targets are scaled to mean 0 and variance
    1 for the training. Arguments as those of GlissadeClassifier; model None: linear least squares.

    Attributes:
        n_features_in_, feature_names_in_; n_iter_: epochs; loss_: over the training rows, of the scaled targets;
        coefs_: weights by name.
    """

    _linear = "least_squares"

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = True
        return tags

    def _data(self, x: Any, y: Any, weight: Any, reset: bool) -> Data:
        x, y = validate_data(
            self, x, y, accept_sparse="csr", dtype=_TYPES, reset=reset, multi_output=True, y_numeric=True
        )
        x, y, weight = _weighted(x, np.asarray(y, dtype=x.dtype), weight)
        if reset:
            self._one = y.ndim == 1
            self._middle = np.average(y, axis=0, weights=weight)
            deviation = np.sqrt(np.average((y - self._middle) ** 2, axis=0, weights=weight))
            self._scale = np.where(deviation > 0, deviation, 1.0)
            self._learn_scale(x, weight)
        return Data(self._scaled(x), ((y - self._middle) / self._scale).astype(x.dtype), weight=weight)

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> GlissadeRegressor:
        """Trains on X [rows, features], y [rows] or [rows, targets]; sample_weight [rows], not below 0."""
        again = self.warm_start and hasattr(self, "_content")
        self._train(self._data(X, y, sample_weight, not again), epochs=self.epochs, resume=again)
        return self

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> GlissadeRegressor:
        """One pass over these rows from the weights that there are; the method's own state begins anew. The first
        call's targets set the scale."""
        again = hasattr(self, "_content")
        self._train(self._data(X, y, sample_weight, not again), epochs=1, resume=again)
        return self

    def predict(self, X: Any) -> Array:
        """[rows] or [rows, targets]"""
        values = self._values(X)
        found: Array = (values[:, 0] if self._one else values) * self._scale + self._middle
        return found
