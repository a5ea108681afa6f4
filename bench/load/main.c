/* The load generator: options, the phases of a run, the JSON result on standard output.
 *
 * A run: open all connections and authenticate them; warm up; wait until everything sent has
 * arrived; read the server's CPU clock; send for the measured time; wait until everything has
 * arrived; read the clock again. Both readings are taken at rest, so the CPU between them
 * belongs to exactly the deliveries between them.
 */
#define _GNU_SOURCE
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "load.h"

struct options opt = {
    .clients = 100, .chats = 1, .chat_size = 0, .lanes = 1, .burst = 1, .warmup = 0.5, .seconds = 2,
    .settle = 2, .stall = 5, .window = 64, .text_bytes = 64,
};

static struct {
    bool finished;
    double seconds;
    uint64_t messages, deliveries, server_cpu, load_cpu, backend_cpu, redis_cpu;
    long rss_before, rss_after;
    int sockets[MAX_SERVERS];    /* per server: what it has taken of the connections */
} result;

static int list(const char *text, int *numbers)
{
    int count = 0;
    char *copy = strdup(text), *rest = copy, *one;
    while ((one = strsep(&rest, ",")) && count < MAX_SERVERS)
        numbers[count++] = atoi(one);
    free(copy);
    return count;
}

static enum work work_named(const char *name)
{
    static const char *const names[] = {"message", "typing", "storm", "idle", "incoming"};
    for (int i = 0; i < 5; i++)
        if (strcmp(name, names[i]) == 0)
            return (enum work)i;
    die("no such work: %s", name);
}

static void read_options(int argc, char **argv)
{
    static const struct option known[] = {
        {"work", 1, 0, 'k'}, {"ports", 1, 0, 'p'}, {"pids", 1, 0, 'P'}, {"backend-pid", 1, 0, 'B'}, {"redis-pid", 1, 0, 'R'},
        {"clients", 1, 0, 'n'}, {"chats", 1, 0, 'c'}, {"chat-size", 1, 0, 'm'}, {"lanes", 1, 0, 'l'},
        {"burst", 1, 0, 'b'}, {"sync", 0, 0, 'S'}, {"volley", 0, 0, 'v'}, {"rate", 1, 0, 'r'}, {"warmup", 1, 0, 'w'},
        {"seconds", 1, 0, 's'}, {"settle", 1, 0, 'i'}, {"stall", 1, 0, 't'}, {"slow", 1, 0, 'z'},
        {"window", 1, 0, 'W'}, {"text-bytes", 1, 0, 'x'}, {"every-chat", 0, 0, 'e'},
        {"spread", 0, 0, 'd'}, {"speakers", 1, 0, 'q'}, {0, 0, 0, 0},
    };
    int pids = 0;
    for (int c; (c = getopt_long(argc, argv, "", known, NULL)) != -1;)
        switch (c) {
        case 'k': opt.work = work_named(optarg); break;
        case 'p': opt.servers = list(optarg, opt.ports); break;
        case 'P': pids = list(optarg, opt.pids); break;
        case 'B': opt.backend_pid = atoi(optarg); break;
        case 'R': opt.redis_pid = atoi(optarg); break;
        case 'd': opt.spread = true; break;
        case 'n': opt.clients = atoi(optarg); break;
        case 'c': opt.chats = atoi(optarg); break;
        case 'm': opt.chat_size = atoi(optarg); break;
        case 'l': opt.lanes = atoi(optarg); break;
        case 'b': opt.burst = atoi(optarg); break;
        case 'S': opt.sync = true; break;
        case 'v': opt.volley = true; break;
        case 'r': opt.rate = atof(optarg); break;
        case 'w': opt.warmup = atof(optarg); break;
        case 's': opt.seconds = atof(optarg); break;
        case 'i': opt.settle = atof(optarg); break;
        case 't': opt.stall = atof(optarg); break;
        case 'z': opt.slow = atoi(optarg); break;
        case 'W': opt.window = atoi(optarg); break;
        case 'x': opt.text_bytes = atoi(optarg); break;
        case 'q': opt.speakers = atoi(optarg); break;
        case 'e': opt.every_chat = true; break;
        default: exit(2);
        }
    if (opt.chat_size == 0)
        opt.chat_size = opt.clients;
    if (opt.servers == 0 || pids != opt.servers)
        die("--ports and --pids are needed, one pid a port");
    if (opt.clients % opt.chat_size != 0)
        die("--clients must be a multiple of --chat-size");
    if (opt.lanes > opt.chats && opt.lanes % opt.chats != 0)
        die("--lanes must be a multiple of --chats, or less");
    if (opt.lanes > opt.chats && opt.lanes / opt.chats > opt.chat_size)
        die("more --lanes than members to send");
    if (opt.speakers > opt.chat_size || (opt.speakers && opt.lanes > opt.chats))
        die("--speakers is --chat-size at most, with --chats lanes at most");
    if (opt.text_bytes < 48 || opt.text_bytes > 12000)
        die("--text-bytes is 48 to 12000");
    if (opt.burst > 64)
        die("--burst is 64 at most");
}

