// Plays two mono lanes left and right. Holds back 200 ms before it begins, so that a piece that comes
// late is not heard as a gap; what has gathered beyond a second is left out, to stay at the talk.

const HOLD = 0.2;
const MOST = 1.0;

class Listen extends AudioWorkletProcessor {
  constructor() {
    super();
    this.lanes = [[], []];
    this.waiting = 0;
    this.offset = 0;
    this.playing = false;
    this.port.onmessage = ({ data }) => this.take(data.caller, data.agent);
  }

  take(caller, agent) {
    this.lanes[0].push(caller);
    this.lanes[1].push(agent);
    this.waiting += caller.length;
    while (this.waiting > MOST * sampleRate) this.drop();
    if (this.waiting >= HOLD * sampleRate) this.playing = true;
  }

  drop() {
    this.waiting -= this.lanes[0].shift().length - this.offset;
    this.lanes[1].shift();
    this.offset = 0;
  }

  process(_inputs, [[left, right]]) {
    for (let at = 0; at < left.length && this.playing; at += 1) {
      left[at] = this.lanes[0][0][this.offset];
      right[at] = this.lanes[1][0][this.offset] ?? 0;
      this.offset += 1;
      this.waiting -= 1;
      if (this.offset >= this.lanes[0][0].length) {
        this.lanes[0].shift();
        this.lanes[1].shift();
        this.offset = 0;
        this.playing = this.lanes[0].length > 0;
      }
    }
    return true;
  }
}

registerProcessor("listen", Listen);
