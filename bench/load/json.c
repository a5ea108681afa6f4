/* Is this exactly one JSON document, and what does it say.
 *
 * A scanner by recursive descent over the whole payload: structure, strings, numbers and
 * literals are checked; what stands under "event", and under "data" as "text", "chat_id",
 * "user_id" and "is_typing", is remembered. Two documents joined by a newline are invalid:
 * the clients do JSON.parse(event.data).
 */
#include <stdlib.h>
#include <string.h>

#include "load.h"

#define DEPTH 32

struct scan {
    const char *at, *end;
    struct said *said;
    bool in_data;                /* the object being read at depth 1 is the value of "data" */
};

struct slice {
    const char *at;
    uint32_t length;
};

static bool value(struct scan *s, int depth);

static void space(struct scan *s)
{
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\n' || *s->at == '\r' || *s->at == '\t'))
        s->at++;
}

static bool string(struct scan *s, struct slice *out)
{
    if (s->at >= s->end || *s->at != '"')
        return false;
    const char *start = ++s->at;
    while (s->at < s->end) {
        unsigned char c = (unsigned char)*s->at;
        if (c == '"') {
            out->at = start;
            out->length = (uint32_t)(s->at - start);
            s->at++;
            return true;
        }
        if (c < 0x20)
            return false;
        s->at += c == '\\' ? 2 : 1;
    }
    return false;
}

static bool number(struct scan *s)
{
    const char *start = s->at;
    while (s->at < s->end && strchr("+-.eE0123456789", *s->at) && *s->at)
        s->at++;
    return s->at > start && s->at[-1] >= '0' && s->at[-1] <= '9';
}

static bool literal(struct scan *s, const char *word)
{
    size_t length = strlen(word);
    if ((size_t)(s->end - s->at) < length || memcmp(s->at, word, length) != 0)
        return false;
    s->at += length;
    return true;
}

static bool is(const struct slice *key, const char *word)
{
    return key->length == strlen(word) && memcmp(key->at, word, key->length) == 0;
}

static void remember(struct scan *s, const struct slice *key, const char *from, int depth)
{
    struct said *said = s->said;
    if (depth == 0 && is(key, "event") && *from == '"') {
        said->event = from + 1;
        said->event_length = (uint32_t)(s->at - from - 2);
    }
    if (depth != 1 || !s->in_data)
        return;
    if (is(key, "text") && *from == '"') {
        said->text = from + 1;
        said->text_length = (uint32_t)(s->at - from - 2);
    } else if (is(key, "chat_id"))
        said->chat_id = strtol(from, NULL, 10);
    else if (is(key, "user_id"))
        said->user_id = strtol(from, NULL, 10);
    else if (is(key, "is_typing"))
        said->is_typing = *from == 't';
}

static bool object(struct scan *s, int depth)
{
    s->at++;
    space(s);
    if (s->at < s->end && *s->at == '}') {
        s->at++;
        return true;
    }
    for (;;) {
        struct slice key;
        if (!string(s, &key))
            return false;
        space(s);
        if (s->at >= s->end || *s->at++ != ':')
            return false;
        space(s);
        const char *from = s->at;
        if (depth == 0)
            s->in_data = is(&key, "data");
        if (!value(s, depth + 1))
            return false;
        remember(s, &key, from, depth);
        space(s);
        if (s->at >= s->end)
            return false;
        char c = *s->at++;
        if (c == '}')
            return true;
        if (c != ',')
            return false;
        space(s);
    }
}

static bool array(struct scan *s, int depth)
{
    s->at++;
    space(s);
    if (s->at < s->end && *s->at == ']') {
        s->at++;
        return true;
    }
    for (;;) {
        if (!value(s, depth + 1))
            return false;
        space(s);
        if (s->at >= s->end)
            return false;
        char c = *s->at++;
        if (c == ']')
            return true;
        if (c != ',')
            return false;
        space(s);
    }
}

static bool value(struct scan *s, int depth)
{
    struct slice ignored;
    if (s->at >= s->end || depth > DEPTH)
        return false;
    switch (*s->at) {
    case '{':
        return object(s, depth);
    case '[':
        return array(s, depth);
    case '"':
        return string(s, &ignored);
    case 't':
        return literal(s, "true");
    case 'f':
        return literal(s, "false");
    case 'n':
        return literal(s, "null");
    default:
        return number(s);
    }
}

bool json_read(const uint8_t *bytes, size_t length, struct said *said)
{
    memset(said, 0, sizeof *said);
    said->is_typing = -1;
    struct scan s = {(const char *)bytes, (const char *)bytes + length, said, false};
    space(&s);
    if (s.at >= s.end || *s.at != '{' || !value(&s, 0))
        return false;
    space(&s);
    return s.at == s.end && said->event != NULL;
}
