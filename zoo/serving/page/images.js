// Images as arrays of levels 0 to 255, [height, width, channels], and a canvas to change one.

export function toBase64(bytes) {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

export function fromBase64(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

// Shows levels on a canvas of as many pixels; what is hidden is striped.
export function paint(canvas, levels, [height, width, channels], visible = null) {
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d"), image = context.createImageData(width, height);
  for (let i = 0; i < height * width; i++) {
    for (let c = 0; c < 3; c++) {
      image.data[4 * i + c] = levels[channels * i + (channels === 3 ? c : 0)];
    }
    if (visible && !visible[i]) {
      const stripe = (Math.floor(i / width) + (i % width)) % 4 < 2;
      image.data.set(stripe ? [208, 120, 40] : [150, 78, 20], 4 * i);
    }
    image.data[4 * i + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}

export class Editor {
  // `settings` tells the brush and its colour.
  constructor(canvas, settings) {
    this.canvas = canvas;
    this.settings = settings;
    this.cursor = null;
    let last = null;
    const place = (event) => {
      const box = canvas.getBoundingClientRect(), [height, width] = this.shape;
      return [
        ((event.clientX - box.left) / box.width) * width,
        ((event.clientY - box.top) / box.height) * height,
      ];
    };
    canvas.addEventListener("pointerdown", (event) => {
      if (!event.isPrimary || event.button !== 0) return;
      try { canvas.setPointerCapture(event.pointerId); } catch { /* a pointer that has gone */ }
      this.cursor = null;
      last = place(event);
      this.stroke(last, last);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (last === null || !event.isPrimary) return;
      const next = place(event);
      this.stroke(last, next);
      last = next;
    });
    for (const end of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(end, () => { last = null; });
    }
    canvas.addEventListener("keydown", (event) => this.key(event));
    canvas.addEventListener("blur", () => { this.cursor = null; this.draw(); });
  }

  // A mask that is given is the only one that the model takes.
  resize(shape, onlyMask) {
    this.shape = shape;
    this.onlyMask = onlyMask;
    this.pixels = new Uint8Array(shape.reduce((a, b) => a * b));
    this.visible = new Uint8Array(shape[0] * shape[1]).fill(1);
    this.canvas.style.aspectRatio = `${shape[1]} / ${shape[0]}`;
    this.hide("none");
  }

  draw() {
    paint(this.canvas, this.pixels, this.shape, this.visible);
    if (this.cursor) {
      const context = this.canvas.getContext("2d");
      context.fillStyle = "#4c9bf5";
      context.fillRect(...this.cursor, 1, 1);
    }
  }

  load(pixels) {
    this.pixels = pixels;
    this.draw();
  }

  clear() {
    this.pixels.fill(0);
    this.hide("none");
  }

  invert() {
    this.load(this.pixels.map((level) => 255 - level));
  }

  // The middle of a picture, as large as fits.
  loadImage(image) {
    const [height, width, channels] = this.shape;
    const small = Object.assign(document.createElement("canvas"), { width, height });
    const context = small.getContext("2d");
    const scale = Math.max(width / image.width, height / image.height);
    const [w, h] = [image.width * scale, image.height * scale];
    context.imageSmoothingQuality = "high";
    context.drawImage(image, (width - w) / 2, (height - h) / 2, w, h);
    const { data } = context.getImageData(0, 0, width, height);
    this.load(this.pixels.map((_, i) => {
      const j = 4 * Math.floor(i / channels);
      if (channels === 3) return data[j + (i % 3)];
      return Math.round(0.299 * data[j] + 0.587 * data[j + 1] + 0.114 * data[j + 2]);
    }));
  }

  hide(what) {
    const [height, width] = this.shape;
    const hidden = {
      none: () => false,
      bottom: (row) => row >= height / 2,
      left: (_, column) => column < width / 2,
      box: (row, column) => Math.abs(row + 0.5 - height / 2) < height / 4
        && Math.abs(column + 0.5 - width / 2) < width / 4,
    }[what];
    this.visible.forEach((_, i) => {
      this.visible[i] = hidden(Math.floor(i / width), i % width) ? 0 : 1;
    });
    if (this.onlyMask) this.visible = this.onlyMask.map((level) => Math.min(level, 1));
    this.draw();
  }

  stroke([x0, y0], [x1, y1]) {
    const steps = Math.max(1, Math.ceil(2 * Math.hypot(x1 - x0, y1 - y0)));
    for (let k = 0; k <= steps; k++) {
      this.touch(x0 + ((x1 - x0) * k) / steps, y0 + ((y1 - y0) * k) / steps);
    }
    this.draw();
  }

  // Changes the pixels within the brush, whose edge is soft where it draws.
  touch(x, y) {
    const [height, width, channels] = this.shape, { tool, colour } = this.settings();
    const scale = Math.max(height, width) / 28;
    const radius = (tool === "draw" ? 1.3 : 2.2) * Math.max(scale, 0.6);
    const ink = [1, 3, 5].map((start) => parseInt(colour.slice(start, start + 2), 16));
    for (let row = Math.floor(y - radius); row <= y + radius; row++) {
      for (let column = Math.floor(x - radius); column <= x + radius; column++) {
        if (row < 0 || column < 0 || row >= height || column >= width) continue;
        const distance = Math.hypot(column + 0.5 - x, row + 0.5 - y);
        const share = Math.min(1, Math.max(0, 1.5 * (1 - distance / radius)));
        if (share === 0) continue;
        const i = row * width + column;
        if (tool === "hide" || tool === "show") {
          if (!this.onlyMask) this.visible[i] = tool === "show" ? 1 : 0;
          continue;
        }
        for (let c = 0; c < channels; c++) {
          const target = tool === "erase" ? 0 : channels === 3 ? ink[c] : 255;
          const old = this.pixels[channels * i + c];
          const level = Math.round(old + share * (target - old));
          this.pixels[channels * i + c] = channels === 3 || tool === "erase"
            ? level : Math.max(old, Math.round(255 * share));
        }
      }
    }
  }

  key(event) {
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const tools = { d: "draw", e: "erase", r: "hide", s: "show" };
    const [height, width] = this.shape, letter = event.key.toLowerCase();
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (moves[event.key]) {
      const [x, y] = this.cursor || [Math.floor(width / 2), Math.floor(height / 2)];
      const [dx, dy] = this.cursor ? moves[event.key] : [0, 0];
      this.cursor = [
        Math.min(width - 1, Math.max(0, x + dx)), Math.min(height - 1, Math.max(0, y + dy)),
      ];
      this.draw();
    } else if (event.key === " ") {
      this.cursor ||= [Math.floor(width / 2), Math.floor(height / 2)];
      const [x, y] = this.cursor;
      this.stroke([x + 0.5, y + 0.5], [x + 0.5, y + 0.5]);
    } else if (tools[letter]) {
      document.querySelector(`input[name=tool][value=${tools[letter]}]`).checked = true;
    } else {
      return;
    }
    event.preventDefault();
  }
}
