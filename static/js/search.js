// "/" leads to the search field of the top bar, from anywhere but where somebody writes.

const WRITING = "input, textarea, select, [contenteditable], dialog";

export function startSearch() {
  const field = document.querySelector("[data-search]");
  if (!field) return;
  document.addEventListener("keydown", (event) => {
    const isMeant = event.key === "/" && !event.ctrlKey && !event.metaKey && !event.altKey;
    if (!isMeant || event.target.closest(WRITING) || !field.offsetParent) return;
    event.preventDefault();
    field.focus();
    field.select();
  });
}
