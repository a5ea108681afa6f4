/* Is this event the one that had to come next.
 *
 * Every frame is either byte for byte one that was already read (a fan-out sends the same frame
 * to everybody), or is read as JSON in full. Then its number is compared with the one this
 * receiver has to get next from this sender in this chat: nothing lost, nothing twice, in order.
 * A message carries stream, number and send time in its text; typing has no text, so there the
 * flag alternates and the n-th event of a sender is its n-th send.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load.h"

#define MEMORY 32                /* frames read lately: more than a burst */
#define MEMORY_BYTES 16384

enum kind { K_MESSAGE, K_TYPING, K_ERROR, K_OTHER, K_INVALID };

struct meaning {
    enum kind kind;
    struct stream *stream;       /* NULL: of no stream of ours */
    uint32_t number;             /* typing: 0 or 1, its parity */
    uint64_t sent_at;            /* typing: unknown, 0 */
};

static struct {
    size_t length;
    uint8_t bytes[MEMORY_BYTES];
    struct meaning meaning;
} memory[MEMORY];
static int newest, guess;

struct tally tally;

void check_note(const char *what, const uint8_t *payload, size_t length)
{
    tally.unexpected++;
    if (!tally.first_problem[0])
        snprintf(tally.first_problem, sizeof tally.first_problem, "%s: %.*s", what,
                 (int)(length < 120 ? length : 120), payload);
}

static bool named(const struct said *said, const char *name)
{
    return said->event_length == strlen(name) && memcmp(said->event, name, said->event_length) == 0;
}

static struct meaning of_message(const struct said *said)
{
    struct meaning m = {.kind = K_OTHER};
    char text[96];
    unsigned stream, number;
    unsigned long long stamp;
    size_t length = said->text_length < sizeof text - 1 ? said->text_length : sizeof text - 1;
    if (!said->text)
        return m;
    memcpy(text, said->text, length);
    text[length] = 0;
    if (sscanf(text, "%u %u %llu ", &stream, &number, &stamp) != 3 || stream >= stream_count)
        return m;
    if (said->text_length != (uint32_t)opt.text_bytes || said->chat_id != (long)streams[stream].chat + 1)
        return m;
    return (struct meaning){K_MESSAGE, &streams[stream], number, stamp};
}

static struct meaning of_typing(const struct said *said)
{
    struct meaning m = {.kind = K_OTHER};
    if (said->chat_id < 1 || said->chat_id > opt.chats || said->is_typing < 0)
        return m;
    struct stream *first = &streams[(uint32_t)(said->chat_id - 1) * senders_per_chat];
    for (uint32_t i = 0; i < senders_per_chat; i++)
        if ((long)first[i].sender + 1 == said->user_id)
            return (struct meaning){K_TYPING, &first[i], said->is_typing ? 0 : 1, 0};
    return m;
}

static struct meaning read_frame(const uint8_t *payload, size_t length)
{
    struct said said;
    if (!json_read(payload, length, &said))
        return (struct meaning){.kind = K_INVALID};
    if (named(&said, "new_message"))
        return of_message(&said);
    if (named(&said, "user_typing"))
        return of_typing(&said);
    return (struct meaning){.kind = named(&said, "error") ? K_ERROR : K_OTHER};
}

static bool remembered(int slot, const uint8_t *payload, size_t length)
{
    return memory[slot].length == length && memcmp(memory[slot].bytes, payload, length) == 0;
}

static struct meaning meaning_of(const uint8_t *payload, size_t length)
{
    guess = (guess + 1) % MEMORY;
    if (remembered(guess, payload, length))
        return memory[guess].meaning;
    for (int i = 0; i < MEMORY; i++)
        if (remembered(i, payload, length)) {
            guess = i;
            return memory[i].meaning;
        }
    struct meaning m = read_frame(payload, length);
    if (m.stream && length <= MEMORY_BYTES) {
        newest = guess = (newest + 1) % MEMORY;
        memory[newest].length = length;
        memcpy(memory[newest].bytes, payload, length);
        memory[newest].meaning = m;
    }
    return m;
}

/* Where this receiver keeps the next number of that stream. */
static uint32_t *expected(struct conn *c, const struct stream *s)
{
    uint32_t groups = (uint32_t)(opt.clients / opt.chat_size);
    uint32_t within = (uint32_t)(s - streams) % senders_per_chat;
    return &c->next[s->chat / groups * senders_per_chat + within];
}

static void delivery(int index, struct meaning *m, const uint8_t *payload, size_t length)
{
    struct conn *c = &conns[index];
    struct stream *s = m->stream;
    uint32_t groups = (uint32_t)(opt.clients / opt.chat_size);
    if (s->chat % groups != c->group || (m->kind == K_TYPING && s->sender == (uint32_t)index)) {
        tally.misdirected++;
        return;
    }
    uint32_t *next = expected(c, s), number = m->number;
    if (m->kind == K_TYPING) {
        if (number != (*next & 1)) {
            check_note("typing out of turn", payload, length);
            return;
        }
        number = *next;
        m->sent_at = s->stamps[number % STAMPS];
    }
    if (number < *next || number >= s->sent) {
        tally.again_or_late++;
        return;
    }
    tally.lost += number - *next;
    *next = number + 1;
    tally.deliveries++;
    traffic_delivered(s, index, m->sent_at, now_ns());
}

void check_text(int index, const uint8_t *payload, size_t length)
{
    struct conn *c = &conns[index];
    struct meaning m = meaning_of(payload, length);
    if (m.kind == K_INVALID) {
        check_note("not one JSON document", payload, length);
        tally.unexpected--;
        tally.invalid_json++;
    } else if (c->slow)
        return;
    else if (m.kind == K_ERROR && opt.work == WORK_INCOMING)
        c->marks++;
    else if (m.kind == K_ERROR) {
        check_note("error event", payload, length);
        tally.unexpected--;
        tally.errors++;
    } else if (!m.stream)
        check_note("unexpected event", payload, length);
    else
        delivery(index, &m, payload, length);
}

void check_final(void)
{
    uint32_t groups = (uint32_t)(opt.clients / opt.chat_size);
    for (int i = 0; i < opt.clients; i++) {
        struct conn *c = &conns[i];
        for (uint32_t n = 0; n < stream_count; n++) {
            struct stream *s = &streams[n];
            if (c->slow || s->chat % groups != c->group)
                continue;
            if (opt.work != WORK_MESSAGE && s->sender == (uint32_t)i)
                continue;
            tally.lost += s->sent - *expected(c, s);
        }
    }
}