/* Opens connections first..last-1, `window` of them at a time. */
static void open_all(int first, int last)
{
    int opened = first;
    last_progress = now_ns();
    while (ready < last) {
        while (opened < last && opened - ready < opt.window)
            wire_open(opened++);
        wire_wait(20, -1, NULL);
        if ((double)(now_ns() - last_progress) > opt.stall * 1e9)
            die("connecting stalled at %d of %d", ready, last);
    }
}

static void rest(double seconds)
{
    uint64_t end = now_ns() + (uint64_t)(seconds * 1e9);
    for (uint64_t now; (now = now_ns()) < end;)
        wire_wait((int)((end - now) / 1000000) + 1, -1, NULL);
}

static void mark(bool begin)
{
    int sign = begin ? -1 : 1;
    double s = (double)now_ns() / 1e9;
    result.seconds += sign * s;
    result.server_cpu += (uint64_t)sign * servers_cpu_ns();
    result.load_cpu += (uint64_t)sign * cpu_ns(getpid());
    result.backend_cpu += (uint64_t)sign * (opt.backend_pid ? cpu_ns(opt.backend_pid) : 0);
    result.redis_cpu += (uint64_t)sign * (opt.redis_pid ? cpu_ns(opt.redis_pid) : 0);
    result.messages += (uint64_t)sign * messages_sent;
    result.deliveries += (uint64_t)sign * tally.deliveries;
}

static void measure_traffic(void)
{
    bool (*run)(double) = opt.work == WORK_INCOMING ? traffic_incoming : traffic_run;
    for (int i = 0; i < opt.servers; i++)
        result.sockets[i] = -descriptors(opt.pids[i]);
    open_all(0, opt.clients);
    for (int i = 0; i < opt.servers; i++)
        result.sockets[i] += descriptors(opt.pids[i]);
    result.rss_before = rss_kib(opt.pids[0]);
    result.finished = run(opt.warmup);
    while (opt.every_chat && result.finished && messages_sent < stream_count)
        result.finished = run(0.2);
    latency_reset();
    mark(true);
    result.finished = result.finished && run(opt.seconds);
    mark(false);
    check_final();
}

/* The first connection warms the server's code; the others are the storm. */
static void measure_storm(void)
{
    open_all(0, 1);
    rest(0.2);
    mark(true);
    open_all(1, opt.clients);
    mark(false);
    result.finished = true;
}

static void measure_idle(void)
{
    open_all(0, 1);
    rest(opt.settle / 2);
    result.rss_before = rss_kib(opt.pids[0]);
    open_all(1, opt.clients);
    rest(opt.settle);
    result.rss_after = rss_kib(opt.pids[0]);
    mark(true);
    rest(opt.settle);
    mark(false);
    result.finished = closed_by_server == 0;
}

