// Messages in the corner: good news leaves after six seconds, a problem stays until it is closed.

const GOOD_NEWS_MS = 6000;

function arm(toast) {
  toast.querySelector("[data-close]").addEventListener("click", () => toast.remove());
  if (!["error", "warning"].includes(toast.dataset.toast)) {
    setTimeout(() => toast.remove(), GOOD_NEWS_MS);
  }
}

export function startToasts() {
  for (const toast of document.querySelectorAll("[data-toast]")) arm(toast);
}
