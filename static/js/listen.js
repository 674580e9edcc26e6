// Listening in: the sound of a running call comes over a socket, 100 ms a message, and is played by
// an AudioWorklet, the caller left, the agent right. A message is binary:
//
//   0  uint32  number of the piece     4  uint32  ms on the call's clock
//   8  uint16  bytes of the caller, then those of the agent: PCMU at 8000 Hz

const RATE = 8000;

// G.711: the value of each byte, from -1 to 1 (ITU-T G.711 table 2).
const MU_LAW = Float32Array.from({ length: 256 }, (_, byte) => {
  const code = ~byte & 0xff;
  const size = (((code & 0x0f) << 3) + 0x84) << ((code & 0x70) >> 4);
  return (code & 0x80 ? 0x84 - size : size - 0x84) / 32768;
});

export function decode(bytes) {
  return Float32Array.from(bytes, (byte) => MU_LAW[byte]);
}

export function startListening(scope) {
  for (const button of scope.querySelectorAll("button[data-listen]")) setUp(button);
}

function setUp(button) {
  const panel = button.closest("[data-actions]");
  const answer = panel.querySelector("[data-answer]");
  const levels = panel.querySelector("[data-levels]");
  const label = button.querySelector("span");
  const plain = label.textContent;
  let stop = null;

  function show(text, tone) {
    answer.textContent = text;
    answer.dataset.tone = tone;
  }

  function ended(why) {
    stop = null;
    label.textContent = plain;
    button.setAttribute("aria-pressed", "false");
    delete button.dataset.hears;
    levels.hidden = true;
    if (why !== null) show(why || button.dataset.lost, why ? "bad" : "good");
  }

  function heard(caller, agent) {
    button.dataset.hears = "true";
    levels.querySelector("[data-level=caller]").value = loudness(caller);
    levels.querySelector("[data-level=agent]").value = loudness(agent);
  }

  button.addEventListener("click", () => {
    if (stop) {
      stop();
      ended(null);
      show("", "good");
      return;
    }
    label.textContent = button.dataset.stop;
    button.setAttribute("aria-pressed", "true");
    levels.hidden = false;
    show(button.dataset.live, "good");
    stop = listen(button.dataset.listen, heard, ended);
  });
  // The drawer is closed: nobody listens there any more.
  button.closest("dialog")?.addEventListener("emptied", () => stop?.(), { once: true });
}

// Gives what ends it; `ended` is told why when something else does.
function listen(path, heard, ended) {
  const context = new AudioContext({ sampleRate: RATE });
  let socket = null;
  let isOurs = false;

  function leave() {
    isOurs = true;
    if (context.state !== "closed") context.close();
    socket?.close();
  }

  async function begin() {
    await context.audioWorklet.addModule(new URL("./listen-worklet.js", import.meta.url));
    if (isOurs) return;
    const speaker = new AudioWorkletNode(context, "listen", { outputChannelCount: [2] });
    speaker.connect(context.destination);
    socket = hear(path, speaker, heard, (why) => {
      const isNews = !isOurs;
      leave();
      if (isNews) ended(why);
    });
  }

  begin();
  return leave;
}

// The socket that brings the sound to the speaker.
function hear(path, speaker, heard, closed) {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const socket = new WebSocket(`${scheme}//${location.host}${path}`);
  socket.binaryType = "arraybuffer";
  let why = "";
  socket.addEventListener("message", ({ data }) => {
    if (typeof data === "string") {
      why = JSON.parse(data).why;
      return;
    }
    const split = 10 + new DataView(data).getUint16(8);
    const caller = decode(new Uint8Array(data, 10, split - 10));
    const agent = decode(new Uint8Array(data, split));
    heard(caller, agent);
    speaker.port.postMessage({ caller, agent });
  });
  socket.addEventListener("close", () => closed(why));
  return socket;
}

function loudness(samples) {
  const sum = samples.reduce((total, sample) => total + sample * sample, 0);
  return Math.min(1, 4 * Math.sqrt(sum / Math.max(1, samples.length)));
}
