"use strict";
// The page is whole without this: it adds the filter of each table, and tips to the charts.
for (const form of document.querySelectorAll("form.filter")) {
  const rows = [...form.parentElement.querySelectorAll("table.all tbody tr:not(.more)")];
  // What a row unfolds is the row after it.
  const more = rows.map((row) => row.nextElementSibling?.closest(".more"));
  const texts = rows.map((row, at) => `${row.textContent} ${more[at]?.textContent ?? ""}`.toLowerCase());
  const chosen = (name) =>
    new Set([...form.querySelectorAll(`input[name=${name}]:checked`)].map((box) => box.value));
  const apply = () => {
    const words = form.elements.text.value.toLowerCase().split(/\s+/).filter(Boolean);
    const section = form.elements.section.value;
    const statuses = chosen("status");
    const severities = chosen("severity");
    let shown = 0;
    rows.forEach((row, at) => {
      const fits =
        statuses.has(row.dataset.status) &&
        severities.has(row.dataset.severity) &&
        (!section || row.dataset.section === section) &&
        words.every((word) => texts[at].includes(word));
      row.hidden = !fits;
      if (more[at]) more[at].hidden = !fits;
      shown += fits;
    });
    form.querySelector("output").textContent = `${shown} of ${rows.length} shown`;
  };
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  apply();
}
document.addEventListener("keydown", (event) => {
  const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName);
  const field = document.querySelector("form.filter input[type=search]");
  if (event.key === "/" && !typing && field) {
    event.preventDefault();
    field.focus();
  }
});
const tip = document.getElementById("tip");
document.addEventListener("mousemove", (event) => {
  const mark = event.target.closest?.("svg [data-tip]");
  tip.hidden = !mark;
  if (mark) {
    tip.textContent = mark.dataset.tip;
    tip.style.left = `${Math.min(event.clientX + 12, innerWidth - tip.offsetWidth - 8)}px`;
    tip.style.top = `${event.clientY + 16}px`;
  }
});
