// The Node peer: the `ws` library, and Node's own HTTP client with keep-alive.
//
// Store the message, fetch the members, send the same buffer to each socket.
//
//   node server.mjs PORT BACKEND_URL KEY
import http from 'node:http';
import { createRequire } from 'node:module';

// From the folder the runner installed it in, which is not above this file.
const { WebSocketServer } = createRequire(`${process.env.WS_HOME}/`)('ws');

const [port, backend, key] = process.argv.slice(2);
const agent = new http.Agent({ keepAlive: true, maxSockets: 256 });
const users = new Map(); // user id → set of sockets

function call(method, path, headers, body) {
  return new Promise((resolve, reject) => {
    const request = http.request(backend + path, { method, agent, headers }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        if (response.statusCode >= 300) reject(new Error(`backend error: status ${response.statusCode}`));
        else resolve(text);
      });
    });
    request.on('error', reject);
    request.end(body && JSON.stringify(body));
  });
}

const internal = { 'Content-Type': 'application/json', 'X-Internal-API-Key': key };

async function membersOf(chat) {
  const answer = JSON.parse(await call('GET', `/api/internal/v1/chats/${chat}/members`, internal));
  return answer.members;
}

function broadcast(members, except, json) {
  const bytes = Buffer.from(json);
  for (const { user_id: user } of members) {
    if (user === except) continue;
    for (const ws of users.get(user) ?? []) ws.send(bytes, { binary: false });
  }
}

function event(name, data) {
  return JSON.stringify({ event: name, data });
}

const handlers = {
  async auth(ws, { token }) {
    const { user } = JSON.parse(await call('POST', '/api/internal/v1/auth/validate', internal, { token }));
    Object.assign(ws, { user: user.id, name: user.name, token });
    if (!users.has(user.id)) users.set(user.id, new Set());
    users.get(user.id).add(ws);
    ws.send(event('auth_success', { user_id: user.id, name: user.name, phone: user.phone }));
  },

  async send_message(ws, { chat_id: chatId, text }) {
    const headers = { 'Content-Type': 'application/json', Authorization: `Bearer ${ws.token}` };
    const stored = await call('POST', '/api/v1/messages', headers, { chatId, text });
    const members = await membersOf(chatId);
    broadcast(members, 0, event('new_message', JSON.parse(stored)));
  },

  async typing(ws, { chat_id, is_typing }) {
    const members = await membersOf(chat_id);
    broadcast(members, ws.user, event('user_typing', { chat_id, user_id: ws.user, name: ws.name, is_typing }));
  },
};

async function handle(ws, bytes) {
  try {
    const { event: name, data } = JSON.parse(bytes);
    if (!Object.hasOwn(handlers, name)) throw new Error('Unknown event type');
    if (name !== 'auth' && !ws.user) throw new Error('Authentication required');
    await handlers[name](ws, data);
  } catch (error) {
    ws.send(event('error', { message: error.message }));
  }
}

const server = http.createServer((request, response) => response.end('{"status":"ok","service":"node-peer"}'));
const wss = new WebSocketServer({ server, path: '/ws', perMessageDeflate: false, maxPayload: 512000 });
wss.on('connection', (ws) => {
  // One command of a connection after the other, as the other peers do.
  let last = Promise.resolve();
  ws.on('message', (bytes) => {
    last = last.then(() => handle(ws, bytes));
  });
  ws.on('error', () => {});
  ws.on('close', () => users.get(ws.user)?.delete(ws));
});
server.listen({ port: Number(port), host: '127.0.0.1', backlog: 4096 });
