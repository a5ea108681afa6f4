/* What the rooms of the load generator share.
 *
 * One thread, one epoll: N WebSocket connections to a gateway that speaks the public
 * contract, traffic through them, and a check of every byte that comes back.
 *
 *   main.c     options, the phases of a run, the JSON result
 *   wire.c     sockets, handshake, frames in and out
 *   json.c     is this exactly one JSON document, and what does it say
 *   check.c    is this event the one that had to come next
 *   traffic.c  who sends what when
 *   meter.c    CPU and memory of the measured process, the latency histogram
 *
 * Users are numbered 1..N; connection i (from 0) is user i+1. Users sit in groups of
 * `chat_size` neighbours; chat c (from 0) consists of group c % groups. The fake backend
 * follows the same rule, so both sides know the members of every chat.
 */
#ifndef LOAD_H
#define LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAX_SERVERS 8

enum work { WORK_MESSAGE, WORK_TYPING, WORK_STORM, WORK_IDLE, WORK_INCOMING };

struct options {
    enum work work;
    int servers;                 /* gateways; connections of group g go to server g % servers */
    bool spread;                 /* connection i goes to server i % servers: a part of each chat on each */
    int ports[MAX_SERVERS];
    int pids[MAX_SERVERS];
    int backend_pid, redis_pid;  /* 0: none */
    int clients, chats, chat_size;
    int lanes;                   /* message streams that are busy at the same time */
    int burst;                   /* messages of one lane that leave together */
    int speakers;                /* of each group, who take turns in all its chats; 0: another one in each chat */
    bool sync;                   /* all lanes fire together when everything has arrived */
    double rate;                 /* messages a second, evenly spaced; 0: closed loop */
    bool volley;                 /* at a rate: all streams send one message at each moment */
    double warmup, seconds, settle, stall;
    bool every_chat;             /* the warm-up lasts until each stream has been used once */
    int slow;                    /* members that never read */
    int window;                  /* connections being opened at the same time */
    int text_bytes;
};
extern struct options opt;

/* ── connections ───────────────────────────────────────────────────────────── */

enum phase { P_CONNECTING, P_HANDSHAKE, P_AUTH, P_READY, P_CLOSED };

struct conn {
    int fd;
    enum phase phase;
    bool slow;
    int close_code;              /* from the server's close frame; 0: none seen */
    uint32_t group;
    uint32_t held;               /* bytes of an unfinished frame kept in `hold` */
    uint32_t hold_room;
    uint8_t *hold;
    uint32_t *next;              /* per stream of this user's chats: the number that must come next */
    uint32_t marks;              /* `incoming`: error answers seen */
};
extern struct conn *conns;
extern int ready;                /* connections in P_READY so far */
extern int closed_by_server;

void wire_init(void);
int wire_server(int index);                             /* which of the servers has this connection */
void wire_open(int index);                              /* start to connect */
void wire_event(int index, uint32_t events);            /* epoll said so */
bool wire_send_text(int index, const char *json, size_t length);
void wire_batch_begin(void);                            /* frames until wire_batch_end leave in one write */
void wire_batch_end(int index);
void wire_drain_slow(int index);                        /* read a slow consumer to its end, for its close code */
void wire_wait(int timeout_ms, int timer_fd, void (*on_timer)(void));

/* ── one JSON document ─────────────────────────────────────────────────────── */

struct said {
    const char *event, *text;    /* inside the frame; text still has its JSON escapes */
    uint32_t event_length, text_length;
    long chat_id, user_id;
    int is_typing;               /* -1: not said */
};
bool json_read(const uint8_t *bytes, size_t length, struct said *said);

/* ── checks ────────────────────────────────────────────────────────────────── */

struct tally {
    uint64_t deliveries, lost, again_or_late, misdirected, invalid_json, unexpected, errors;
    uint64_t bytes;
    char first_problem[200];
};
extern struct tally tally;

void check_text(int index, const uint8_t *payload, size_t length);
void check_note(const char *what, const uint8_t *payload, size_t length);
void check_final(void);          /* counts what never came */

/* ── traffic ───────────────────────────────────────────────────────────────── */

#define STAMPS 256               /* sends of one stream whose time is remembered (typing has no text) */

struct stream {                  /* one sender in one chat */
    uint32_t chat, sender;       /* sender: index of its connection */
    uint32_t sent;               /* messages sent so far: the next one gets this number */
    uint32_t lane;
    int64_t waiting;             /* deliveries of sent messages still to come */
    uint64_t *stamps;
};
extern struct stream *streams;
extern uint32_t stream_count, senders_per_chat;
extern int64_t outstanding;      /* deliveries still to come, all streams */
extern uint64_t messages_sent;
extern uint64_t last_progress;   /* ns: when something arrived for the last time */

void traffic_init(void);
bool traffic_run(double seconds);                       /* send for so long, then wait for all; false: stalled */
bool traffic_incoming(double seconds);
void traffic_delivered(struct stream *stream, int to, uint64_t sent_at, uint64_t now);

/* ── meters ────────────────────────────────────────────────────────────────── */

uint64_t now_ns(void);
uint64_t cpu_ns(int pid);        /* user + system of all its threads, dead ones included */
uint64_t servers_cpu_ns(void);
long rss_kib(int pid);
long peak_kib(int pid);
int descriptors(int pid);         /* how many files and sockets it has open */

struct histogram;                 /* of latencies */
extern struct histogram everybody, elsewhere; /* all; those whose sender is on another server */
void latency_reset(void);
void latency_add(struct histogram *h, uint64_t ns);
double latency_us(const struct histogram *h, double quantile);
double latency_max_us(const struct histogram *h);
void latency_print(const struct histogram *h);
void die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

#endif
