// The page to play with: an image is drawn, a part of it is rubbed out, and the server completes it.

import { Editor, paint, toBase64, fromBase64 } from "./images.js";
import { python } from "./code.js";

const at = (id) => document.getElementById(id);
const told = at("told");
// Another model was chosen while an answer was on its way: it is nobody's.
class Left extends Error {}
let models = [], model = null, editor = null, running = null, kept = {};

// What changes with every frame is not read aloud; where it starts and ends is.
function tell(sentence, isError = false, isAloud = true) {
  told.textContent = sentence;
  told.classList.toggle("error", isError);
  if (isAloud) at("status").textContent = sentence;
}

function tellError(error) {
  if (!(error instanceof Left)) tell(error.message, true);
}

const whole = (id) => Math.max(Number(at(id).min || 0), Math.floor(Number(at(id).value) || 0));

function request(more = {}) {
  return { model: model.name, seed: whole("seed"), ...more };
}

async function ask(path, body) {
  const mine = model;
  const answer = await fetch(path, { method: "POST", body: JSON.stringify(body) });
  const found = await answer.json();
  if (mine !== model) throw new Left();
  if (!answer.ok) throw new Error(found.error);
  return found;
}

// Runs what a button stands for, and tells what went wrong.
function on(id, action) {
  at(id).addEventListener("click", async () => {
    try { await action(); } catch (error) { tellError(error); }
  });
}

function canvases(id, number) {
  const grid = at(id);
  while (grid.children.length > number) grid.lastChild.remove();
  while (grid.children.length < number) grid.append(document.createElement("canvas"));
  return [...grid.children];
}

function show(id, base64, name) {
  const [height, width, channels] = model.shape, size = height * width * channels;
  const bytes = fromBase64(base64);
  const places = canvases(id, bytes.length / size);
  places.forEach((canvas, k) => {
    paint(canvas, bytes.subarray(k * size, (k + 1) * size), model.shape);
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `${name} ${k + 1}`);
  });
  return bytes;
}

// Completions.

function showFrame(line) {
  const bytes = show("completions", line.means, "completion");
  const size = model.shape.reduce((a, b) => a * b), number = bytes.length / size;
  const mean = new Uint8Array(size), deviation = new Uint8Array(size);
  for (let i = 0; i < size; i++) {
    let sum = 0, squares = 0;
    for (let k = 0; k < number; k++) sum += bytes[k * size + i];
    for (let k = 0; k < number; k++) squares += (bytes[k * size + i] - sum / number) ** 2;
    mean[i] = Math.round(sum / number);
    deviation[i] = Math.min(255, Math.round(2 * Math.sqrt(squares / number)));
  }
  paint(at("mean"), mean, model.shape);
  paint(at("uncertainty"), deviation, model.shape);
  at("progress").max = line.of;
  at("progress").value = line.transition;
  const seconds = line.seconds === undefined ? "" : `, ${line.seconds} s`;
  const where = model.num_steps ? `transition ${line.transition} of ${line.of}` : "done";
  tell(where + seconds, false, seconds !== "");
  return seconds !== "";
}

async function complete() {
  running?.abort();
  const mine = running = new AbortController();
  const body = request({
    x: [toBase64(editor.pixels)], visible: toBase64(editor.visible),
    number: Math.min(whole("number"), 16),
  });
  if (model.num_steps) body.num_steps = whole("steps");
  showCode({ ...body, kind: "inpaint" });
  tell("preparing");
  at("run").dataset.state = "running";
  at("stop").disabled = false;
  try {
    const answer = await fetch("inpaint", {
      method: "POST", body: JSON.stringify(body), signal: mine.signal,
    });
    if (!answer.ok) throw new Error((await answer.json()).error);
    let rest = "", isWhole = false;
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      const lines = (rest + value).split("\n");
      rest = lines.pop();
      for (const line of lines.map((text) => JSON.parse(text))) {
        if (line.error) throw new Error(line.error);
        isWhole = showFrame(line);
      }
    }
    if (!isWhole) throw new Error("The server ended before the chain did.");
    at("run").dataset.state = "done";
  } catch (error) {
    at("run").dataset.state = "ended";
    if (error.name !== "AbortError") throw error;
    if (running === mine) tell("stopped");
  } finally {
    if (running === mine) at("stop").disabled = true;
  }
}

// The other answers.

async function sample() {
  const body = request({ number: 16, label: Number(at("label").value) });
  const { images } = await ask("sample", body);
  show("samples", images, "sample");
  showCode({ ...body, kind: "sample" });
}