/* What a slow consumer was told comes behind all it did not read, through its small window. */
static void read_slow_to_the_end(void)
{
    uint64_t bytes = 0;
    for (last_progress = now_ns(); now_ns() - last_progress < 500000000u; usleep(1000)) {
        for (int i = 0; i < opt.clients; i++)
            if (conns[i].slow)
                wire_drain_slow(i);
        if (tally.bytes != bytes)
            last_progress = now_ns();
        bytes = tally.bytes;
    }
}

static void print_slow(void)
{
    int slow_closed = 0, code = 0;
    int healthy_closed = closed_by_server;
    if (opt.slow > 0)
        read_slow_to_the_end();
    for (int i = 0; i < opt.clients; i++)
        if (conns[i].slow) {
            slow_closed += conns[i].phase == P_CLOSED;
            code = conns[i].close_code ? conns[i].close_code : code;
        }
    printf(" \"closed\": %d,\n \"slow\": %d,\n \"slow_closed\": %d,\n \"slow_close_code\": %d,\n", healthy_closed,
           opt.slow, slow_closed, code);
}

static void print_escaped(const char *text)
{
    putchar('"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            putchar('\\');
        putchar((unsigned char)*text < 0x20 ? ' ' : *text);
    }
    putchar('"');
}

static void print_result(void)
{
    const unsigned long long lost = tally.lost, again = tally.again_or_late, astray = tally.misdirected,
                             invalid = tally.invalid_json, unexpected = tally.unexpected, errors = tally.errors;
    printf("{\n \"finished\": %s,\n \"connections\": %d,\n", result.finished ? "true" : "false", ready);
    printf(" \"seconds\": %.6f,\n \"asked_seconds\": %.6f,\n \"rate\": %.3f,\n", result.seconds, opt.seconds,
           opt.rate);
    printf(" \"messages\": %llu,\n \"deliveries\": %llu,\n", (unsigned long long)result.messages,
           (unsigned long long)result.deliveries);
    printf(" \"server_cpu_ns\": %llu,\n \"load_cpu_ns\": %llu,\n \"backend_cpu_ns\": %llu,\n"
           " \"redis_cpu_ns\": %llu,\n",
           (unsigned long long)result.server_cpu, (unsigned long long)result.load_cpu,
           (unsigned long long)result.backend_cpu, (unsigned long long)result.redis_cpu);
    printf(" \"sockets\": [");
    for (int i = 0; i < opt.servers; i++)
        printf("%s%d", i ? ", " : "", result.sockets[i]);
    printf("],\n");
    printf(" \"rss_before_kib\": %ld,\n \"rss_after_kib\": %ld,\n \"rss_peak_kib\": %ld,\n", result.rss_before,
           result.rss_after ? result.rss_after : rss_kib(opt.pids[0]), peak_kib(opt.pids[0]));
    print_slow();
    printf(" \"lost\": %llu,\n \"again_or_late\": %llu,\n \"misdirected\": %llu,\n \"invalid_json\": %llu,\n"
           " \"unexpected\": %llu,\n \"errors\": %llu,\n", lost, again, astray, invalid, unexpected, errors);
    printf(" \"first_problem\": ");
    print_escaped(tally.first_problem);
    printf(",\n \"p50_us\": %.1f,\n \"p90_us\": %.1f,\n \"p99_us\": %.1f,\n \"max_us\": %.1f,\n",
           latency_us(&everybody, 0.5), latency_us(&everybody, 0.9), latency_us(&everybody, 0.99),
           latency_max_us(&everybody));
    printf(" \"elsewhere_p50_us\": %.1f,\n \"elsewhere_p99_us\": %.1f,\n", latency_us(&elsewhere, 0.5),
           latency_us(&elsewhere, 0.99));
    printf(" \"histogram_us\": ");
    latency_print(&everybody);
    printf("\n}\n");
}

int main(int argc, char **argv)
{
    read_options(argc, argv);
    wire_init();
    traffic_init();
    if (opt.work == WORK_STORM)
        measure_storm();
    else if (opt.work == WORK_IDLE)
        measure_idle();
    else
        measure_traffic();
    print_result();
    return 0;
}
