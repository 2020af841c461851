/* What a page can do beside being read: sort tables, mark the section in view, change the theme. */
(() => {
  "use strict";

  // -- tables: a click on a heading sorts by it, a second one turns the order round
  const value = (row, column) => {
    const cell = row.cells[column];
    return cell === undefined ? "" : (cell.dataset.value ?? cell.textContent.trim());
  };
  const order = (first, second) => {
    if (first === second) return 0;
    if (first === "" || first === "–") return 1; // what is missing comes last
    if (second === "" || second === "–") return -1;
    const [a, b] = [Number(first), Number(second)];
    if (!Number.isNaN(a) && !Number.isNaN(b)) return a - b;
    return first.localeCompare(second, undefined, { numeric: true });
  };
  const sort = (head) => {
    const body = head.closest("table").tBodies[0];
    const down = head.getAttribute("aria-sort") === "ascending";
    const rows = [...body.rows].map((row) => [value(row, head.cellIndex), row]);
    rows.sort((a, b) => order(a[0], b[0]) * (down && a[0] !== "" && b[0] !== "" ? -1 : 1));
    body.append(...rows.map((pair) => pair[1]));
    for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
  };
  for (const head of document.querySelectorAll("main thead th")) {
    if (head.closest("table").tBodies[0].rows.length < 3 || !head.textContent.trim()) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.title = "sort";
    button.append(...head.childNodes);
    button.addEventListener("click", () => sort(head));
    head.append(button);
  }

  // -- the list of sections: which one is in view
  const links = new Map();
  for (const link of document.querySelectorAll("nav a")) {
    links.set(decodeURIComponent(link.hash.slice(1)), link);
  }
  let asked = null; // what a click led to counts until the reader scrolls on
  const mark = () => {
    const line = Math.min(window.innerHeight / 3, 260);
    let current = null;
    for (const section of document.querySelectorAll("main > section")) {
      if (section.getBoundingClientRect().top <= line) current = section.id;
    }
    current = asked ?? current ?? links.keys().next().value;
    for (const [id, link] of links) {
      if (id === current) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  };
  if (links.size) {
    addEventListener("scroll", mark, { passive: true });
    addEventListener("resize", mark, { passive: true });
    for (const [id, link] of links) {
      link.addEventListener("click", () => {
        asked = id;
        mark();
      });
    }
    for (const kind of ["wheel", "touchmove", "keydown"]) {
      addEventListener(kind, () => (asked = null), { passive: true });
    }
    mark();
  }

  // -- light or dark: as the system says, until it is chosen here
  const root = document.documentElement;
  const button = document.getElementById("theme");
  const isDark = () =>
    root.dataset.theme
      ? root.dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;
  const say = () => {
    button.textContent = isDark() ? "Light" : "Dark";
    button.setAttribute("aria-label", `Change to ${isDark() ? "light" : "dark"} colours`);
  };
  button.hidden = false;
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    say();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", say);
  say();
})();
