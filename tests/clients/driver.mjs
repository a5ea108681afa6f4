// Drives the JavaScript client for a test: one JSON object a line in, one a line out.
import { createInterface } from "node:readline";
import { createRequire } from "node:module";

const [client, modules, url, token] = process.argv.slice(2);
const { GoGate } = await import(client);
const { WebSocket } = createRequire(`${modules}/`)("ws");

// What a browser does by itself: it sends its cookies, and says which page asks.
class Browser extends WebSocket {
  constructor(url) {
    super(url, { headers: { Cookie: token }, origin: new URL(url).origin.replace("ws:", "http:") });
  }
}

const say = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);
let tokens = 0;
const hasCookie = token.includes("=");
const gate = new GoGate({
  url,
  WebSocket: hasCookie ? Browser : WebSocket,
  ...(!hasCookie && { token: async () => (tokens++, token) }),
  reload: async () => say({ reload: true }),
});
gate.addEventListener("event", ({ detail }) => say({ event: detail.name, data: detail.data }));
gate.addEventListener("state", ({ detail }) => say({ ...detail, tokens }));
gate.connect();

createInterface({ input: process.stdin })
  .on("line", (line) => {
    const { event, data, tag } = JSON.parse(line);
    gate.command(event, data).then(
      (ack) => say({ tag, ack }),
      ({ code }) => say({ tag, code }),
    );
  })
  .on("close", () => process.exit());
