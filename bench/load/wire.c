/* Sockets, handshake, frames in and out.
 *
 * Reading goes through one large buffer that all connections share; only the beginning of an
 * unfinished frame is kept per connection. What a server must not send (masked, fragmented or
 * binary frames) is counted as unexpected: no peer here has a reason to.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"

#define READ_BYTES (512 * 1024)
#define PER_ADDRESS 2000         /* connections from one 127.0.0.x: below per-address and port limits */
#define TIMER_ID UINT32_MAX

struct conn *conns;
int ready, closed_by_server;

static int epoll_fd;
static uint8_t shared[READ_BYTES];
static uint8_t out[1 << 20];
static size_t out_length;
static bool batching;

/* One key for all: its accept value is known without a SHA-1 of our own. */
static const char KEY[] = "dGhlIHNhbXBsZSBub25jZQ==";
static const char ACCEPT[] = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
/* Not zero: some servers skip the unmasking of a zero mask. */
static const uint8_t MASK[4] = {0x37, 0xfa, 0x21, 0x3d};

void wire_init(void)
{
    epoll_fd = epoll_create1(0);
    conns = calloc((size_t)opt.clients, sizeof *conns);
    if (epoll_fd < 0 || !conns)
        die("no epoll or memory");
}

static void watch(int index, uint32_t events, int operation)
{
    struct epoll_event e = {.events = events, .data.u32 = (uint32_t)index};
    if (epoll_ctl(epoll_fd, operation, conns[index].fd, &e) != 0)
        die("epoll_ctl: %s", strerror(errno));
}

int wire_server(int index)
{
    return (opt.spread ? index : (int)conns[index].group) % opt.servers;
}

void wire_open(int index)
{
    struct conn *c = &conns[index];
    int one = 1, small = 4096;
    struct sockaddr_in from = {.sin_family = AF_INET}, to = {.sin_family = AF_INET};
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (c->fd < 0)
        die("socket: %s", strerror(errno));
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    if (c->slow)
        setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + (uint32_t)(index / PER_ADDRESS));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons((uint16_t)opt.ports[wire_server(index)]);
    if (bind(c->fd, (struct sockaddr *)&from, sizeof from) != 0)
        die("bind: %s", strerror(errno));
    if (connect(c->fd, (struct sockaddr *)&to, sizeof to) != 0 && errno != EINPROGRESS)
        die("connect: %s", strerror(errno));
    c->phase = P_CONNECTING;
    watch(index, EPOLLOUT, EPOLL_CTL_ADD);
}

/* The traffic is far below what a socket buffer holds; a full one means the server does not read. */
static bool write_all(int index, const uint8_t *bytes, size_t length)
{
    struct conn *c = &conns[index];
    while (length > 0) {
        ssize_t n = send(c->fd, bytes, length, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) {
            struct pollfd p = {c->fd, POLLOUT, 0};
            if (poll(&p, 1, 2000) == 1)
                continue;
            die("the server does not read");
        }
        if (n < 0)
            return false;
        bytes += n;
        length -= (size_t)n;
    }
    return true;
}

static void frame(uint8_t opcode, const void *payload, size_t length)
{
    const uint8_t *bytes = payload;
    uint8_t *o = out + out_length;
    if (out_length + length + 14 > sizeof out)
        die("a batch does not fit its buffer");
    *o++ = 0x80 | opcode;
    if (length < 126)
        *o++ = 0x80 | (uint8_t)length;
    else {
        *o++ = 0x80 | 126;
        *o++ = (uint8_t)(length >> 8);
        *o++ = (uint8_t)length;
    }
    memcpy(o, MASK, 4);
    o += 4;
    for (size_t i = 0; i < length; i++)
        o[i] = bytes[i] ^ MASK[i & 3];
    out_length = (size_t)(o - out) + length;
}

void wire_batch_begin(void)
{
    batching = true;
}

void wire_batch_end(int index)
{
    batching = false;
    write_all(index, out, out_length);
    out_length = 0;
}

bool wire_send_text(int index, const char *json, size_t length)
{
    frame(1, json, length);
    if (batching)
        return true;
    bool sent = write_all(index, out, out_length);
    out_length = 0;
    return sent;
}

static void closed(int index)
{
    struct conn *c = &conns[index];
    if (c->phase != P_READY)
        die("the server closed connection %d before it was authenticated (code %d)", index, c->close_code);
    close(c->fd);
    c->phase = P_CLOSED;
    closed_by_server++;
}

static void text(int index, const uint8_t *payload, size_t length)
{
    struct conn *c = &conns[index];
    if (c->phase == P_READY) {
        check_text(index, payload, length);
        return;
    }
    struct said said;
    if (!json_read(payload, length, &said) || said.event_length != 12 || memcmp(said.event, "auth_success", 12) != 0)
        die("connection %d: no auth_success but %.*s", index, (int)(length < 200 ? length : 200), payload);
    c->phase = P_READY;
    ready++;
    last_progress = now_ns();
    if (c->slow)
        watch(index, 0, EPOLL_CTL_MOD);
}

