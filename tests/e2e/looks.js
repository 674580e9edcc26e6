// What looks.py asks of a page; put in before the page's own scripts.

window.looks = {
  shifted: 0,
  refused: [],
  reachable: [],
  reached: new Set(),
  walked: null,

  classes: (one) => one.className.baseVal ?? one.className,

  named(one) {
    const words = one.getAttribute("aria-label") ?? one.name ?? one.textContent ?? "";
    return `${one.tagName.toLowerCase()}#${one.id}.${this.classes(one)}[${words.trim().slice(0, 30)}]`;
  },

  // Two frames after the page's feed has said whether it is open.
  async settled() {
    const isFed = () =>
      !document.querySelector("#feed-state[data-feed]") || document.documentElement.dataset.feed;
    let frames = 0;
    while (frames < 2) {
      await new Promise(requestAnimationFrame);
      frames = isFed() ? frames + 1 : 0;
    }
  },

  // Show what a person may open in the page: sections behind tabs, and details.
  unfold() {
    for (const panel of document.querySelectorAll("[data-panel]")) panel.hidden = false;
    for (const details of document.querySelectorAll("details:not(.menu)")) details.open = true;
  },

  // What makes the page scroll sideways; what scrolls by itself may be wide.
  wider() {
    const width = document.documentElement.clientWidth;
    const scrolls = document.documentElement.scrollWidth;
    if (scrolls <= width) return [];
    return [...document.body.querySelectorAll("*")]
      .filter((one) => one.getBoundingClientRect().right > width + 1)
      .filter((one) => !one.closest(".table-wrap, .tabs, pre, .sr"))
      .slice(0, 3)
      .map((one) => this.named(one))
      .concat(`scrolls to ${scrolls}`);
  },

  // Begin a walk by Tab at the page's top: note what it has to reach, and give how much that is. Of
  // radio buttons Tab reaches one a group.
  begin() {
    const groups = new Set();
    const all = document.querySelectorAll(
      "a[href], button, input, select, textarea, summary, [tabindex]",
    );
    this.reachable = [...all].filter((one) => {
      if (one.tabIndex < 0 || one.matches(":disabled") || !one.getClientRects().length) return false;
      if (!one.checkVisibility({ visibilityProperty: true })) return false;
      if (one.closest("dialog") !== document.querySelector("dialog:modal")) return false;
      if (one.type !== "radio") return true;
      const checked = document.querySelector(`input[name="${one.name}"]:checked`);
      if (checked ? checked !== one : groups.has(one.name)) return false;
      groups.add(one.name);
      return true;
    });
    this.reached = new Set();
    this.walked = { at: null, isOver: false, found: [] };
    const top = document.createElement("span");
    top.tabIndex = -1;
    (document.querySelector("dialog:modal") ?? document.body).prepend(top);
    top.focus();
    top.remove();
    window.scrollTo(0, 0);
    return this.reachable.length;
  },

  // Where a Tab has led: whether the focus is drawn there, and not covered.
  step() {
    const one = document.activeElement;
    if (one === this.walked.at) return; // a date has several places for the focus
    this.walked.at = one;
    if (!one || one === document.body || this.reached.has(one)) {
      this.walked.isOver = true;
      return;
    }
    this.reached.add(one);
    const style = getComputedStyle(one);
    if (style.outlineStyle === "none" && style.boxShadow === "none") {
      this.walked.found.push(`focus cannot be seen on ${this.named(one)}`);
    }
    const boxes = [...one.getClientRects()].filter((rect) => rect.width && rect.height);
    if (!boxes.some((box) => this.seen(one, box))) {
      this.walked.found.push(`something lies over ${this.named(one)}`);
    }
  },

  seen(one, box) {
    const points = [[0.5, 0.5], [0.1, 0.5], [0.9, 0.5], [0.5, 0.1], [0.5, 0.9]];
    return points.some(([x, y]) => {
      const hit = document.elementFromPoint(box.left + x * box.width, box.top + y * box.height);
      return hit && (one.contains(hit) || hit.contains(one) || hit.closest("label")?.control === one);
    });
  },

  missed() {
    return this.reachable
      .filter((one) => !this.reached.has(one) && one.checkVisibility())
      .map((one) => `Tab does not reach ${this.named(one)}`);
  },
};

new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    if (!entry.hadRecentInput) window.looks.shifted += entry.value;
  }
}).observe({ type: "layout-shift", buffered: true });

document.addEventListener("securitypolicyviolation", (event) => {
  window.looks.refused.push(`${event.effectiveDirective} refused ${event.blockedURI}`);
});

// The key's own work is done when it is let go.
window.addEventListener("keyup", (event) => {
  if (event.key === "Tab" && window.looks.walked) window.looks.step();
}, true);
