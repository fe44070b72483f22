// Python that gives what the page shows.

function loaded(model) {
  return model.code.startsWith("tf.")
    ? `import tensorflow as tf\n\nmodel = ${model.code}`
    : `import keras\nimport zoo\n\nmodel = ${model.code}\nmodel.compile(jit_compile=False)  # the page draws without XLA`;
}

function image(name, base64, shape, end) {
  return `${name} = base64.b64decode(\n    "${base64.replace(/(.{84})(?=.)/g, '$1"\n    "')}"\n)\n`
    + `${name} = np.frombuffer(${name}, np.uint8).reshape(${shape.join(", ")})${end}\n`;
}

function images(model, run) {
  const told = run.x.map((one, k) => image(`x${k + 1}`, one, model.shape, " / np.float32(255)"));
  const names = run.x.map((_, k) => `x${k + 1}`).join(", ");
  return `import base64\n\nimport numpy as np\n${loaded(model)}\n\n${told.join("")}x = np.stack([${names}])\n`;
}

// What only models answer, and no export.
const OTHERS = {
  walk: (model, run) => images(model, run)
    + `z = model.encode(x, seed=${run.seed})["z"]\n`
    + `share = np.linspace(0, 1, ${run.number}, dtype=z.dtype)[:, None]\n`
    + "walked = model.expected(((1 - share) * z[:1] + share * z[1:])[None])[0].numpy()\n",
  classify: (model, run) => images(model, run)
    + `probabilities = model.classify(x, seed=${run.seed})["probabilities"][0]\n`,
  styles: (model, run) => images(model, run)
    + `x = np.repeat(x, ${model.num_classes}, axis=0)\n`
    + `styled = model.reconstruct(x, seed=${run.seed}, as_label=np.arange(${model.num_classes}))["mean"]\n`,
};

export function python(model, run) {
  const isExport = model.code.startsWith("tf.");
  if (run.kind in OTHERS) return OTHERS[run.kind](model, run);
  if (run.kind === "sample") {
    const label = run.label >= 0 ? `, y=${run.label}` : "";
    const y = model.takes_label ? `, y=tf.constant(${run.label})` : "";
    return isExport
      ? `${loaded(model)}\nseed = tf.constant([${run.seed}, 0])\n`
        + `draws = model.signatures["sample"](num_samples=tf.constant(${run.number}), seed=seed${y})["mean"]\n`
      : `${loaded(model)}\ndraws = model.sample(${run.number}, seed=${run.seed}${label})["mean"]\n`;
  }
  const [height, width] = model.shape;
  const start = `import base64\n\nimport numpy as np\n${loaded(model)}\n\n`
    + image("x", run.x[0], model.shape, " / np.float32(255)")
    + image("visible", run.visible, [height, width, 1], " > 0")
    + `x = np.repeat(x[None], ${run.number}, axis=0)\n`;
  if (isExport) {
    const steps = run.num_steps ? `, num_steps=tf.constant(${run.num_steps})` : "";
    const y = model.takes_label ? `, y=tf.fill([${run.number}], -1)` : "";
    return start + "visible = np.broadcast_to(visible, x.shape)\n"
      + `seed = tf.constant([${run.seed}, 0])\n`
      + 'completed = model.signatures["inpaint"](\n'
      + `    x=tf.constant(x), visible=tf.constant(visible), seed=seed${steps}${y}\n)["mean"]\n`;
  }
  const steps = run.num_steps ? `, num_steps=${run.num_steps}` : "";
  return start + `visible = np.broadcast_to(visible, x.shape)\n`
    + `completed = model.inpaint(x, visible, seed=${run.seed}${steps})["mean"]\n`;
}
