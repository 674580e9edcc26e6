// What talking and writing share on the page "Try": one conversation at a time, which one is tried,
// the transcript of it, and its end as the call's feed says it.

import { follow } from "./feed.js";

const OVER = ["ended", "refused"];

export function source() {
  return document.querySelector("#try-source input:checked").value;
}

// Show a conversation that was begun; `changed` hears each state of it until it is over.
export function watch({ feed, page }, changed) {
  const transcript = document.getElementById("transcript");
  const record = document.getElementById("try-record");
  transcript.replaceChildren();
  document.getElementById("call-line").replaceChildren();
  document.getElementById("call-outcome").replaceChildren();
  record.querySelector("a").href = page;
  record.hidden = false;
  let last = "";
  const observer = new MutationObserver(() => {
    const state = document.getElementById("call-state")?.dataset.state ?? "";
    if (!state || state === last) return;
    last = state;
    if (OVER.includes(state)) observer.disconnect();
    changed(state);
  });
  observer.observe(document.getElementById("main"), { childList: true, subtree: true });
  follow(feed);
}

export function isOver(state) {
  return OVER.includes(state);
}

// While one conversation goes on, nothing else can be begun or chosen.
export function busy(on) {
  for (const id of ["talk-start", "chat-start"]) document.getElementById(id).disabled = on;
  document.getElementById("try-source").disabled = on;
}
