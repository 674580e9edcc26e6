// The waveform of a recording: the caller above, the agent below. The server sends 1000 levels (0-255) of
// each; until it has drawn the recording, the lanes of who speaks when stay. What is pointed at in the
// transcript is marked here, and the other way round.

const PARTS = 1000;
const BAR_PX = 3;
const GAP_PX = 1;
const LEAST_PX = 1;
const TRIES = 6;
const AGAIN_MS = 5000;

export class Waveform {
  constructor(box) {
    this.box = box;
    this.track = box.querySelector(".player-track");
    this.canvas = box.querySelector("canvas");
    this.played = 0;
    this.mark = null;
    this.load(TRIES);
  }

  stop() {
    this.isOver = true;
  }

  async load(tries) {
    if (this.isOver) return;
    const answer = await fetch(this.box.dataset.peaks).catch(() => null);
    const levels = answer?.ok ? new Uint8Array(await answer.arrayBuffer()) : null;
    if (levels?.length === 2 * PARTS) this.begin(levels);
    else if (tries > 1) setTimeout(() => this.load(tries - 1), AGAIN_MS);
  }

  begin(levels) {
    // Telephones are quiet: the loudest place is as high as the lane.
    const loudest = Math.max(1, ...levels);
    this.levels = Float32Array.from(levels, (level) => level / loudest);
    this.track.dataset.drawn = "";
    new ResizeObserver(() => this.draw()).observe(this.track);
    new MutationObserver(() => this.draw()).observe(document.documentElement, {
      attributeFilter: ["data-bs-theme"],
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  // A share of the recording that was played; redrawn only when a bar changes its colour.
  show(share) {
    const before = this.bars(this.played);
    this.played = share;
    if (this.levels && this.bars(share) !== before) this.draw();
  }

  // From and to as shares of the recording; null: nothing is pointed at.
  point(mark) {
    this.mark = mark;
    if (this.levels) this.draw();
  }

  bars(share) {
    return Math.floor((share * this.canvas.clientWidth) / (BAR_PX + GAP_PX));
  }

  draw() {
    const { canvas } = this;
    const { clientWidth: width, clientHeight: height } = canvas;
    const scale = window.devicePixelRatio;
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    const brush = canvas.getContext("2d");
    brush.scale(scale, scale);
    const colours = this.colours();
    if (this.mark) {
      brush.fillStyle = colours.mark;
      brush.fillRect(this.mark[0] * width, 0, (this.mark[1] - this.mark[0]) * width, height);
    }
    const count = this.bars(1);
    const played = this.bars(this.played);
    for (let bar = 0; bar < count; bar += 1) {
      const x = bar * (BAR_PX + GAP_PX);
      brush.globalAlpha = bar < played ? 1 : 0.55;
      for (const [lane, colour] of [[0, colours.caller], [1, colours.agent]]) {
        const tall = Math.max(LEAST_PX, this.level(lane, bar, count) * (height / 2 - 2));
        brush.fillStyle = colour;
        brush.fillRect(x, lane ? height / 2 + 1 : height / 2 - 1 - tall, BAR_PX, tall);
      }
    }
    brush.globalAlpha = 1;
  }

  level(lane, bar, count) {
    const from = Math.floor((bar * PARTS) / count);
    const to = Math.max(from + 1, Math.floor(((bar + 1) * PARTS) / count));
    return Math.max(...this.levels.subarray(lane * PARTS + from, lane * PARTS + to));
  }

  // light-dark() is not for a canvas: these elements have the colours that hold now.
  colours() {
    const of = (name) => getComputedStyle(this.box.querySelector(`.lane-key-${name}`)).color;
    return { caller: of("caller"), agent: of("agent"), mark: of("mark") };
  }
}
