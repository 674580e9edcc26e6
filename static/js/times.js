// Keeps what depends on the clock fresh: "3 minutes ago" (data-when) and running times m:ss
// (data-since: when it began). The words come from the browser in the page's language.

const MINUTE = 60;
const HOUR = 3600;
const DAY = 86400;

const words = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "always" });

function relative(element) {
  const past = (Date.now() - Date.parse(element.dateTime)) / 1000;
  if (past < MINUTE || past >= DAY) return;
  const text =
    past < HOUR
      ? words.format(-Math.floor(past / MINUTE), "minute")
      : words.format(-Math.floor(past / HOUR), "hour");
  if (element.textContent !== text) element.textContent = text;
}

export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const pad = (number) => String(number).padStart(2, "0");
  const minutes = Math.floor(whole / MINUTE) % 60;
  const hours = Math.floor(whole / HOUR);
  return hours ? `${hours}:${pad(minutes)}:${pad(whole % MINUTE)}` : `${minutes}:${pad(whole % MINUTE)}`;
}

export function refreshTimes() {
  for (const element of document.querySelectorAll("time[data-when]")) relative(element);
  for (const element of document.querySelectorAll("[data-since]")) {
    const text = clock((Date.now() - Date.parse(element.dataset.since)) / 1000);
    if (element.textContent !== text) element.textContent = text;
  }
}

export function startTimes() {
  refreshTimes();
  setInterval(refreshTimes, 1000);
}
