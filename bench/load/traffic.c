/* Who sends what when.
 *
 * A stream is one sender in one chat. A lane is busy with one of its streams at a time: in a
 * closed loop it sends its next burst when every member has the last one; with `sync` all lanes
 * wait for each other and fire together. With a rate, messages leave at even intervals (with
 * `volley`: one of every stream each time), whatever comes back, and their latency counts from
 * the moment they were due.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "load.h"

struct stream *streams;
uint32_t stream_count, senders_per_chat;
int64_t outstanding;
uint64_t messages_sent, last_progress;

static uint32_t *lane_at;        /* per lane: the stream it uses next */
static int *idle_lanes, idle_count;
static bool running, paced;
static uint64_t next_due, interval;
static int timer_fd = -1;

void traffic_init(void)
{
    uint32_t groups = (uint32_t)(opt.clients / opt.chat_size);
    bool many_chats = opt.chats >= opt.lanes;
    senders_per_chat = opt.speakers ? (uint32_t)opt.speakers : many_chats ? 1 : (uint32_t)(opt.lanes / opt.chats);
    stream_count = (uint32_t)opt.chats * senders_per_chat;
    streams = calloc(stream_count, sizeof *streams);
    lane_at = calloc((size_t)opt.lanes, sizeof *lane_at);
    idle_lanes = calloc((size_t)opt.lanes, sizeof *idle_lanes);
    for (int lane = 0; lane < opt.lanes; lane++)
        lane_at[lane] = (uint32_t)lane;
    uint32_t chats_per_user = ((uint32_t)opt.chats + groups - 1) / groups;
    for (uint32_t n = 0; n < stream_count; n++) {
        struct stream *s = &streams[n];
        uint32_t within = n % senders_per_chat, size = (uint32_t)opt.chat_size;
        s->chat = n / senders_per_chat;
        uint32_t shift = opt.speakers ? 0 : s->chat / groups;
        s->sender = s->chat % groups * size + (within * size / senders_per_chat + shift) % size;
        s->lane = n % (uint32_t)opt.lanes;
        s->stamps = calloc(STAMPS, sizeof *s->stamps);
    }
    for (int i = 0; i < opt.clients; i++) {
        conns[i].group = (uint32_t)(i / opt.chat_size);
        conns[i].next = calloc((size_t)chats_per_user * senders_per_chat, sizeof(uint32_t));
    }
    /* The slow ones sit at the end of their groups, away from the senders at the beginning. */
    for (int i = 0; i < opt.slow; i++)
        conns[opt.clients - 1 - i].slow = true;
    for (uint32_t n = 0; n < stream_count; n++)
        if (conns[streams[n].sender].slow)
            die("a sender would be slow");
}

static int receivers(const struct stream *s)
{
    static int *healthy;         /* per group: members that read */
    if (!healthy) {
        healthy = calloc((size_t)(opt.clients / opt.chat_size), sizeof *healthy);
        for (int i = 0; i < opt.clients; i++)
            healthy[conns[i].group] += !conns[i].slow;
    }
    return healthy[conns[s->sender].group] - (opt.work != WORK_MESSAGE);
}

static void send_one(struct stream *s, uint64_t stamp)
{
    static char json[16384], text[16000];
    int n;
    uint32_t number = s->sent++;
    s->stamps[number % STAMPS] = stamp;
    s->waiting += receivers(s);
    outstanding += receivers(s);
    messages_sent++;
    if (opt.work == WORK_MESSAGE) {
        memset(text, '.', (size_t)opt.text_bytes);
        n = snprintf(text, sizeof text, "%u %u %llu ", (unsigned)(s - streams), number, (unsigned long long)stamp);
        text[n] = '.';
        n = snprintf(json, sizeof json, "{\"event\":\"send_message\",\"data\":{\"chat_id\":%u,\"text\":\"%.*s\"}}",
                     s->chat + 1, opt.text_bytes, text);
    } else
        n = snprintf(json, sizeof json, "{\"event\":\"typing\",\"data\":{\"chat_id\":%u,\"is_typing\":%s}}",
                     s->chat + 1, number % 2 == 0 ? "true" : "false");
    if (!wire_send_text((int)s->sender, json, (size_t)n))
        die("the server closed a sender (code %d)", conns[s->sender].close_code);
}

