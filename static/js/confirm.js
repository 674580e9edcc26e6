// "Are you sure": a form with data-confirm, or a submit button with it, is asked about in the one
// <dialog id="confirm"> of the frame. Also opens and closes other dialogs: data-open="id", data-shut.

export function startConfirming() {
  const dialog = document.getElementById("confirm");
  if (!dialog) return;
  const yes = dialog.querySelector("[data-yes]");
  const plainYes = yes.textContent;
  let asked = null;

  document.addEventListener("submit", (event) => {
    const source = event.submitter?.dataset.confirm ? event.submitter : event.target;
    if (!source.dataset.confirm || asked === event.target) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    dialog.querySelector("#confirm-title").textContent = source.dataset.confirm;
    dialog.querySelector("#confirm-text").textContent = source.dataset.confirmText ?? "";
    yes.textContent = source.dataset.confirmButton ?? plainYes;
    dialog.returnValue = "no";
    dialog.showModal();
    dialog.addEventListener(
      "close",
      () => {
        if (dialog.returnValue !== "yes") return;
        asked = event.target;
        event.target.requestSubmit(event.submitter ?? undefined);
        asked = null;
      },
      { once: true },
    );
  }, true);
  document.dispatchEvent(new Event("confirming"));

  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-open]");
    if (opener) document.getElementById(opener.dataset.open)?.showModal();
    const shutter = event.target.closest("[data-shut]");
    if (shutter) shutter.closest("dialog").close();
  });
}
