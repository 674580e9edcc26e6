// The keys of a telephone: clicked, or typed while the pad or nothing that takes text has the focus.

export class Keypad {
  constructor(pad, press) {
    this.pad = pad;
    this.press = press;
    this.buttons = new Map([...pad.querySelectorAll("[data-key]")].map((b) => [b.dataset.key, b]));
    pad.addEventListener("click", (event) => {
      const button = event.target.closest("[data-key]");
      if (button) this.press(button.dataset.key);
    });
    document.addEventListener("keydown", (event) => this.typed(event));
  }

  set enabled(on) {
    this.pad.hidden = !on;
  }

  typed(event) {
    const button = this.buttons.get(event.key);
    const isCombined = event.ctrlKey || event.altKey || event.metaKey || event.repeat;
    if (!button || this.pad.hidden || isCombined) return;
    if (event.target.closest("input, textarea, select")) return;
    this.press(event.key);
    button.focus();
  }
}
