// The recording of a call, played beside its transcript. An entry's time becomes a button that plays
// from there, and a double click on a word plays from about that word: entries are the finest times that
// there are, a word's place is reckoned by its letters. While it plays, who is speaking is marked and kept
// in sight. Places of entries count from the call's answer, the recording begins data-offset ms after it.

import { clock } from "./times.js";
import { Waveform } from "./waveform.js";

const STEP_SECONDS = 5;
const FULL_SECOND = 1000;
const LEAST_MARK_MS = 400;
const HANDS_OFF_MS = 4000;

let current = null;

// The player that is on the page; one that the feed took from it, with its recording, is silent.
export function startPlayer() {
  const box = document.querySelector("[data-player]");
  if (box === (current?.box ?? null)) return;
  current?.stop();
  current = box && new Player(box);
}

class Player {
  constructor(box) {
    this.box = box;
    this.audio = box.querySelector("audio");
    this.toggle = box.querySelector("[data-toggle]");
    this.bar = box.querySelector("[data-bar]");
    this.now = box.querySelector("[data-now]");
    this.offset = Number(box.dataset.offset);
    this.transcript = document.getElementById("transcript");
    this.over = new AbortController();
    this.scrolledAt = -HANDS_OFF_MS;
    this.marked = [];
    this.duration = Math.max(1, Number(box.dataset.duration));
    this.waveform = new Waveform(box);
    this.listen();
    this.point();
    this.offerEntries();
    this.newEntries = new MutationObserver(() => this.offerEntries());
    this.newEntries.observe(this.transcript, { childList: true });
    // Who deletes the recording: a browser that still asked for a piece of it would be told 404.
    document.querySelector(".recording-delete")?.addEventListener("submit", () => this.stop());
  }

  stop() {
    this.over.abort();
    this.newEntries.disconnect();
    this.waveform.stop();
    this.audio.pause();
    this.audio.removeAttribute("src");
    this.audio.load();
    for (const entry of this.marked) entry.removeAttribute("aria-current");
    for (const button of this.transcript.querySelectorAll("button.entry-at")) {
      const place = document.createElement("span");
      place.className = button.className;
      place.textContent = button.textContent;
      button.replaceWith(place);
    }
  }

  listen() {
    const { audio, toggle, bar } = this;
    const { signal } = this.over;
    toggle.addEventListener("click", () => (audio.paused ? this.play() : audio.pause()));
    bar.addEventListener("input", () => this.seek(Number(bar.value)));
    bar.addEventListener("keydown", (event) => this.step(event));
    this.box.querySelector("[data-speed]").addEventListener("change", (event) => {
      audio.playbackRate = Number(event.target.value);
    });
    for (const kind of ["play", "pause", "ended"]) {
      audio.addEventListener(kind, () => this.turned(), { signal });
    }
    for (const kind of ["timeupdate", "seeked"]) {
      audio.addEventListener(kind, () => this.show(), { signal });
    }
    audio.addEventListener("error", () => this.fail(), { signal });
    this.transcript.addEventListener("click", (event) => this.playEntry(event), { signal });
    this.transcript.addEventListener("dblclick", (event) => this.playWord(event), { signal });
    for (const kind of ["wheel", "touchmove"]) {
      const looks = { passive: true, signal };
      window.addEventListener(kind, () => (this.scrolledAt = performance.now()), looks);
    }
  }

  play() {
    // A pause, or another place, may come before the sound does; what is broken says so by "error".
    this.audio.play().catch(() => this.turned());
  }

  turned() {
    const playing = !this.audio.paused && !this.audio.ended;
    this.toggle.toggleAttribute("data-on", playing);
    this.toggle.ariaLabel = playing ? this.toggle.dataset.pause : this.toggle.dataset.play;
    if (playing) requestAnimationFrame(() => this.run());
    this.show();
  }

  // "timeupdate" comes four times a second: too rarely for a word.
  run() {
    if (this.audio.paused) return;
    this.show();
    requestAnimationFrame(() => this.run());
  }

  seek(ms) {
    this.audio.currentTime = Math.max(0, ms) / FULL_SECOND;
    this.show();
  }

