/* CPU and memory of the measured process, the clock, and the latency histogram. */
#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "load.h"

void die(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("load: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* The kernel's own account of the process at nanosecond resolution. /proc/PID/stat counts in
 * ticks of 10 ms, and /proc/PID/schedstat knows the first thread only (Go and Node have more). */
uint64_t cpu_ns(int pid)
{
    clockid_t clock;
    struct timespec t;
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) != 0)
        return 0;
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t servers_cpu_ns(void)
{
    uint64_t sum = 0;
    for (int i = 0; i < opt.servers; i++)
        sum += cpu_ns(opt.pids[i]);
    return sum;
}

static long proc_field(int pid, const char *file, const char *field)
{
    char path[64], line[256];
    long kib = -1;
    snprintf(path, sizeof path, "/proc/%d/%s", pid, file);
    FILE *f = fopen(path, "r");
    if (!f)
        return -1;
    while (kib < 0 && fgets(line, sizeof line, f))
        if (strncmp(line, field, strlen(field)) == 0)
            kib = strtol(line + strlen(field), NULL, 10);
    fclose(f);
    return kib;
}

/* smaps_rollup walks the page tables: exact, where statm may be off by a few hundred KiB. */
long rss_kib(int pid)
{
    return proc_field(pid, "smaps_rollup", "Rss:");
}

long peak_kib(int pid)
{
    return proc_field(pid, "status", "VmHWM:");
}

int descriptors(int pid)
{
    char path[64];
    int count = -2;              /* `.` and `..` */
    snprintf(path, sizeof path, "/proc/%d/fd", pid);
    DIR *folder = opendir(path);
    if (!folder)
        return 0;
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

/* ── histogram: 32 buckets an octave, so a quantile is right within 3 % ────── */

#define SUB 32
#define BUCKETS (64 * SUB)

struct histogram {
    uint64_t counts[BUCKETS], total, largest;
};
struct histogram everybody, elsewhere;

static int bucket_of(uint64_t ns)
{
    if (ns < SUB)
        return (int)ns;
    int octave = 63 - __builtin_clzll(ns);          /* 5 and up */
    return (octave - 4) * SUB + (int)(ns >> (octave - 5)) - SUB;
}

static double bucket_middle(int bucket)
{
    if (bucket < SUB)
        return bucket;
    int octave = bucket / SUB + 4;
    double width = (double)(1ull << (octave - 5));
    return (SUB + bucket % SUB + 0.5) * width;
}

void latency_reset(void)
{
    memset(&everybody, 0, sizeof everybody);
    memset(&elsewhere, 0, sizeof elsewhere);
}

void latency_add(struct histogram *h, uint64_t ns)
{
    h->counts[bucket_of(ns)]++;
    h->total++;
    if (ns > h->largest)
        h->largest = ns;
}

double latency_us(const struct histogram *h, double quantile)
{
    uint64_t target = (uint64_t)(quantile * (double)h->total), seen = 0;
    for (int i = 0; i < BUCKETS; i++) {
        seen += h->counts[i];
        if (seen > target)
            return bucket_middle(i) / 1000.0;
    }
    return (double)h->largest / 1000.0;
}

double latency_max_us(const struct histogram *h)
{
    return (double)h->largest / 1000.0;
}

/* Half-octave steps: enough to draw the shape. Pairs of [upper bound in µs, count]. */
void latency_print(const struct histogram *h)
{
    uint64_t sum = 0;
    bool first = true;
    printf("[");
    for (int i = 0; i < BUCKETS; i++) {
        sum += h->counts[i];
        if (i % (SUB / 2) != SUB / 2 - 1 || sum == 0)
            continue;
        printf("%s[%.1f, %llu]", first ? "" : ", ", bucket_middle(i) / 1000.0,
               (unsigned long long)sum);
        sum = 0;
        first = false;
    }
    printf("]");
}
