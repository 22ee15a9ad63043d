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

  // What is new waits while somebody fills in something, presses a button or marks a text. The
  // focus, opened details and scrolled tables stay where they are.
  let next = null;
  function busy() {
    const chosen = getSelection();
    return part.querySelector(":active, input:focus, select:focus, textarea:focus") || !chosen.isCollapsed && part.contains(chosen.anchorNode);
  }

  const handles = () => [...part.querySelectorAll("a[href], button, summary, [tabindex]")];
  const nameOf = (e) => [e.tagName, e.getAttribute("href"), e.getAttribute("aria-label") || e.textContent, e.form && e.form.getAttribute("action")].join("|");
  function placeOf(element) {
    const name = nameOf(element);
    return {name, nth: handles().filter((e) => nameOf(e) === name).indexOf(element)};
  }
  const at = ({name, nth}) => handles().filter((e) => nameOf(e) === name)[nth];

  function show() {
    if (next === null || busy()) return;
    const focus = handles().filter((e) => e === document.activeElement).map(placeOf);
    const open = handles().filter((e) => e.parentElement.open).map(placeOf);
    const scrolled = handles().filter((e) => e.scrollLeft > 0).map((e) => [placeOf(e), e.scrollLeft]);
    part.innerHTML = next; // made by our own templates, which escape what comes from outside
    next = null;
    showTimes(part);
    for (const place of open) if (at(place)) at(place).parentElement.open = true;
    for (const [place, left] of scrolled) if (at(place)) at(place).scrollLeft = left;
    for (const place of focus) if (at(place)) at(place).focus({preventScroll: true});
  }
  setInterval(show, 500);

  let events;
  function listen() {
    events = new EventSource(part.dataset.live);
    events.onmessage = (event) => {
      if (stale) stale.hidden = true;
      next = event.data;
      show();
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
