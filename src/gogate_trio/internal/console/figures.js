// What follows from overviews: rates and percentiles over the last seconds. No page in here.

const KEPT = 120; // overviews: two minutes
const WINDOW = 30; // seconds over which latencies are looked at; a second alone has too few

/** The last overviews, of one life of one process. */
class Past {
  constructor() { this.all = []; }

  add(overview) {
    const last = this.all[this.all.length - 1];
    // Another life of the process, or another node behind the same address: begin anew.
    if (last && (last.node.id !== overview.node.id || last.node.started !== overview.node.started
      || last.at > overview.at)) this.all = [];
    this.all.push(overview);
    if (this.all.length > KEPT) this.all.shift();
  }

  get now() { return this.all[this.all.length - 1]; }

  /** What a total grew by in a second, between each two overviews. */
  rates(read) {
    return this.all.slice(1).map((next, index) => {
      const before = this.all[index];
      return Math.max(0, (read(next) - read(before)) / Math.max(0.001, next.at - before.at));
    });
  }

  values(read) { return this.all.map(read); }

  /** The percentile of a histogram's values in the last seconds; null when there were none. */
  percentile(name, share, end = this.all.length - 1) {
    const now = this.all[end];
    let begin = end;
    while (begin > 0 && now.at - this.all[begin - 1].at <= WINDOW) begin -= 1;
    const { bounds, counts } = now.latencies[name];
    const before = begin === end ? null : this.all[begin].latencies[name].counts;
    return percentileOf(bounds, counts.map((count, index) => count - (before ? before[index] : 0)), share);
  }

  percentiles(name, share) {
    return this.all.map((_, index) => this.percentile(name, share, index) ?? 0);
  }
}

/** Where a share of the values lies, straight within its bucket; null without values. */
function percentileOf(bounds, counts, share) {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total <= 0) return null;
  let rank = share * total;
  for (let index = 0; index < bounds.length; index += 1) {
    if (rank <= counts[index]) {
      const low = index ? bounds[index - 1] : 0;
      return low + (bounds[index] - low) * (counts[index] ? rank / counts[index] : 0);
    }
    rank -= counts[index];
  }
  return bounds[bounds.length - 1];
}

// ── as text ──────────────────────────────────────────────────────────────────

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

function rateText(value) {
  return value === undefined ? "–" : value < 10 && value > 0 ? value.toFixed(1) : whole.format(value);
}

function secondsText(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 0.001) return `${whole.format(seconds * 1e6)} µs`;
  if (seconds < 0.1) return `${(seconds * 1e3).toFixed(1)} ms`;
  if (seconds < 1) return `${whole.format(seconds * 1e3)} ms`;
  return `${seconds.toFixed(1)} s`;
}

function bytesText(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  if (bytes < 1024 ** 2) return `${(bytes / 1024).toFixed(0)} KiB`;
  return `${(bytes / 1024 ** 2).toFixed(bytes < 10 * 1024 ** 2 ? 1 : 0)} MiB`;
}

function ageText(seconds) {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

/** How long ago a time of the node was, by the node's own idea of now. */
function agoText(time, overview) {
  return ageText((Date.parse(overview.time) - Date.parse(time)) / 1000);
}
