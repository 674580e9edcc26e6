// What looks.py asks of a page; put in before the page's own scripts.

window.looks = {
  shifted: 0,
  reachable: [],
  reached: new Set(),

  classes: (one) => one.className.baseVal ?? one.className,

  named(one) {
    const words = one.getAttribute("aria-label") ?? one.name ?? one.textContent ?? "";
    return `${one.tagName.toLowerCase()}#${one.id}.${this.classes(one)}[${words.trim().slice(0, 30)}]`;
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

  // Begin a walk by Tab: note what it has to reach. Of radio buttons Tab reaches one a group.
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
    document.activeElement?.blur();
    window.scrollTo(0, 0);
  },

  // Where Tab has led: its name, whether the focus is drawn, whether it is not covered.
  focused() {
    const one = document.activeElement;
    if (!one || one === document.body || this.reached.has(one)) return null;
    this.reached.add(one);
    const style = getComputedStyle(one);
    const drawn = style.outlineStyle !== "none" || style.boxShadow !== "none";
    const boxes = [...one.getClientRects()].filter((rect) => rect.width && rect.height);
    return { name: this.named(one), drawn, seen: boxes.some((box) => this.seen(one, box)) };
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
      .map((one) => this.named(one));
  },
};

new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    if (!entry.hadRecentInput) window.looks.shifted += entry.value;
  }
}).observe({ type: "layout-shift", buffered: true });