static void fire(int lane)
{
    struct stream *s = &streams[lane_at[lane]];
    lane_at[lane] += (uint32_t)opt.lanes;
    if (lane_at[lane] >= stream_count)
        lane_at[lane] = (uint32_t)lane;
    uint64_t stamp = now_ns();
    wire_batch_begin();
    for (int i = 0; i < opt.burst; i++)
        send_one(s, stamp);
    wire_batch_end((int)s->sender);
}

/* Called for every delivery. Lanes go on from the loop, not from in here: a send in the middle
 * of reading would put the sending time of one chat into the latency of another. */
void traffic_delivered(struct stream *s, int to, uint64_t sent_at, uint64_t now)
{
    uint64_t took = now > sent_at ? now - sent_at : 0;
    latency_add(&everybody, took);
    if (wire_server(to) != wire_server((int)s->sender))
        latency_add(&elsewhere, took);
    last_progress = now;
    outstanding--;
    if (--s->waiting == 0 && !paced)
        idle_lanes[idle_count++] = (int)s->lane;
}

static void fire_idle_lanes(void)
{
    if (opt.sync && idle_count < opt.lanes)
        return;
    int count = idle_count;
    idle_count = 0;
    for (int i = 0; i < count; i++)
        fire(idle_lanes[i]);
}

static void on_due(void)
{
    static uint32_t turn;
    uint64_t expirations, now = now_ns();
    if (read(timer_fd, &expirations, sizeof expirations) < 0)
        return;
    for (; running && next_due <= now; next_due += interval) {
        for (uint32_t n = 0; n < (opt.volley ? stream_count : 1); n++) {
            send_one(&streams[turn], next_due);
            turn = (turn + 1) % stream_count;
        }
    }
    struct itimerspec at = {.it_value = {(time_t)(next_due / 1000000000u), (long)(next_due % 1000000000u)}};
    if (running)
        timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
}

static void pace(void)
{
    if (timer_fd < 0)
        timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    interval = (uint64_t)(1e9 / opt.rate);
    next_due = now_ns() + 1000000;
    struct itimerspec at = {.it_value = {(time_t)(next_due / 1000000000u), (long)(next_due % 1000000000u)}};
    timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
}

static bool stalled(void)
{
    return (double)(now_ns() - last_progress) > opt.stall * 1e9;
}

bool traffic_run(double seconds)
{
    uint64_t end = now_ns() + (uint64_t)(seconds * 1e9);
    running = true;
    paced = opt.rate > 0;
    last_progress = now_ns();
    idle_count = 0;
    if (paced)
        pace();
    else
        for (int lane = 0; lane < opt.lanes; lane++)
            idle_lanes[idle_count++] = lane;
    while (now_ns() < end) {
        if (!paced)
            fire_idle_lanes();
        wire_wait(20, timer_fd, on_due);
        if (outstanding > 0 && stalled())
            return false;
    }
    running = false;
    while (outstanding > 0) {
        wire_wait(20, timer_fd, on_due);
        if (stalled())
            return false;
    }
    return true;
}

/* Typing into chats whose only member is the sender: work for the server, nothing to deliver.
 * One unknown event per connection at the end; its error answer says that all was handled. */
bool traffic_incoming(double seconds)
{
    static const char marker[] = "{\"event\":\"bench_marker\",\"data\":{}}";
    if (!traffic_run(seconds))
        return false;
    for (int i = 0; i < opt.clients; i++) {
        conns[i].marks = 0;
        wire_send_text(i, marker, sizeof marker - 1);
        messages_sent++;
    }
    last_progress = now_ns();
    for (int i = 0; i < opt.clients;) {
        if (conns[i].marks > 0) {
            i++;
            continue;
        }
        wire_wait(20, timer_fd, on_due);
        if (stalled())
            return false;
    }
    return true;
}
