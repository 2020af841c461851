"use strict";
// Everything is put in as text, never as HTML: rows and labels come from outside.
const at = (id) => document.getElementById(id);
let token = sessionStorage.getItem("headrace-token") || "";

async function ask(path, body) {
  const headers = { Accept: "application/json" };
  if (token) headers.Authorization = `Bearer ${token}`;
  const given = { headers };
  if (body !== undefined) {
    headers["Content-Type"] = "application/json";
    Object.assign(given, { method: "POST", body: JSON.stringify(body) });
  }
  const answer = await fetch(path, given);
  const says = await answer.json().catch(() => ({ error: answer.statusText }));
  if (!answer.ok) throw Object.assign(new Error(says.error), { status: answer.status });
  return says;
}

function element(name, content, type) {
  const made = document.createElement(name);
  if (type) made.className = type;
  for (const one of [].concat(content ?? [])) made.append(one instanceof Node ? one : String(one));
  return made;
}

function drawn(name, settings) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(settings)) made.setAttribute(key, value);
  return made;
}

const short = (text) => (String(text).length > 60 ? String(text).slice(0, 59) + "…" : String(text));
const value_of = (value) => (typeof value === "number" ? Number(value.toPrecision(5)) : short(value ?? "–"));
const time = (seconds) => new Date(seconds * 1000).toLocaleTimeString();
const milliseconds = (s) => (s === null ? "–" : s < 0.01 ? `${(s * 1000).toFixed(2)} ms` : `${Math.round(s * 1000)} ms`);

function traffic(counts) {
  const most = Math.max(1, ...counts);
  const points = counts.map((n, i) => `${(i * 600) / (counts.length - 1)},${115 - (n * 105) / most}`);
  at("traffic").replaceChildren(
    drawn("polygon", { points: `0,115 ${points.join(" ")} 600,115`, class: "area" }),
    drawn("polyline", { points: points.join(" "), class: "line" }));
  at("most").textContent = `at most ${Math.max(...counts)} requests in a second`;
}

function facts(says) {
  const taken = says.traffic.seconds;
  const shown = {
    "requests, 5 min": says.traffic.counts.reduce((a, b) => a + b, 0),
    "half within": milliseconds(taken.p50),
    "99 % within": milliseconds(taken.p99),
    "under way": says.under_way,
    ...(says.ledger ? { "in the ledger": says.ledger.written, "labels": says.ledger.labels } : {}),
  };
  at("facts").replaceChildren(...Object.entries(shown).map(([name, value]) =>
    element("div", [element("dt", name), element("dd", value)])));
}

function shares(found) {
  const all = Object.values(found).reduce((a, b) => a + b, 0);
  at("none").hidden = all > 0;
  at("shares").replaceChildren(...Object.entries(found).map(([name, count]) => {
    const meter = element("meter");
    meter.max = all;
    meter.value = count;
    meter.title = `${((100 * count) / all).toFixed(1)} %`;
    return element("tr", [element("td", short(name)), element("td", count, "number"), element("td", meter)]);
  }));
}

function who(says) {
  const lines = Object.entries(says.answering).map(([part, version]) => [part, version]);
  for (const [name, value] of Object.entries(says.adjustments)) {
    if (value !== null && value !== false && value !== 0) lines.push([name, JSON.stringify(value)]);
  }
  if (says.failure) lines.push(["could not be made", says.failure]);
  at("who").replaceChildren(...lines.map(([name, value]) => element("tr", [element("th", name), element("td", short(value))])));
  const chosen = at("version").value;
  at("version").replaceChildren(...says.releases.map((version) => element("option", version)));
  if (says.releases.includes(chosen)) at("version").value = chosen;
  for (const id of ["version", "promote", "rollback"]) at(id).hidden = says.releases.length === 0;
  at("kill").textContent = says.adjustments.killed ? "Switch on" : "Switch off";
  at("kill").dataset.killed = says.adjustments.killed;
}

