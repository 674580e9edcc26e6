// Live pages. The server sends HTML made with the same templates as the page, and says where it goes:
//
//   {"parts": [{"id": "call-1f…", "html": "<li …>", "into": "live-calls", "position": 12}],
//    "only": {"live-calls": ["call-1f…"]}, "removed": ["call-2b…"]}
//
// A part that is on the page is replaced (one that names its data-version: by another version only),
// another is put into `into` in the order of data-position; a
// part whose home is not on this page is left out. "only" comes with a snapshot: what else is in that
// list is gone. The socket comes back by itself, slower each time, and gets a new snapshot.

import { startPlayer } from "./player.js";
import { refreshTimes } from "./times.js";

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15000;
const LINES_KEPT = 5;
const GONE = [4401, 4403, 4404];

export function startFeed() {
  const sign = document.getElementById("feed-state");
  if (sign?.dataset.feed) open(sign, 0);
}

// Another feed instead of the page's first one: of a call that was begun from the page.
export function follow(address) {
  const sign = document.getElementById("feed-state");
  const old = current;
  sign.dataset.feed = address;
  open(sign, 0);
  old?.close();
}

// One more feed beside the page's own, for a while; gives what ends it.
export function watch(path) {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const socket = new WebSocket(`${scheme}//${location.host}${path}`);
  socket.addEventListener("message", (event) => apply(JSON.parse(event.data)));
  return () => socket.close();
}

let current = null;

function open(sign, tries) {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const socket = new WebSocket(`${scheme}//${location.host}${sign.dataset.feed}`);
  let opened = false;
  current = socket;
  socket.addEventListener("open", () => {
    opened = true;
    sign.hidden = true;
    document.documentElement.dataset.feed = "open";
  });
  socket.addEventListener("message", (event) => {
    if (socket === current) apply(JSON.parse(event.data));
  });
  // 4401 signed out, 4403 may not, 4404 not there: asking again would not help.
  socket.addEventListener("close", (event) => {
    if (socket !== current) return;
    document.documentElement.dataset.feed = "closed";
    if (GONE.includes(event.code)) {
      if (opened) location.reload();
      return;
    }
    const next = opened ? 0 : tries + 1;
    if (next > 1) {
      sign.textContent = sign.dataset.lost;
      sign.hidden = false;
    }
    const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** next) * (0.75 + Math.random() / 2);
    setTimeout(() => open(sign, next), wait);
  });
}

function apply(message) {
  const followed = atEnd();
  for (const part of message.parts ?? []) place(part);
  for (const id of message.removed ?? []) document.getElementById(id)?.remove();
  for (const [list, ids] of Object.entries(message.only ?? {})) {
    for (const child of [...(document.getElementById(list)?.children ?? [])]) {
      if (child.id && !ids.includes(child.id)) child.remove();
    }
  }
  refreshTimes();
  startPlayer();
  if (followed) followed.scrollIntoView({ block: "nearest" });
}

function place({ id, html, into, position }) {
  const holder = document.createElement("template");
  holder.innerHTML = html.trim();
  const fresh = holder.content.firstElementChild;
  const old = document.getElementById(id);
  if (old) {
    const isSame = old.dataset.version && old.dataset.version === fresh.dataset.version;
    if (!isSame && !old.isEqualNode(fresh)) {
      fresh.toggleAttribute("data-found", old.hasAttribute("data-found"));
      old.replaceWith(fresh);
      window.htmx?.process(fresh);
      announce(fresh, old);
    }
    return;
  }
  const list = into && document.getElementById(into);
  if (!list) return;
  const after = [...list.children].find((child) => Number(child.dataset.position) > position);
  list.insertBefore(fresh, after ?? null);
  announce(fresh, null);
}

// A transcript entry is read out once, when it is finished: not at each word.
function announce(fresh, old) {
  const voice = document.getElementById("transcript-voice");
  if (!voice || fresh.dataset.final !== "true" || old?.dataset.final === "true") return;
  const line = document.createElement("p");
  line.textContent = fresh.dataset.spoken;
  voice.append(line);
  if (voice.children.length > LINES_KEPT) voice.firstElementChild.remove();
}

// The transcript's end, if the reader is there and wants to stay there.
function atEnd() {
  const end = document.getElementById("transcript-end");
  // With nothing said there is nothing to follow: a page that has just come stays at its top.
  if (!end?.hasAttribute("data-follow") || !document.querySelector("#transcript > *")) return null;
  return end.getBoundingClientRect().top <= window.innerHeight ? end : null;
}
