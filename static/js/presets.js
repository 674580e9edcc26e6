// Put a preset's values into the form; nothing is saved yet, and each field can still be changed.

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-preset]");
  if (!button) return;
  for (const [name, value] of Object.entries(JSON.parse(button.dataset.preset))) {
    const field = document.getElementById(`id_${name}`);
    if (!field || field.disabled) continue;
    field.value = value;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }
  button.nextElementSibling.textContent = button.dataset.done;
});