async function example() {
  const body = request({ number: 1, seed: Math.floor(Math.random() * 2 ** 31) });
  const { images } = await ask("sample", body);
  editor.load(fromBase64(images));
}

async function walk() {
  const { first, second } = kept;
  if (!first || !second) throw new Error("Take a first and a second image before the walk.");
  const body = request({ number: 12, x: [toBase64(first), toBase64(second)] });
  const { images } = await ask("walk", body);
  show("walked", images, "step");
  showCode({ ...body, kind: "walk" });
}

async function classify() {
  const body = request({ x: [toBase64(editor.pixels)] });
  const { probabilities } = await ask("classify", body);
  at("probabilities").replaceChildren(...probabilities.map((p) => {
    const item = document.createElement("li"), meter = document.createElement("meter");
    meter.value = p;
    item.append(meter, ` ${(100 * p).toFixed(1)} %`);
    return item;
  }));
  showCode({ ...body, kind: "classify" });
}

async function styles() {
  const body = request({ x: [toBase64(editor.pixels)] });
  const { images } = await ask("styles", body);
  show("styled", images, "class");
  showCode({ ...body, kind: "styles" });
}

function keep(which) {
  kept[which] = editor.pixels.slice();
  paint(at(which), kept[which], model.shape);
}

function showCode(run) {
  at("code").textContent = run ? python(model, run) : "";
}

// The model.

async function choose(name) {
  running?.abort();
  const mine = model = models.find((one) => one.name === name);
  const [height, width, channels] = model.shape;
  kept = {};
  at("method").textContent = `${model.method}, ${width} by ${height} pixels`;
  at("steps-label").hidden = !model.num_steps;
  if (model.num_steps) at("steps").value = model.num_steps;
  at("classes").hidden = at("label-of-label").hidden = !model.num_classes;
  at("walk-section").hidden = !model.walks;
  at("samples-section").hidden = at("example").hidden = !model.samples;
  at("colour-label").hidden = channels === 1;
  for (const id of ["completions", "samples", "walked", "styled", "probabilities"]) {
    at(id).replaceChildren();
  }
  for (const id of ["mean", "uncertainty", "first", "second"]) {
    paint(at(id), new Uint8Array(height * width * channels), model.shape);
  }
  const any = at("label").firstElementChild;
  at("label").replaceChildren(any, ...Array.from({ length: model.num_classes }, (_, y) =>
    Object.assign(document.createElement("option"), { value: y, textContent: y })));
  editor = editor || new Editor(at("editor"), () => ({
    tool: document.querySelector("input[name=tool]:checked").value, colour: at("colour").value,
  }));
  editor.resize(model.shape, model.mask && fromBase64(model.mask));
  showCode(null);
  tell("preparing");
  if (model.samples) await example();
  editor.hide("bottom");
  if (mine === model) await complete();
}

async function upload(file) {
  const image = await createImageBitmap(file);
  editor.loadImage(image);
}

for (const [id, action] of Object.entries({
  run: complete, sample, example, walk, classify, styles,
  stop: () => running?.abort(),
  clear: () => editor.clear(),
  invert: () => editor.invert(),
  "keep-first": () => keep("first"),
  "keep-second": () => keep("second"),
  "new-seed": () => { at("seed").value = Math.floor(Math.random() * 1e6); return complete(); },
  copy: async () => {
    if (navigator.clipboard) {
      await navigator.clipboard.writeText(at("code").textContent);
      tell("copied");
    } else { // of a page that comes from another machine without TLS
      getSelection().selectAllChildren(at("code"));
      tell("selected; copy it by hand");
    }
  },
})) on(id, action);

for (const button of document.querySelectorAll("[data-hide]")) {
  button.addEventListener("click", () => editor.hide(button.dataset.hide));
}
at("upload").addEventListener("change", async (event) => {
  try { await upload(event.target.files[0]); } catch { tell("That is no image that this browser reads.", true); }
  event.target.value = "";
});
at("upload-button").addEventListener("keydown", (event) => {
  if (event.key === "Enter" || event.key === " ") { event.preventDefault(); at("upload").click(); }
});
at("model").addEventListener("change", (event) =>
  choose(event.target.value).catch(tellError));

try {
  models = await (await fetch("models")).json();
  at("model").replaceChildren(...models.map(({ name }) =>
    Object.assign(document.createElement("option"), { value: name, textContent: name })));
  await choose(models[0].name);
} catch (error) {
  tellError(error);
}
