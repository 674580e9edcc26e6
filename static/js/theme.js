// Light, dark or as the system has it. The choice is posted like any other preference; here it is
// only shown at once, and the page is not loaded again.

export function startTheme() {
  for (const button of document.querySelectorAll("[data-theme-choice]")) {
    button.addEventListener("click", async (event) => {
      event.preventDefault();
      const choice = button.dataset.themeChoice;
      if (choice) document.documentElement.dataset.bsTheme = choice;
      else delete document.documentElement.dataset.bsTheme;
      for (const other of document.querySelectorAll("[data-theme-choice]")) {
        other.setAttribute("aria-pressed", String(other === button));
      }
      const body = new FormData(button.form);
      body.set("theme", choice);
      await fetch(button.form.action, { method: "POST", body, redirect: "manual" });
    });
  }
}
