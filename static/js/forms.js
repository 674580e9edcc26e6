// Forms: "reset to inherited" empties its field; a form with data-guard asks before unsaved words are
// lost and shows its [data-unsaved] note; fields that depend on another show with it (data-shown-if).

export function startForms() {
  document.addEventListener("click", (event) => {
    const reset = event.target.closest("[data-reset]");
    if (!reset) return;
    const field = document.getElementById(reset.dataset.reset);
    field.value = "";
    field.dispatchEvent(new Event("input", { bubbles: true }));
    field.focus();
    reset.closest(".field").classList.add("was-reset");
  });
  for (const form of document.querySelectorAll("form[data-guard]")) guard(form);
  for (const part of document.querySelectorAll("[data-shown-if]")) showIf(part);
}

function guard(form) {
  let touched = form.hasAttribute("data-touched");
  const note = form.querySelector("[data-unsaved]");
  const show = () => {
    if (note) note.hidden = !touched;
  };
  form.addEventListener("input", () => {
    touched = true;
    show();
  });
  form.addEventListener("submit", () => {
    touched = false;
  });
  window.addEventListener("beforeunload", (event) => {
    if (touched) event.preventDefault();
  });
  show();
}

// data-shown-if="id_vad_mode=server_vad,local": shown while that field has one of these values; an
// empty field counts as its data-inherited value.
function showIf(part) {
  const [id, values] = part.dataset.shownIf.split("=");
  const field = document.getElementById(id);
  if (!field) return;
  const wanted = values.split(",");
  const update = () => {
    part.hidden = !wanted.includes(field.value || field.dataset.inherited);
  };
  field.addEventListener("input", update);
  update();
}