function recent(rows) {
  at("recent").replaceChildren(...rows.map((one) => {
    const why = element("button", "why", "plain");
    why.addEventListener("click", () => explain(one));
    const sure = one.probability === null ? "" : one.probability.toFixed(3);
    const answer = typeof one.prediction === "object" ? JSON.stringify(one.prediction) : one.prediction;
    return element("tr", [element("td", time(one.time)), element("td", one.id), element("td", short(answer)),
      element("td", sure, "number"), element("td", one.version), element("td", why)]);
  }));
}

async function explain(one) {
  const place = at("why");
  place.hidden = false;
  try {
    const says = await ask("admin/explain", { rows: [one.row] });
    const found = says.explanations[0];
    const parts = Object.entries(found.contributions).slice(0, 10);
    const most = Math.max(...parts.map(([, value]) => Math.abs(value)), 1e-12);
    place.replaceChildren(
      element("h3", `${one.id}: ${short(found.of)} ${found.answer.toFixed(4)}, an ordinary row ${found.base.toFixed(4)}`),
      ...parts.map(([name, value]) => {
        const bar = drawn("svg", { viewBox: "-100 0 200 10", preserveAspectRatio: "none" });
        const width = (100 * Math.abs(value)) / most;
        bar.append(drawn("rect", { x: value < 0 ? -width : 0, y: 0, width, height: 10, class: value < 0 ? "down" : "up" }));
        return element("div", [element("span", `${short(name)} = ${value_of(one.row[name])}`), bar, element("span", value.toFixed(4), "number")], "bar");
      }));
  } catch (error) {
    place.replaceChildren(element("p", error.message, "note"));
  }
  place.scrollIntoView({ block: "nearest" });
}

function columns(report) {
  at("columns").hidden = !report;
  if (!report) return;
  at("drifted").textContent = `${report.rows} rows at ${time(report.time)}: ${report.sentence}`;
  const found = Object.entries(report.columns).sort((a, b) => b[1].alarm - a[1].alarm || b[1].drift - a[1].drift);
  at("drift").replaceChildren(...found.slice(0, 15).map(([name, one]) => element("tr", [
    element("td", short(name)), element("td", `${(100 * one.missing).toFixed(1)} %`, "number"),
    element("td", one.drift.toFixed(3), "number"), element("td", one.alarm ? one.words : "", "alarm")])));
}

function changes(found) {
  at("changes").replaceChildren(...found.map((one) => element("tr", [
    element("td", typeof one.time === "number" ? time(one.time) : new Date(one.time).toLocaleString()),
    element("td", one.who), element("td", short(JSON.stringify(one.changed))), element("td", short(one.why))])));
}

async function look() {
  try {
    const says = await ask("admin/dashboard");
    at("door").hidden = true;
    at("all").hidden = false;
    at("title").textContent = says.title;
    document.title = says.title;
    at("state").textContent = `${says.answering.champion} answers since ${new Date(says.started * 1000).toLocaleString()}`;
    facts(says); traffic(says.traffic.counts); shares(says.shares); who(says); recent(says.recent); columns(says.monitor); changes(says.changes);
  } catch (error) {
    at("state").textContent = error.status ? error.message : "the server does not answer";
    if (error.status === 401 || error.status === 403) {
      at("door").hidden = false;
      at("all").hidden = true;
    }
  }
}

async function act(path, body) {
  const why = prompt("Why? The history keeps the reason.");
  if (!why || !why.trim()) return;
  try {
    await ask(path, { ...body, why });
    at("done").textContent = "done";
  } catch (error) {
    at("done").textContent = error.message;
  }
  look();
}

at("door").addEventListener("submit", (event) => {
  event.preventDefault();
  token = at("secret").value.trim();
  sessionStorage.setItem("headrace-token", token);
  look();
});
at("promote").addEventListener("click", () => act("admin/promote", { version: at("version").value }));
at("rollback").addEventListener("click", () => act("admin/rollback", {}));
at("kill").addEventListener("click", () => act("admin/adjust", { changes: { killed: at("kill").dataset.killed !== "true" } }));
look();
setInterval(() => document.hidden || look(), 2000);
