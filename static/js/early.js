// Before the modules are here, however slow the line: what has to be asked about waits for confirm.js,
// and a button that only a script can serve is pressed again, once, when they are all there.

{
  const waiting = [];
  const hold = (event) => {
    const source = event.submitter?.dataset.confirm ? event.submitter : event.target;
    if (!source.dataset.confirm) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    waiting[0] = [event.target, event.submitter];
  };
  document.addEventListener("submit", hold, true);
  document.addEventListener("confirming", () => {
    document.removeEventListener("submit", hold, true);
    for (const [form, button] of waiting) form.requestSubmit(button ?? undefined);
  }, { once: true });

  const pressed = new Set();
  const keep = (event) => {
    const button = event.target.closest('button[type="button"]');
    if (!button) return;
    event.stopImmediatePropagation();
    pressed.add(button);
  };
  document.addEventListener("click", keep, true);
  // Modules have run by then; what they and htmx do at this event comes before the timer.
  document.addEventListener("DOMContentLoaded", () => setTimeout(() => {
    document.removeEventListener("click", keep, true);
    for (const button of pressed) button.click();
  }), { once: true });
}