  step(event) {
    if (event.key === " ") {
      event.preventDefault();
      this.toggle.click();
      return;
    }
    const way = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
    if (!way) return;
    event.preventDefault();
    this.seek((this.audio.currentTime + way * STEP_SECONDS) * FULL_SECOND);
  }

  fail() {
    this.box.querySelector("[data-broken]").hidden = false;
    this.toggle.disabled = true;
  }

  show() {
    const seconds = this.audio.currentTime;
    const text = clock(seconds);
    this.bar.value = seconds * FULL_SECOND;
    if (this.now.textContent !== text) {
      this.now.textContent = text;
      this.bar.setAttribute("aria-valuetext", text);
    }
    this.waveform.show((seconds * FULL_SECOND) / this.duration);
    this.mark(seconds * FULL_SECOND + this.offset);
  }

  // What is pointed at in the transcript is marked in the waveform, and the other way round.
  point() {
    const { signal } = this.over;
    this.transcript.addEventListener("pointerover", (event) => {
      const entry = event.target.closest("[data-entry]");
      if (!entry) return;
      const from = (Number(entry.dataset.at) - this.offset) / this.duration;
      this.waveform.point([from, from + Number(entry.dataset.length) / this.duration]);
    }, { signal });
    this.transcript.addEventListener("pointerleave", () => this.waveform.point(null), { signal });
    this.bar.addEventListener("pointermove", (event) => {
      const box = this.bar.getBoundingClientRect();
      this.lightUp(((event.clientX - box.left) / box.width) * this.duration + this.offset);
    });
    this.bar.addEventListener("pointerleave", () => this.lightUp(null));
  }

  lightUp(ms) {
    for (const entry of this.transcript.querySelectorAll("[data-entry]")) {
      entry.toggleAttribute("data-pointed", ms !== null && isSpoken(entry, ms));
    }
  }

  // --- the transcript ------------------------------------------------------------------------------

  offerEntries() {
    for (const place of this.transcript.querySelectorAll("[data-at] span.entry-at")) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = place.className;
      button.textContent = place.textContent;
      button.ariaLabel = `${this.box.dataset.from} ${place.textContent}`;
      place.replaceWith(button);
    }
  }

  playEntry(event) {
    const entry = event.target.closest("button.entry-at")?.closest("[data-at]");
    if (!entry) return;
    this.scrolledAt = -HANDS_OFF_MS;
    this.seek(Number(entry.dataset.at) - this.offset);
    this.play();
  }

  playWord(event) {
    const text = event.target.closest("[data-text]");
    const entry = text?.closest("[data-entry]");
    const place = text && placeIn(text);
    if (place == null || !entry) return;
    this.scrolledAt = -HANDS_OFF_MS;
    this.seek(Number(entry.dataset.at) + place * Number(entry.dataset.length) - this.offset);
    this.play();
  }

  mark(ms) {
    const entries = [...this.transcript.querySelectorAll("[data-entry]")];
    const spoken = this.audio.currentTime > 0 ? entries.filter((entry) => isSpoken(entry, ms)) : [];
    if (spoken.length === this.marked.length && spoken.every((entry) => this.marked.includes(entry))) {
      return;
    }
    for (const entry of this.marked) entry.removeAttribute("aria-current");
    for (const entry of spoken) entry.setAttribute("aria-current", "true");
    this.marked = spoken;
    const mayScroll = !this.audio.paused && performance.now() - this.scrolledAt > HANDS_OFF_MS;
    if (mayScroll) spoken.at(-1)?.scrollIntoView({ block: "nearest" });
  }
}

function isSpoken(entry, ms) {
  const at = Number(entry.dataset.at);
  return ms >= at && ms < at + Math.max(LEAST_MARK_MS, Number(entry.dataset.length));
}

// Where in a text the selected word begins, as a share of its letters; null: nothing is selected in it.
function placeIn(text) {
  const selection = getSelection();
  if (!selection?.rangeCount || !text.contains(selection.anchorNode)) return null;
  const before = selection.getRangeAt(0).cloneRange();
  before.setStart(text, 0);
  before.setEnd(selection.getRangeAt(0).startContainer, selection.getRangeAt(0).startOffset);
  return before.toString().length / Math.max(1, text.textContent.length);
}
