// A button with data-copy puts that text on the clipboard and says so for a moment.

const SAID_MS = 1500;

export function startCopying() {
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    await navigator.clipboard.writeText(button.dataset.copy);
    const label = button.getAttribute("aria-label");
    button.setAttribute("aria-label", button.dataset.copied);
    button.classList.add("copied");
    setTimeout(() => {
      button.setAttribute("aria-label", label);
      button.classList.remove("copied");
    }, SAID_MS);
  });
}
