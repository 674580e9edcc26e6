// Writing with an agent. Words are sent once the chat runs; Enter sends, Shift and Enter is a new line.
// Who leaves the page ends the chat.

import { busy, isOver, source, watch } from "./trying.js";

const form = document.getElementById("chat");
const text = document.getElementById("chat-text");
const words = document.getElementById("chat-words");
const startButton = document.getElementById("chat-start");
const sendButton = document.getElementById("chat-send");
const endButton = document.getElementById("chat-end");
let call = "";

startButton.addEventListener("click", start);
endButton.addEventListener("click", () => post({ call, end: "1" }));
form.addEventListener("submit", (event) => {
  event.preventDefault();
  send();
});
window.addEventListener("pagehide", () => {
  if (call) navigator.sendBeacon(form.action, filled({ call, end: "1" }));
});
text.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  send();
});

function say(sentence) {
  document.getElementById("chat-state").textContent = sentence;
}

async function start() {
  busy(true);
  say(form.dataset.opening);
  const begun = await post({ source: source() });
  if (!begun) {
    busy(false);
    return;
  }
  call = begun.call;
  watch(begun, turned);
}

function turned(state) {
  const runs = state === "running";
  show(runs);
  if (runs) {
    say("");
    text.focus();
  } else if (isOver(state)) {
    call = "";
    say(form.dataset.over);
    busy(false);
  }
}

function show(runs) {
  words.hidden = sendButton.hidden = endButton.hidden = !runs;
  startButton.hidden = runs;
}

async function send() {
  if (!call || !text.value.trim()) return;
  sendButton.disabled = true;
  if (await post({ call, text: text.value })) text.value = "";
  sendButton.disabled = false;
  text.focus();
}

function filled(fields) {
  const data = new FormData();
  data.set("csrfmiddlewaretoken", form.querySelector("[name=csrfmiddlewaretoken]").value);
  for (const [name, value] of Object.entries(fields)) data.set(name, value);
  return data;
}

// What the server answered; null when it refused or could not be reached, which is said.
async function post(fields) {
  try {
    const answer = await fetch(form.action, { method: "POST", body: filled(fields) });
    const said = await answer.json();
    if (answer.ok) return said;
    say(said.error);
  } catch {
    say(form.dataset.lost);
  }
  return null;
}
