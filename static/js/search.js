// "/" leads to the search field of the top bar, from anywhere but where somebody writes. A hit's link
// leads to an entry of a transcript, which is marked there.

const WRITING = "input, textarea, select, [contenteditable], dialog";

export function startSearch() {
  document.getElementById(location.hash.slice(1))?.closest(".entry")?.setAttribute("data-found", "");
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
