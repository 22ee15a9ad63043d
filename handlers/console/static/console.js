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
      const age = element.dataset.ago && since(moment, element.dataset.ago);
      const text = !age ? full.format(moment) : "brief" in element.dataset ? age : `${full.format(moment)} (${age})`;
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

  // Screen readers say what is put into it; a text that is only uncovered they keep to themselves.
  function old(is) {
    if (!stale) return;
    const text = is ? stale.dataset.text : "";
    if (stale.textContent !== text) stale.textContent = text;
  }

  // One stream at most is open, and none while nobody sees the page. A browser connects again by
  // itself, but not after an answer that is no stream, such as one of a server that starts.
  let events = null, again = 0;
  function listen() {
    clearTimeout(again);
    if (events) events.close();
    events = null;
    if (document.hidden) return;
    const opened = events = new EventSource(part.dataset.live);
    opened.onmessage = (event) => {
      old(false);
      next = event.data;
      show();
    };
    opened.addEventListener("unknown", () => old(true));
    opened.onerror = () => {
      old(true);
      if (opened === events && opened.readyState === EventSource.CLOSED) again = setTimeout(listen, 5000);
    };
    opened.onopen = () => old(false);
  }
  listen();
  document.addEventListener("visibilitychange", listen);
})();
