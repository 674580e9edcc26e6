// The prompt's field: variables in it are marked, by a copy of its words that lies behind it, and
// [data-insert] writes one where the cursor is.

const VARIABLE = /\{\{\s*([A-Za-z_]\w{0,63})\s*\}\}/g; // as media_worker/contract.py has it
const BORDERS = 2;

const field = document.getElementById("id_instructions");
const known = new Set([...document.querySelectorAll("[data-variable]")].map((one) => one.dataset.variable));

if (field && !field.disabled) {
  const marks = lay(field);
  const draw = () => {
    marks.replaceChildren(...pieces(field.value), "\n");
    fit(marks);
  };
  field.addEventListener("input", draw);
  field.addEventListener("scroll", () => (marks.scrollTop = field.scrollTop));
  new ResizeObserver(() => fit(marks)).observe(field);
  draw();
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-insert]");
    if (button) insert(button.dataset.insert);
  });
}

function lay(field) {
  const box = document.createElement("div");
  const marks = document.createElement("div");
  box.className = "prompt-box";
  marks.className = "prompt-marks";
  marks.setAttribute("aria-hidden", "true");
  field.replaceWith(box);
  box.append(marks, field);
  return marks;
}

// The copy wraps where the field does: a scroll bar takes as much of both.
function fit(marks) {
  const bar = field.offsetWidth - field.clientWidth - BORDERS;
  marks.style.borderRightWidth = `${1 + Math.max(bar, 0)}px`;
  marks.scrollTop = field.scrollTop;
}

function pieces(text) {
  const found = [];
  let at = 0;
  for (const match of text.matchAll(VARIABLE)) {
    const mark = document.createElement("mark");
    mark.textContent = match[0];
    mark.classList.toggle("unknown", !known.has(match[1]));
    found.push(text.slice(at, match.index), mark);
    at = match.index + match[0].length;
  }
  found.push(text.slice(at));
  return found;
}

function insert(name) {
  field.setRangeText(`{{ ${name} }}`, field.selectionStart, field.selectionEnd, "end");
  field.dispatchEvent(new Event("input", { bubbles: true }));
  field.focus();
}
