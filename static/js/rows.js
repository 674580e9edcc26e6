// Lists of rows in a form: [data-rows] holds [data-list], a <template> with __n__ and __label__, and
// [data-add]. Rows in languages take theirs from [data-choose]; [data-write] turns an inherited text
// into one of this level; [data-remove] takes a row out.

export function startRows() {
  for (const group of document.querySelectorAll("[data-rows]")) setUp(group);
}

function setUp(group) {
  const list = group.querySelector("[data-list]");
  const template = group.querySelector("template");
  const chooser = group.querySelector("[data-choose]");
  let made = list.children.length;

  group.addEventListener("click", (event) => {
    const write = event.target.closest("[data-write]");
    if (write) {
      const { key, label, text } = write.dataset;
      put(key, label, text, write.closest("[data-inherited-row]"));
    } else if (event.target.closest("[data-remove]")) {
      takeOut(event.target.closest("[data-row]"));
    } else if (event.target.closest("[data-add]")) {
      add();
    }
  });

  function add() {
    if (!chooser) {
      put(String((made += 1)), "", "", null);
      return;
    }
    const option = chooser.selectedOptions[0];
    if (!option) return;
    option.remove();
    put(option.value, option.textContent, "", null);
  }

  function put(key, label, text, instead) {
    const holder = document.createElement("template");
    holder.innerHTML = template.innerHTML.replaceAll("__n__", key).replaceAll("__label__", label);
    const row = holder.content.firstElementChild;
    const field = row.querySelector("textarea, input:not([type=hidden])");
    field.value = text;
    if (instead) instead.replaceWith(row);
    else list.append(row);
    group.querySelector("[data-none]")?.remove();
    field.focus();
    row.dispatchEvent(new Event("input", { bubbles: true }));
  }

  function takeOut(row) {
    row.dispatchEvent(new Event("input", { bubbles: true }));
    if (chooser) chooser.append(new Option(row.dataset.label, row.dataset.key));
    row.remove();
    group.querySelector("[data-add]").focus();
  }
}
