// Talking to an agent: the microphone, a WebRTC connection to the media worker, the call's socket.
// tenants/live/talk.py describes the socket. All candidates are in the offer (no trickle).

import { Keypad } from "./dtmf.js";
import { Level } from "./levels.js";
import { busy, isOver, source, watch } from "./trying.js";

const GATHER_MS = 3000;
const ANSWER_MS = 20000;
const MICROPHONE = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };

const box = document.getElementById("talk");
const startButton = document.getElementById("talk-start");
const endButton = document.getElementById("talk-end");
const sound = document.getElementById("talk-sound");
const levels = document.getElementById("talk-levels");
const keypad = new Keypad(box.querySelector("[data-keypad]"), (key) => talk?.press(key));
let talk = null;

startButton.addEventListener("click", () => {
  talk = new Talk();
  talk.start();
});
endButton.addEventListener("click", () => talk?.end(box.dataset.over));
window.addEventListener("pagehide", () => talk?.end(""));

if (!window.isSecureContext || !navigator.mediaDevices) {
  say(box.dataset.insecure);
  startButton.hidden = true;
}

function say(words) {
  document.getElementById("talk-state").textContent = words;
}

class Talk {
  constructor() {
    this.shown = [];
    this.over = false;
  }

  async start() {
    busy(true);
    say(box.dataset.asking);
    try {
      this.stream = await navigator.mediaDevices.getUserMedia({ audio: MICROPHONE });
    } catch (error) {
      const isMissing = error.name === "NotFoundError";
      this.end(isMissing ? box.dataset.nomicrophone : box.dataset.denied);
      return;
    }
    if (this.over) return this.release();
    say(box.dataset.calling);
    startButton.hidden = true;
    endButton.hidden = false;
    endButton.focus();
    this.context = new AudioContext();
    this.show(this.stream, "level-me");
    const offer = await this.offer();
    if (!this.over) this.connect(offer);
  }

  async offer() {
    this.peer = new RTCPeerConnection();
    this.peer.addEventListener("track", ({ track }) => this.hear(new MediaStream([track])));
    this.peer.addEventListener("connectionstatechange", () => this.turned());
    for (const track of this.stream.getAudioTracks()) this.peer.addTrack(track, this.stream);
    await this.peer.setLocalDescription();
    await gathered(this.peer);
    return this.peer.localDescription.sdp;
  }

  connect(offer) {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const join = box.dataset.talk.includes("?") ? "&" : "?";
    const address = `${box.dataset.talk}${join}source=${source()}`;
    this.socket = new WebSocket(`${scheme}//${location.host}${address}`);
    this.socket.addEventListener("open", () => this.send({ offer }));
    this.socket.addEventListener("message", (event) => this.take(JSON.parse(event.data)));
    this.socket.addEventListener("close", () => this.end(box.dataset.lost));
    this.timer = setTimeout(() => this.end(box.dataset.noanswer), ANSWER_MS);
  }

  async take(message) {
    if (message.refused) {
      this.end(message.refused);
    } else if (message.answer) {
      clearTimeout(this.timer);
      await this.peer.setRemoteDescription({ type: "answer", sdp: message.answer });
    } else if (message.call) {
      watch(message, (state) => isOver(state) && this.end(box.dataset.over));
    }
  }

  turned() {
    const state = this.peer.connectionState;
    if (state === "connected") {
      say(box.dataset.talking);
      keypad.enabled = true;
    }
    if (state === "failed") this.end(box.dataset.lost);
  }

  hear(stream) {
    sound.srcObject = stream;
    this.show(stream, "level-agent");
  }

  show(stream, id) {
    levels.hidden = false;
    this.shown.push(new Level(this.context, stream, document.getElementById(id)));
  }

  press(key) {
    this.send({ key });
  }

  send(message) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  end(words) {
    if (this.over) return;
    this.over = true;
    this.release();
    say(words);
    keypad.enabled = false;
    levels.hidden = true;
    endButton.hidden = true;
    startButton.hidden = false;
    busy(false);
    if (document.activeElement === document.body) startButton.focus();
  }

  release() {
    clearTimeout(this.timer);
    for (const level of this.shown) level.stop();
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.peer?.close();
    this.socket?.close();
    this.context?.close();
    sound.srcObject = null;
  }
}

function gathered(peer) {
  if (peer.iceGatheringState === "complete") return Promise.resolve();
  return new Promise((done) => {
    setTimeout(done, GATHER_MS);
    peer.addEventListener("icegatheringstatechange", () => {
      if (peer.iceGatheringState === "complete") done();
    });
  });
}
