// Before the modules are here: what has to be asked about waits for confirm.js, however slow the line.

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
}
