// How loud a stream is, shown by templates/components/level.html. The scale is in decibels:
// a whisper is seen.

const QUIETEST_DB = -60;
const EVERY_MS = 50;

export class Level {
  constructor(context, stream, meter) {
    this.meter = meter;
    this.source = context.createMediaStreamSource(stream);
    this.analyser = context.createAnalyser();
    this.analyser.fftSize = 1024;
    this.samples = new Float32Array(this.analyser.fftSize);
    this.source.connect(this.analyser);
    this.timer = setInterval(() => this.show(), EVERY_MS);
  }

  show() {
    this.analyser.getFloatTimeDomainData(this.samples);
    let sum = 0;
    for (const sample of this.samples) sum += sample * sample;
    const decibels = 10 * Math.log10(sum / this.samples.length + 1e-12);
    this.draw(Math.round(100 * Math.max(0, 1 - decibels / QUIETEST_DB)));
  }

  draw(percent) {
    this.meter.firstElementChild.setAttribute("width", percent);
    this.meter.setAttribute("aria-valuenow", percent);
  }

  stop() {
    clearInterval(this.timer);
    this.source.disconnect();
    this.draw(0);
  }
}
