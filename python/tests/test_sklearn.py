"""The estimators of scikit-learn: its own checks, and what its users do."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

sklearn = pytest.importorskip("sklearn")
gs = pytest.importorskip("glissade.sklearn")
from sklearn.datasets import make_blobs, make_regression  # noqa: E402
from sklearn.linear_model import LinearRegression, LogisticRegression  # noqa: E402
from sklearn.model_selection import GridSearchCV, cross_val_score  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402
from sklearn.utils.estimator_checks import parametrize_with_checks  # noqa: E402


@parametrize_with_checks([gs.GlissadeClassifier(n_jobs=1), gs.GlissadeRegressor(n_jobs=1)])
def test_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


def test_logistic_regression_is_found():
    x, y = make_blobs(200, centers=3, n_features=4, cluster_std=4.0, random_state=1)
    x = StandardScaler().fit_transform(x)
    wanted = LogisticRegression(C=1 / (0.01 * len(x)), tol=1e-10, max_iter=1000).fit(x, y)
    found = gs.GlissadeClassifier(method="nag", lr=0.5, l2=0.01, epochs=500, standardize=False).fit(x, y)
    # scikit-learn does not shrink the intercept.
    assert np.allclose(found.predict_proba(x), wanted.predict_proba(x), atol=0.02)
    assert (found.predict(x) == wanted.predict(x)).mean() > 0.98


def test_least_squares_are_found():
    x, y = make_regression(150, 5, n_targets=2, noise=3.0, bias=40.0, random_state=2)
    wanted = LinearRegression().fit(x, y)
    found = gs.GlissadeRegressor(method="nag", lr=0.1, epochs=300).fit(x, y)
    assert np.allclose(found.predict(x), wanted.predict(x), atol=1e-4 * np.abs(y).max())
    assert gs.GlissadeRegressor(method="nag", lr=0.1, epochs=300).fit(x, y[:, 0]).predict(x).shape == (150,)


def test_networks_and_micro_batch_clipping():
    x, y = make_blobs(300, centers=4, n_features=6, cluster_std=2.0, random_state=3)
    model = gs.GlissadeClassifier(
        {"name": "mlp", "hidden": [16]}, "sngm", estimator={"name": "microbatch", "microbatch": 4}, lr=0.1, epochs=10,
        batch=32, random_state=0,
    )  # fmt: skip
    assert model.fit(x, y).score(x, y) > 0.9 and model.n_iter_ == 10
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.predict_proba(x), model.predict_proba(x))


def test_texts_as_classes_pipelines_and_searches():
    x, y = make_blobs(120, centers=2, n_features=3, random_state=4)
    names = np.array(["left", "right"])[y]
    pipe = make_pipeline(StandardScaler(), gs.GlissadeClassifier(epochs=20))
    assert cross_val_score(pipe, x, names, cv=3).min() > 0.9
    search = GridSearchCV(gs.GlissadeClassifier(epochs=5), {"lr": [1e-4, 0.1]}, cv=3, scoring="neg_log_loss").fit(
        x, names
    )
    assert search.best_params_ == {"lr": 0.1} and set(search.predict(x)) == {"left", "right"}


def test_partial_fit_and_warm_start_go_on():
    x, y = make_blobs(200, centers=3, n_features=4, random_state=5)
    model = gs.GlissadeClassifier(random_state=0, lr=0.05, batch=20)
    with pytest.raises(ValueError, match="classes"):
        model.partial_fit(x, y)
    losses = []
    for _ in range(6):
        for part in np.array_split(np.arange(200), 2):
            model.partial_fit(x[part], y[part], classes=[0, 1, 2])
        losses.append(model.loss_)
    assert losses[-1] < losses[0] and model.score(x, y) > 0.9 and model.n_iter_ == 12
    warm = gs.GlissadeClassifier(epochs=2, warm_start=True, random_state=0, lr=0.05, batch=20).fit(x, y)
    first = warm.loss_
    assert warm.fit(x, y).loss_ < first and warm.n_iter_ == 4


def test_single_precision_stays(dtype):
    x, y = make_blobs(60, centers=2, n_features=3, random_state=6)
    model = gs.GlissadeClassifier(epochs=3).fit(x.astype(dtype), y)
    assert model.predict_proba(x.astype(dtype)).dtype == dtype
    assert all(array.dtype == dtype for array in model.coefs_.values())
