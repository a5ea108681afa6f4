// Tables: columns are [heading, class, how a cell is read].

const CONNECTION = [
  ["#", "number", (one) => one.number],
  ["user", "number", (one) => one.user_id ?? "–"],
  ["name", "text", (one) => one.name ?? ""],
  ["from", "text", (one) => one.address],
];

const COLUMNS = {
  slowest: [
    ...CONNECTION,
    ["frames", "number", (one) => whole.format(one.waiting_frames)],
    ["waiting", "number", (one) => bytesText(one.waiting_bytes)],
    ["since", "number", (one, overview) => agoText(one.since, overview)],
  ],
  newest: [
    ...CONNECTION,
    ["state", "", (one) => one.state],
    ["resumes", "", (one) => (one.resumes ? "yes" : "")],
    ["since", "number", (one, overview) => agoText(one.since, overview)],
  ],
  ends: [
    ["#", "number", (one) => one.number],
    ["user", "number", (one) => one.user_id ?? "–"],
    ["name", "text", (one) => one.name ?? ""],
    ["code", "number", (one) => one.code || "–"],
    ["reason", "text", (one) => one.reason],
    ["ago", "number", (one, overview) => agoText(one.at, overview)],
  ],
  nodes: [
    ["name", "text", (one) => (one.here ? `${one.name} (this one)` : one.name)],
    ["version", "", (one) => one.version],
    ["state", "", (one) => one.state],
    ["connections", "number", (one) => whole.format(one.connections)],
    ["users", "number", (one) => whole.format(one.users)],
    ["up", "number", (one, overview) => agoText(one.started, overview)],
  ],
};

const NOBODY = {
  slowest: "Nobody is behind.",
  newest: "Nobody is here.",
  ends: "No connection has ended yet.",
  nodes: "",
};

function fillTable(name, rows, overview) {
  const table = document.getElementById(name);
  const columns = COLUMNS[name];
  const body = document.createElement("tbody");
  for (const one of rows) {
    const row = element("tr");
    for (const [, className, read] of columns) row.append(element("td", className, String(read(one, overview))));
    body.append(row);
  }
  if (!rows.length) {
    const cell = element("td", "empty", NOBODY[name]);
    cell.colSpan = columns.length;
    const row = element("tr");
    row.append(cell);
    body.append(row);
    table.replaceChildren(body);
    return;
  }
  const head = document.createElement("thead");
  const headings = element("tr");
  for (const [heading, className] of columns) headings.append(element("th", className === "number" ? className : "", heading));
  head.append(headings);
  table.replaceChildren(head, body);
}