/* Takes whole frames; returns how many bytes it took. */
static size_t frames(int index, const uint8_t *bytes, size_t length)
{
    struct conn *c = &conns[index];
    size_t at = 0;
    while (length - at >= 2 && c->phase != P_CLOSED) {
        const uint8_t *f = bytes + at;
        size_t head = 2, size = f[1] & 0x7f;
        if (size >= 126) {
            head = size == 126 ? 4 : 10;
            if (length - at < head)
                break;
            uint64_t wide = 0;
            for (size_t i = 2; i < head; i++)
                wide = wide << 8 | f[i];
            size = (size_t)wide;
        }
        if (length - at < head + size)
            break;
        at += head + size;
        if (f[0] == 0x81 && !(f[1] & 0x80))
            text(index, f + head, size);
        else if (f[0] == 0x89) {
            frame(10, f + head, size);
            write_all(index, out, out_length);
            out_length = 0;
        } else if (f[0] == 0x88) {
            if (size >= 2)
                c->close_code = f[head] << 8 | f[head + 1];
        } else if (f[0] != 0x8a)
            check_note("a frame no server may send", f, head + size);
    }
    return at;
}

static void keep(struct conn *c, const uint8_t *bytes, size_t length)
{
    if (length > c->hold_room) {
        c->hold_room = (uint32_t)length + 1024;
        c->hold = realloc(c->hold, c->hold_room);
        if (!c->hold)
            die("no memory");
    }
    if (length > 0)
        memcpy(c->hold, bytes, length);
    c->held = (uint32_t)length;
}

static size_t head_end(const uint8_t *bytes, size_t length)
{
    const uint8_t *found = memmem(bytes, length, "\r\n\r\n", 4);
    return found ? (size_t)(found - bytes) + 4 : 0;
}

static size_t upgraded(int index, const uint8_t *bytes, size_t length)
{
    char json[80];
    size_t head = head_end(bytes, length);
    if (head == 0)
        return 0;
    if (length < 12 || memcmp(bytes, "HTTP/1.1 101", 12) != 0 || !memmem(bytes, head, ACCEPT, sizeof ACCEPT - 1))
        die("connection %d: no upgrade but %.*s", index, (int)(head < 300 ? head : 300), bytes);
    conns[index].phase = P_AUTH;
    int n = snprintf(json, sizeof json, "{\"event\":\"auth\",\"data\":{\"token\":\"user-%d\"}}", index + 1);
    wire_send_text(index, json, (size_t)n);
    return head;
}

/* One recv and what it holds. False: nothing there, or the connection is over. */
static bool readable(int index)
{
    struct conn *c = &conns[index];
    if (c->held > 0)
        memcpy(shared, c->hold, c->held);
    ssize_t n = recv(c->fd, shared + c->held, sizeof shared - c->held, 0);
    if (n < 0 && errno == EAGAIN)
        return false;
    if (n <= 0) {
        closed(index);
        return false;
    }
    tally.bytes += (uint64_t)n;
    size_t length = c->held + (size_t)n, at = 0;
    if (c->phase == P_HANDSHAKE)
        at = upgraded(index, shared, length);
    if (c->phase != P_HANDSHAKE)
        at += frames(index, shared + at, length - at);
    keep(c, shared + at, length - at);
    return true;
}

void wire_event(int index, uint32_t events)
{
    struct conn *c = &conns[index];
    char head[256];
    if (c->phase == P_CLOSED)
        return;
    if (c->phase != P_CONNECTING) {
        if (c->slow && c->phase == P_READY)
            epoll_ctl(epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);    /* hung up on; looked at in the end */
        else
            readable(index);
        return;
    }
    if (events & (EPOLLERR | EPOLLHUP))
        die("connection %d was refused", index);
    int n = snprintf(head, sizeof head,
                     "GET /ws HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     "Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n\r\n",
                     opt.ports[wire_server(index)], KEY);
    c->phase = P_HANDSHAKE;
    watch(index, EPOLLIN, EPOLL_CTL_MOD);
    if (!write_all(index, (uint8_t *)head, (size_t)n))
        die("connection %d was reset", index);
}

void wire_drain_slow(int index)
{
    while (conns[index].phase == P_READY && readable(index))
        continue;
}

void wire_wait(int timeout_ms, int timer_fd, void (*on_timer)(void))
{
    static int watched_timer = -1;
    struct epoll_event events[512];
    if (timer_fd >= 0 && timer_fd != watched_timer) {
        struct epoll_event e = {.events = EPOLLIN, .data.u32 = TIMER_ID};
        if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, timer_fd, &e) != 0)
            die("epoll_ctl: %s", strerror(errno));
        watched_timer = timer_fd;
    }
    int n = epoll_wait(epoll_fd, events, 512, timeout_ms);
    for (int i = 0; i < n; i++) {
        if (events[i].data.u32 == TIMER_ID)
            on_timer();
        else
            wire_event((int)events[i].data.u32, events[i].events);
    }
}
