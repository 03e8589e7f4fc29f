"use strict";
// What is drawn of a run's figures, and in which order.

const known = [
  { section: "Curves" },
  { title: "Training loss", series: ["loss"], log: true, about: "Of the mini-batches: the mean over their examples, by weight." },
  { title: "Held-out loss", series: ["validation_loss", "test_loss", "train_loss"], log: true, about: "Over the whole set that the run watches." },
  { title: "Held-out accuracy", series: ["validation_accuracy", "test_accuracy", "train_accuracy"], about: "Share of examples classified rightly." },
  { title: "Time-averaged loss", series: ["last_window_loss"], log: true, about: "Mean over the last full window of steps." },
  { title: "Full loss", series: ["full_loss"], log: true, about: "The objective on the training set, in evaluation mode." },
  { section: "Step size" },
  { title: "Learning rate", series: ["lr"], about: "After its schedule." },
  { title: "Update norm", series: ["update_norm"], log: true, about: "Length of each step, ‖w_new − w‖." },
  { title: "Factor applied", series: ["factor"], log: true, idle: 1, about: "What clipping or normalising multiplied the direction by; 1 is untouched." },
  { title: "Clip fraction", series: ["clipped", "clipped_share"], idle: 0, about: "Share of coordinates that the method cut, and of micro-batches that the estimator cut." },
  { title: "Batch size", series: ["batch", "batch_size_bound", "norm_test_batch"], log: true,
    about: "The batch beside the batch-size bound B_S: larger batches than the bound stop paying." },
  { section: "Gradients" },
  { title: "Gradient norm", series: ["gradient_norm"], log: true, about: "Of the estimate, before the method clips or normalises it." },
  { title: "Full gradient norm", series: ["full_gradient_norm"], log: true, about: "On the training set or a sample, corrected for the sample's noise." },
  { title: "Time-averaged gradient norm", series: ["last_window_gradient_norm"], log: true, about: "Mean over the last full window of steps." },
  { title: "Gradient diversity", series: ["gradient_diversity"], log: true, about: "Σ‖g_i‖² / ‖Σ g_i‖²." },
  { title: "Noise scale", series: ["noise_scale"], log: true, about: "tr Σ / ‖∇F‖², which is B_S − 1." },
  { title: "Norm test", series: ["norm_test"], log: true, reference: { label: "passed below", y: 1 }, about: "Noise of the mini-batch over θ times its gradient's norm." },
  { title: "Noise RMS", series: ["noise_rms"], log: true, about: "√ of mean ‖g_i − ∇F‖² over single examples." },
  { title: "Tail index", series: ["tail_index"], reference: { label: "normal", y: 2 }, about: "2 is a light tail; below it the gradient noise is heavy-tailed." },
  { title: "Micro-batch norms", series: ["group_norm_q10", "group_norm_q50", "group_norm_q90"], log: true, about: "Quantiles over the micro-batches of a step." },
  { title: "Clip bound", series: ["rho", "bound"], log: true, about: "Adaptive: ρ, the least micro-batch norm of the step." },
  { title: "Shrinkage by clipping", series: ["mean_ratio"], log: true, about: "Norm of the clipped estimate over that of the plain mean." },
  { section: "Curvature" },
  { title: "Sharpness beside 2/η", series: ["lambda_max", "two_over_lr", "hessian_norm"], log: true, about: "Largest Hessian eigenvalue; above 2/η plain gradient steps are unstable." },
  { title: "Local smoothness", series: ["smoothness"], log: true, about: "How fast the gradient turns along a step." },
  { title: "Equilibrium ratio", series: ["step_ratio", "equilibrium_ratio"], log: true, reference: { label: "equilibrium", y: 1 }, about: "Of the steps really taken: 1 at equilibrium, for every method." },
  { title: "Invariance defect", series: ["invariance_defect"], reference: { label: "invariant", y: 0 }, about: "Falls like 1/√n once the iterates' distribution has settled." },
  { section: "Batch-size bounds under mechanisms" },
  { title: "With dropped coordinates", series: ["drop_bound"], log: true, about: "Diversity-inducing mechanisms: each coordinate dropped at random." },
  { title: "With Langevin noise", series: ["sgld_bound"], log: true, about: "Noise added to every coordinate." },
  { title: "With quantisation", series: ["quant_bound"], log: true, about: "Random signs and sizes." },
];

function curves(main) {
  const names = new Set(runs.flatMap((run) => Object.keys(run.series)));
  const used = new Set();
  let grid = null, heading = null;
  for (const spec of known) {
    if (spec.section) { heading = spec.section; grid = null; continue; }
    const series = spec.series.filter((name) => names.has(name));
    series.forEach((name) => used.add(name));
    if (!series.length) continue;
    const fresh = grid || element("div", { class: "grid" });
    if (!chart(fresh, { ...spec, series }) || grid) continue;
    grid = fresh;
    main.append(element("h2", {}, heading), grid);
  }
  // Figures of the last step are in the summary; what never moves says nothing as a curve.
  const moves = (name) => new Set(runs.flatMap((run) => (run.series[name] ? run.series[name].value : []))).size > 1;
  const rest = [...names].filter((name) => !used.has(name) && !name.startsWith("final_") && moves(name)).sort();
  if (!rest.length) return;
  grid = element("div", { class: "grid" });
  main.append(element("h2", {}, "Other figures"), grid);
  for (const name of rest) chart(grid, { title: name.replaceAll("_", " "), series: [name] });
}
