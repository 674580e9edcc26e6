// Stepping into a running call: sends its forms without leaving the page and shows the answer beside
// them; on the wall, opens a call in the drawer, with a feed of its own for as long as it is open.

import { watch } from "./feed.js";
import { startListening } from "./listen.js";

document.addEventListener("submit", async (event) => {
  const form = event.target.closest("form[data-act]");
  if (!form || event.defaultPrevented) return;
  event.preventDefault();
  const answer = form.closest("[data-actions]").querySelector("[data-answer]");
  const body = new FormData(form, event.submitter);
  if (event.submitter) event.submitter.disabled = true;
  try {
    const reply = await fetch(form.action, {
      method: "POST",
      body,
      headers: { Accept: "application/json" },
    });
    const { message, done } = await reply.json();
    answer.textContent = message;
    answer.dataset.tone = done ? "good" : "bad";
    if (done && form.hasAttribute("data-clears")) form.reset();
  } catch {
    form.submit(); // signed out, or the server said something else: the page itself shows it
  } finally {
    if (event.submitter) event.submitter.disabled = false;
  }
});

// Another address is asked for only when none of the known ones is chosen.
function showOther(scope) {
  for (const choice of scope.querySelectorAll("[data-target]")) {
    const other = choice.form.querySelector("[data-other]");
    other.hidden = choice.value !== "";
  }
}

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-target]")) showOther(document);
});

function start(scope) {
  showOther(scope);
  startListening(scope);
}

start(document);

// --- the drawer of the wall ----------------------------------------------------------------------

const drawer = document.getElementById("call-drawer");
let leave = null;

document.addEventListener("click", async (event) => {
  const opener = event.target.closest("[data-step-in]");
  if (!opener || !drawer) return;
  const reply = await fetch(opener.dataset.stepIn);
  if (!reply.ok || reply.redirected) {
    location.assign(opener.closest("[data-call]").querySelector("a").href);
    return;
  }
  drawer.innerHTML = await reply.text();
  drawer.showModal();
  start(drawer);
  leave = watch(drawer.querySelector("[data-drawer-feed]").dataset.drawerFeed);
});

drawer?.addEventListener("close", () => {
  leave?.();
  leave = null;
  drawer.dispatchEvent(new CustomEvent("emptied"));
  drawer.replaceChildren();
});
