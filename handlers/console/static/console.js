"use strict";
// Times in the reader's zone, the live part of a page, and addresses that a click copies.
(function () {
  const lang = document.documentElement.lang;
  const full = new Intl.DateTimeFormat(lang, {dateStyle: "medium", timeStyle: "medium"});
  const units = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

  function since(moment, words) {
    const seconds = Math.max(0, Math.round((Date.now() - moment) / 1000));
    const [unit, size] = units.find(([, size]) => seconds >= size) || units[3];
    const count = new Intl.NumberFormat(lang, {style: "unit", unit, unitDisplay: "short"}).format(Math.floor(seconds / size));
    return words.replace("%s", count);
  }

  function showTimes(root) {
    for (const element of root.querySelectorAll("time[datetime]")) {
      const moment = new Date(element.dateTime);
      if (isNaN(moment)) continue;
      const text = element.dataset.ago ? since(moment, element.dataset.ago) : full.format(moment);
      if (element.textContent !== text) element.textContent = text;
      element.title = full.format(moment);
    }
  }

  showTimes(document);
  setInterval(() => showTimes(document), 1000);

  for (const code of document.querySelectorAll("code.copy")) {
    code.addEventListener("click", () => getSelection().selectAllChildren(code));
  }

  const part = document.getElementById("live");
  if (!part || !part.dataset.live) return;
  const stale = document.getElementById("stale");
  let events;
  function listen() {
    events = new EventSource(part.dataset.live);
    events.onmessage = (event) => {
      if (stale) stale.hidden = true;
      // Whoever is filling in something or has opened a detail is not interrupted.
      if (part.contains(document.activeElement) && document.activeElement !== document.body) return;
      if (part.querySelector("details[open]")) return;
      part.innerHTML = event.data; // made by our own templates, which escape what comes from outside
      showTimes(part);
    };
    events.addEventListener("unknown", () => { if (stale) stale.hidden = false; });
    events.onerror = () => { if (stale) stale.hidden = false; };
    events.onopen = () => { if (stale) stale.hidden = true; };
  }
  listen();
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) { events.close(); } else { listen(); }
  });
})();
