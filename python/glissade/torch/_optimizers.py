"""The step rules as PyTorch optimizers."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import Optimizer

from .._errors import BadInputError, UnsupportedError
from .._method import StepReport
from .._rule_options import check, default, options_of, refuse_unknown
from . import _foreign, _rules
from ._compiled import COUNTERS, Engine, reachable


class StepRefusedWarning(UserWarning):
    """A gradient was not finite: the step was refused, nothing has changed."""


class RuleOptimizer(Optimizer):
    """A step rule of the library as an optimizer; its subclasses name the rule.

    Parameters on the CPU, all float32 or all float64, move in the compiled library, in place and all at once; others by
    PyTorch's operations. A gradient with a NaN or an infinity anywhere is refused: nothing changes, `report.refused`
    is set and a StepRefusedWarning is given. Parameters whose gradient is None stay as they are, with their state.
    Steps are counted for all parameters together.

    Args:
        params: parameters, groups or named parameters, as torch.optim takes them.
        threads: of the compiled library; 0: as many as torch.get_num_threads().
        state: "float", or "bf16" or "q8": the rule's vectors in half or a quarter of float32's memory, for float32
            parameters on the CPU that all have a gradient in every step. They are then not in `optimizer.state`, and in
            `state_dict` as they are kept.
        options: of the rule, by the library's names (`glissade.list("methods")`); those that belong to the whole method
            must be the same in all groups.

    Attributes:
        report: StepReport of the last step, None before the first; its lr is the first group's. By PyTorch's
            operations factor, clipped and update_norm are NaN.

    Raises:
        BadInputError: unknown options, values out of bounds.
        UnsupportedError: sparse or complex gradients; a narrow state elsewhere than said, or of other parameters than
            in the steps before.
    """

    rule: str = ""

    def __init__(self, params: Any, *, threads: int = 0, state: str = "float", **options: Any) -> None:
        known = options_of(self.rule)
        refuse_unknown(self.rule, options)
        if state != "float":
            check(self.rule, {"state": state})
        self._threads, self._kept = threads, state
        self._reset()
        super().__init__(params, {key: options.get(key, default(option)) for key, option in known.items()})

    def _reset(self) -> None:
        self.report: StepReport | None = None
        self._engine: Engine | None = None
        self._active: tuple[int, ...] = ()
        self._counters = dict.fromkeys(COUNTERS, 0)
        self._narrow: dict[str, Tensor] = {}

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Adds a group of parameters, with options of its own; the state of the others goes on."""
        known = options_of(self.rule)
        own = {key: param_group.get(key, self.defaults[key]) for key in known}
        extra = [k for k in param_group if k not in known and k not in ("params", "param_names", "initial_lr", "name")]
        if extra:
            raise BadInputError(f"group: unknown option '{extra[0]}' of {self.rule}")
        check(self.rule, {k: float(v) if isinstance(v, Tensor) else v for k, v in own.items()})
        for group in self.param_groups[:1]:
            for key, option in known.items():
                if option.whole and own[key] != group[key]:
                    raise BadInputError(f"group: '{key}' belongs to the whole method")
        super().add_param_group(param_group)
        self._active = ()

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None, *, norm: float | Tensor | None = None) -> Any:
        """One step; closure: evaluates the model again and returns the loss, which is then returned.

        norm: of all gradients together as they are now, where the caller knows it (`clip_grad_norm_` returns the one
            before it clips): saves a pass over them. A norm that is not finite is found anew. BadInputError below 0 and
            with a closure.
        """
        known = math.nan if norm is None else float(norm)
        if known < 0:
            raise BadInputError(f"norm: {known}: expected that of the gradients")
        if norm is not None and closure is not None:
            raise BadInputError("norm: the closure makes other gradients than those whose norm is given")
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        self._step(known if math.isfinite(known) else math.nan)
        return loss

    @torch.compiler.disable  # type: ignore[misc, untyped-decorator, unused-ignore]
    def _step(self, norm: float) -> None:
        groups = [(g, [p for p in g["params"] if p.grad is not None]) for g in self.param_groups]
        everything = [p for _, parameters in groups for p in parameters]
        if not everything:
            return
        for p in everything:
            _refuse_kinds(p)
        options = [{key: group[key] for key in options_of(self.rule)} for group, _ in groups]
        if self._kept != "float" and not (reachable(everything) and everything[0].dtype is torch.float32):
            raise UnsupportedError(f"state '{self._kept}': expected parameters on the CPU, all float32")
        if reachable(everything):
            self._step_compiled(options, [parameters for _, parameters in groups], norm)
        else:
            self._step_generic(options, [parameters for _, parameters in groups], norm)
        report = self.report
        if report is not None and report.refused:
            warnings.warn(
                f"{type(self).__name__}: the gradient is not finite in {report.nonfinite} coordinates: the step is "
                "refused, weights and state stay as they are",
                StepRefusedWarning,
                stacklevel=4,
            )

    def _step_compiled(self, options: list[dict[str, Any]], parameters: list[list[Tensor]], norm: float) -> None:
        active = tuple(id(p) for group in parameters for p in group)
        if self._engine is None or active != self._active:
            self._build(options, parameters)
            self._active = active
        assert self._engine is not None
        self._engine.set_options(options)
        self.report = self._engine.step(norm)

    def _build(self, options: list[dict[str, Any]], parameters: list[list[Tensor]]) -> None:
        """A method over the present parameters, with the state that they had."""
        counters, narrow = self.counters(), self._narrow_state()
        if narrow and self._engine is not None and counters["steps"]:
            raise UnsupportedError(
                f"state '{self._kept}': other parameters have gradients than in the steps before: expected the same"
            )
        whole = frozenset(key for key, option in options_of(self.rule).items() if option.whole)
        threads = self._threads or torch.get_num_threads()
        engine = Engine(self.rule, list(zip(options, parameters, strict=True)), whole, threads, self._kept)
        engine.set_narrow(narrow)
        for name, views in engine.vectors().items():
            for p, view in zip(engine.parameters, views, strict=True):
                if name in self.state[p]:
                    view.copy_(self.state[p][name])
                self.state[p][name] = view
        engine.set_counters(counters)
        self._engine = engine

    def _step_generic(self, options: list[dict[str, Any]], parameters: list[list[Tensor]], norm: float) -> None:
        rule = _rules.RULES[self.rule]
        self._counters = self.counters()
        self._engine = None
        gradients = [p.grad for group in parameters for p in group if p.grad is not None]
        norm = _rules.norm_of(gradients) if math.isnan(norm) else norm
        zeros = self._counters["zero_gradients"]
        lr = float(options[0]["lr"])
        if not math.isfinite(norm):
            self._counters["refused"] += 1
            bad = sum(int((~torch.isfinite(g)).sum()) for g in gradients)
            self.report = StepReport(False, True, lr, norm, 1.0, 0.0, 0.0, bad, zeros)
            return
        groups: list[tuple[_rules.Options, list[_rules.Item]]] = []
        for o, group in zip(options, parameters, strict=True):
            plain = {k: float(v) if isinstance(v, Tensor) else v for k, v in o.items()}
            groups.append((plain, [self._item(p, rule) for p in group]))
        zero = _rules.update(rule, groups, self._counters["steps"] + 1, norm)
        self._counters["steps"] += 1
        self._counters["zero_gradients"] += zero
        self.report = StepReport(True, False, lr, norm, math.nan, math.nan, math.nan, 0, zeros + zero)

    def _item(self, p: Tensor, rule: _rules.Rule) -> _rules.Item:
        state = self.state[p]
        for name in rule.states:
            if name not in state:
                state[name] = torch.zeros_like(p, memory_format=torch.preserve_format)
        assert p.grad is not None
        return _rules.Item(p, p.grad, {name: state[name] for name in rule.states})

    def counters(self) -> dict[str, int]:
        """Steps so far without refused ones ("steps"), "refused" ones, and "zero_gradients"."""
        return dict(self._counters) if self._engine is None else self._engine.counters()

    def _narrow_state(self) -> dict[str, Tensor]:
        """Copies of the vectors that are kept in less than float32, by the library's names."""
        return dict(self._narrow) if self._engine is None else self._engine.narrow()

    def state_dict(self) -> dict[str, Any]:
        """As torch's, with the counters beside it; from it a run goes on bit for bit."""
        state: dict[str, Any] = super().state_dict()
        own: dict[str, Any] = {"rule": self.rule, "counters": self.counters()}
        if self._kept != "float":
            own |= {"state": self._kept, "vectors": self._narrow_state()}
        state["glissade"] = own
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes what `state_dict` gave, or a state of torch.optim's SGD, Adam, AdamW, RMSprop or Adagrad where the rule
        is the same. BadInputError for the state of another rule."""
        if _foreign.is_foreign(state_dict):
            names = _rules.RULES[self.rule].states
            state_dict = _foreign.converted(state_dict, self.param_groups, self.rule, names)
        own = state_dict["glissade"]
        if own["rule"] != self.rule:
            raise BadInputError(f"the saved state is one of rule {own['rule']}, not of {self.rule}")
        if own.get("state", "float") != self._kept:
            raise BadInputError(f"the saved state is kept as {own.get('state', 'float')}, not as {self._kept}")
        super().load_state_dict({key: value for key, value in state_dict.items() if key != "glissade"})
        self._reset()
        self._counters, self._narrow = dict(own["counters"]), dict(own.get("vectors", {}))

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()
        own = {
            "_counters": self.counters(),
            "_threads": self._threads,
            "_kept": self._kept,
            "_narrow": self._narrow_state(),
        }
        return {**state, **own}

    def __setstate__(self, state: dict[str, Any]) -> None:
        own = {key: state[key] for key in ("_counters", "_threads", "_kept", "_narrow") if key in state}
        super().__setstate__({key: value for key, value in state.items() if key not in own})
        self._reset()
        for key, value in own.items():  # None where torch's own load_state_dict calls.
            setattr(self, key, dict(value) if isinstance(value, dict) else value)


def _refuse_kinds(p: Tensor) -> None:
    assert p.grad is not None
    if p.grad.layout is not torch.strided:
        raise UnsupportedError("a gradient is sparse: the rules need dense ones; make the embedding with sparse=False")
    if p.is_complex():
        raise UnsupportedError("a parameter is complex: view it as real (torch.view_as_real) before it is handed over")


class SGD(RuleOptimizer):
    """w -= lr g."""

    rule = "sgd"


class MomentumSGD(RuleOptimizer):
    """v = beta v + g, w -= lr v: torch.optim.SGD with momentum=beta. [N] (2),(3)"""

    rule = "msgd"


class NAG(RuleOptimizer):
    """v = beta v + g, w -= lr (g + beta v): torch.optim.SGD with nesterov=True. [T] 2.1.2"""

    rule = "nag"


class Adagrad(RuleOptimizer):
    """s += g^2, w -= lr g / (sqrt(s) + eps)."""

    rule = "adagrad"


class RMSprop(RuleOptimizer):
    """s = rho s + (1 - rho) g^2, w -= lr g / (sqrt(s) + eps); rho is torch.optim's alpha. [A] 3.1"""

    rule = "rmsprop"


