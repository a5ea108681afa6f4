// The page: asks for the key, then for an overview every second, and shows it.

const OVERVIEW = "/api/internal/v1/overview";
const PERIOD = 1000; // milliseconds
const HIDDEN_PERIOD = 5000; // milliseconds, while nobody looks
const PATIENCE = 5000; // milliseconds for one answer
const KEY = "gogate-internal-key";

const byId = (id) => document.getElementById(id);
const past = new Past();
let timer = 0;
let turns = 0;

const CARDS = {
  connections: new Card("Connections", "card-connections"),
  deliveries: new Card("Deliveries", "card-deliveries"),
  messages: new Card("Messages from clients", "card-messages"),
  delivery: new Card("Message to delivery, p95", "card-delivery"),
  backend: new Card("Backend", "card-backend"),
  redis: new Card("Redis", "card-redis"),
  behind: new Card("Waiting for clients", "card-behind"),
  coming: new Card("Coming and going", "card-coming"),
  errors: new Card("Errors told", "card-errors"),
  lag: new Card("Event loop lag, p99", "card-lag"),
  process: new Card("CPU", "card-process"),
};
byId("cards").append(...Object.values(CARDS).map((card) => card.root));

function show(overview) {
  const { node, connections, waiting, backend, totals } = overview;
  document.title = `${node.name} · GoGate`;
  document.querySelector("[data-testid=node-name]").textContent = node.name;
  byId("version").textContent = `GoGate ${node.version}`;
  byId("uptime").textContent = agoText(node.started, overview);
  byId("parts").replaceChildren(...Object.entries(overview.parts).map(([name, part]) => {
    const pill = element("li", `pill ${part.ready ? "good" : "bad"}`, `${name}: ${part.state}`);
    pill.dataset.testid = `part-${name}`;
    return pill;
  }));
  const here = (one) => one.connections.authenticated + one.connections.unauthenticated + one.connections.leaving;
  const last = (values) => values[values.length - 1];
  const rates = (...names) => past.rates((one) => names.reduce((sum, name) => sum + one.totals[name], 0));
  const p = (name, share) => secondsText(past.percentile(name, share));

  CARDS.connections.show({
    value: whole.format(here(overview)),
    unit: `of ${whole.format(connections.most)}`,
    note: `${whole.format(connections.users)} users, ${whole.format(connections.unauthenticated)} without one`,
    values: past.values(here),
    isBad: here(overview) >= connections.most,
  });
  const deliveries = rates("deliveries");
  CARDS.deliveries.show({
    value: rateText(last(deliveries)), unit: "a second", values: deliveries,
    note: `${rateText(last(rates("publications")))} publications a second`,
  });
  const messages = rates("messages");
  CARDS.messages.show({
    value: rateText(last(messages)), unit: "a second", values: messages,
    note: `${rateText(last(rates("commands")))} commands a second`,
  });
  CARDS.delivery.show({
    value: p("delivery", 0.95), values: past.percentiles("delivery", 0.95),
    note: `p50 ${p("delivery", 0.5)}, p99 ${p("delivery", 0.99)}`,
  });
  const calls = rates("backend_calls");
  const failures = last(rates("backend_failures"));
  const isAway = overview.parts.backend && !overview.parts.backend.ready;
  CARDS.backend.show({
    value: rateText(last(calls)), unit: "calls a second", values: calls, isBad: isAway || failures > 0,
    note: `p95 ${p("backend", 0.95)}, ${backend.waiting} waiting, ${rateText(failures)} failed/s`,
  });
  const { redis } = overview;
  CARDS.redis.root.hidden = !redis;
  if (redis) {
    CARDS.redis.show({
      value: whole.format(redis.behind), unit: "publications behind", values: past.values((one) => one.redis?.behind ?? 0),
      note: `${redis.state}, all was read ${secondsText(redis.behind_seconds)} ago, backlog ${whole.format(redis.backlog)}`,
      isBad: redis.state !== "attached",
    });
  }
  CARDS.behind.show({
    value: bytesText(waiting.bytes), values: past.values((one) => one.waiting.bytes),
    note: `behind: ${whole.format(waiting.connections)}, events not told: ${whole.format(waiting.publications + waiting.late)}`,
    isBad: waiting.late > 0,
  });
  const coming = rates("accepted");
  CARDS.coming.show({
    value: rateText(last(coming)), unit: "a second", values: coming,
    note: `${rateText(last(rates("closed")))} ended, ${rateText(last(rates("turned_away")))} turned away`,
  });
  const errors = rates("errors");
  CARDS.errors.show({
    value: rateText(last(errors)), unit: "a second", values: errors, isBad: totals.bugs > 0,
    note: `${whole.format(totals.shed)} shed, ${whole.format(totals.bugs)} bugs since the start`,
  });
  CARDS.lag.show({ value: p("loop_lag", 0.99), values: past.percentiles("loop_lag", 0.99), note: `p50 ${p("loop_lag", 0.5)}` });
  const cpu = past.rates((one) => one.process.cpu_seconds * 100);
  CARDS.process.show({
    value: last(cpu) === undefined ? "–" : `${whole.format(last(cpu))} %`, unit: "of a core", values: cpu,
    note: `${bytesText(overview.process.memory_bytes)} of memory`,
  });
  byId("behind").textContent = waiting.connections ? whole.format(waiting.connections) : "";
  for (const name of ["slowest", "newest", "ends", "nodes"]) fillTable(name, overview[name], overview);
}

// ── asking ───────────────────────────────────────────────────────────────────

async function ask() {
  clearTimeout(timer);
  // Who asks last goes on; whoever asked before is late and says nothing more.
  const turn = (turns += 1);
  const key = sessionStorage.getItem(KEY);
  if (!key) {
    openDoor("");
    return;
  }
  try {
    const answer = await fetch(OVERVIEW, {
      headers: { "X-Internal-API-Key": key }, cache: "no-store", credentials: "omit",
      signal: AbortSignal.timeout(PATIENCE),
    });
    const overview = answer.ok ? await answer.json() : null;
    if (turn !== turns) return;
    if (answer.status === 401) {
      openDoor("This key is not taken.");
      return;
    }
    if (!overview) throw new Error(String(answer.status));
    past.add(overview);
    byId("door").hidden = true;
    byId("house").hidden = false;
    show(overview);
    say("live", "live");
  } catch {
    if (turn !== turns) return;
    say("away", "The node does not answer.");
  }
  timer = setTimeout(ask, document.hidden ? HIDDEN_PERIOD : PERIOD);
}

function say(state, text) {
  const pulse = byId("pulse");
  pulse.dataset.state = state;
  if (pulse.textContent !== text) pulse.textContent = text;
  if (byId("house").hidden) complain(text);
}

function openDoor(reason) {
  clearTimeout(timer);
  turns += 1;
  sessionStorage.removeItem(KEY);
  past.all = [];
  byId("house").hidden = true;
  byId("door").hidden = false;
  complain(reason);
  byId("key").focus();
}

function complain(reason) {
  byId("key-error").textContent = reason;
  byId("key-error").hidden = !reason;
}

byId("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const field = byId("key");
  const key = field.value.trim();
  field.value = "";
  if (/^[!-~]+$/.test(key)) {
    sessionStorage.setItem(KEY, key);
    ask();
  } else complain("A key is visible ASCII without blanks.");
});
byId("leave").addEventListener("click", () => openDoor(""));
document.addEventListener("visibilitychange", () => { if (!document.hidden && sessionStorage.getItem(KEY)) ask(); });

if (sessionStorage.getItem(KEY)) ask();
else openDoor("");
