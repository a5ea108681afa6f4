// Times, sizes and names in words.

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const weekday = new Intl.DateTimeFormat("en-GB", { weekday: "short" });
const longDay = new Intl.DateTimeFormat("en-GB", { weekday: "long", day: "numeric", month: "long" });
const shortDay = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const full = new Intl.DateTimeFormat("en-GB", { dateStyle: "full", timeStyle: "short" });
const count = new Intl.NumberFormat("en-GB");

const DAY = 24 * 60 * 60 * 1000;

const midnight = (date) => new Date(date.getFullYear(), date.getMonth(), date.getDate());
const daysAgo = (date) => Math.round((midnight(new Date()) - midnight(date)) / DAY);

export const time = (date) => clock.format(date);
export const dateAndTime = (date) => full.format(date);
export const number = (value) => count.format(value);
export const sameDay = (one, other) => midnight(one).getTime() === midnight(other).getTime();

/** The heading above a day's messages. */
export function day(date) {
  const ago = daysAgo(date);
  if (ago === 0) return "Today";
  if (ago === 1) return "Yesterday";
  return longDay.format(date);
}

/** When something happened, in as few letters as a list has room for. */
export function brief(date) {
  const ago = daysAgo(date);
  if (ago === 0) return time(date);
  if (ago === 1) return "Yesterday";
  return ago < 7 ? weekday.format(date) : shortDay.format(date);
}

export function size(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  if (bytes < 1024 * 1024) return `${Math.round(bytes / 1024)} KB`;
  return `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}

export const plural = (value, one, many) => `${number(value)} ${value === 1 ? one : many}`;

export const firstName = (name) => name.split(" ")[0];

/** "Jane is typing…", whoever and however many they are. */
export function typing(names) {
  const [one, two] = names.map(firstName);
  if (names.length === 0) return "";
  if (names.length === 1) return `${one} is typing…`;
  if (names.length === 2) return `${one} and ${two} are typing…`;
  return `${one}, ${two} and ${plural(names.length - 2, "other", "others")} are typing…`;
}

/** "Jane, Kenji and 3 others". */
export function people(names, most = 8) {
  if (names.length <= 1) return names.join("");
  if (names.length <= most) return `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
  return `${names.slice(0, most).join(", ")} and ${plural(names.length - most, "other", "others")}`;
}