class Adam(RuleOptimizer):
    """Bias-corrected mean gradient over the root of the mean square; beta1, beta2 are torch.optim's betas."""

    rule = "adam"


class AdamW(RuleOptimizer):
    """Adam with decoupled weight decay."""

    rule = "adamw"


class AMSGrad(RuleOptimizer):
    """Adam whose denominator never shrinks. [T] 2.2.2"""

    rule = "amsgrad"


class LARS(RuleOptimizer):
    """Momentum over gradients scaled to each parameter's norm. [N] 5.1"""

    rule = "lars"


class LAMB(RuleOptimizer):
    """Adam's direction scaled to each parameter's norm. [N] 1"""

    rule = "lamb"


class SNGD(RuleOptimizer):
    """Normalised gradient: w -= lr g/|g|, |g| over all parameters. [N] 4"""

    rule = "sngd"


class SNGM(RuleOptimizer):
    """Normalised gradient with momentum: u = beta u + g/|g|, w -= lr u. [N] algorithm 1"""

    rule = "sngm"


class Clip(RuleOptimizer):
    """Clipped gradient descent: w -= min(lr, gamma lr/(|g| + tau)) g. [T] (3.5), (3.11)"""

    rule = "clip"


class NGD(RuleOptimizer):
    """Normalised gradient descent: w -= lr/(|g| + beta) g. [T] (3.6)"""

    rule = "ngd"


class GClip(RuleOptimizer):
    """Momentum clipped as a whole: w -= lr min(tau/|m|, 1) m. [A] algorithm 1"""

    rule = "gclip"


class CClip(RuleOptimizer):
    """Momentum clipped coordinate by coordinate: w -= lr min(tau/|m|, 1) m. [A] algorithm 1"""

    rule = "cclip"


class ACClip(RuleOptimizer):
    """Momentum clipped coordinate by coordinate at an adaptive threshold. [A] (ACClip)"""

    rule = "acclip"
