/* The fast fake backend: the five endpoints of the contract, in the guide's dialect.
 *
 * One thread, one epoll, HTTP/1.1 with keep-alive. Token "user-7" is user 7. Users are numbered
 * 1..USERS and sit in groups of CHAT_SIZE neighbours; chat c consists of group (c-1) % groups, as
 * in the load generator. With a delay every answer waits that long, however many wait: a slow
 * database, not a busy one.
 *
 *   backend --users N --chat-size M [--delay-ms D] [--key KEY] [--port P]
 *
 * Prints its port on the first line of standard output, then serves until it is ended.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_FDS 65536
#define REQUEST_BYTES 65536

static int users = 1000, chat_size, delay_ms, epoll_fd;
static const char *key = "bench-key";
static char **member_lists;      /* per group: the JSON between [ and ], built when first asked for */
static char body[REQUEST_BYTES + 1024];

struct conn {
    size_t length;
    char request[REQUEST_BYTES];
};
static struct conn *conns[MAX_FDS];

/* Answers that wait for their time: the delay is the same for all, so a queue is in order. */
struct late {
    uint64_t due;
    int fd;
    struct conn *conn;
    size_t length;
    char *bytes;
    struct late *next;
};
static struct late *first_late, **last_late = &first_late;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void send_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t n = send(fd, bytes, length, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN)
            continue;            /* only a member list is long, and its reader is waiting for it */
        if (n <= 0)
            return;
        bytes += n;
        length -= (size_t)n;
    }
}

static void answer(int fd, const char *status, const char *json, size_t length)
{
    char head[160];
    int n = snprintf(head, sizeof head, "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                     status, length);
    char *bytes = malloc((size_t)n + length);
    memcpy(bytes, head, (size_t)n);
    memcpy(bytes + n, json, length);
    if (delay_ms == 0) {
        send_all(fd, bytes, (size_t)n + length);
        free(bytes);
        return;
    }
    struct late *late = malloc(sizeof *late);
    *late = (struct late){now_ms() + (uint64_t)delay_ms, fd, conns[fd], (size_t)n + length, bytes, NULL};
    *last_late = late;
    last_late = &late->next;
}

static void say(int fd, const char *status, const char *json)
{
    answer(fd, status, json, strlen(json));
}

static void send_late(void)
{
    for (uint64_t now = now_ms(); first_late && first_late->due <= now;) {
        struct late *late = first_late;
        if (conns[late->fd] == late->conn)
            send_all(late->fd, late->bytes, late->length);
        first_late = late->next;
        if (!first_late)
            last_late = &first_late;
        free(late->bytes);
        free(late);
    }
}

/* The raw JSON value after "name": in a request body, NULL when it is not there. */
static const char *field(const char *json, const char *name)
{
    const char *at = strstr(json, name);
    if (!at)
        return NULL;
    at += strlen(name);
    while (*at == ' ' || *at == ':')
        at++;
    return at;
}

static size_t string_length(const char *at)
{
    const char *end = at;
    while (*end && *end != '"')
        end += *end == '\\' && end[1] ? 2 : 1;
    return (size_t)(end - at);
}

static int user_of(const char *token, const char *prefix)
{
    size_t length = strlen(prefix);
    int user = token && strncmp(token, prefix, length) == 0 ? atoi(token + length) : 0;
    return user >= 1 && user <= users ? user : 0;
}

static void validate(int fd, const char *json)
{
    int user = user_of(field(json, "\"token\""), "\"user-");
    if (user == 0) {
        say(fd, "401 Unauthorized", "{\"error\":\"Invalid token\"}");
        return;
    }
    int n = snprintf(body, sizeof body, "{\"valid\":true,\"user\":{\"id\":%d,\"name\":\"User %d\",\"phone\":\"+7999%07d\",\"active\":true}}",
                     user, user, user);
    answer(fd, "200 OK", body, (size_t)n);
}

static const char *members_of(int group)
{
    if (!member_lists[group]) {
        char *at = member_lists[group] = malloc((size_t)chat_size * 48 + 1);
        for (int user = group * chat_size + 1; user <= (group + 1) * chat_size; user++)
            at += sprintf(at, "%s{\"user_id\":%d,\"name\":\"User %d\"}", user > group * chat_size + 1 ? "," : "", user, user);
    }
    return member_lists[group];
}

static void members(int fd, long chat)
{
    const char *list = members_of((int)((chat - 1) % (users / chat_size)));
    size_t length = strlen(list);
    char *json = malloc(length + 64);
    int n = sprintf(json, "{\"chat_id\":%ld,\"members\":[%s]}", chat, list);
    answer(fd, "200 OK", json, (size_t)n);
    free(json);
}

static void store(int fd, int user, const char *json)
{
    static unsigned long id;
    const char *chat = field(json, "\"chatId\""), *text = field(json, "\"text\"");
    if (!chat || !text || *text != '"') {
        say(fd, "400 Bad Request", "{\"error\":\"chatId and text are required\"}");
        return;
    }
    text++;
    int n = snprintf(body, sizeof body,
                     "{\"id\":%lu,\"chat_id\":%ld,\"user\":{\"id\":%d,\"name\":\"User %d\"},\"type\":\"text\","
                     "\"text\":\"%.*s\",\"reply_to\":null,\"attachments\":[],\"reactions\":[],\"read_count\":0,"
                     "\"mentions\":null,\"created_at\":\"2026-01-01T12:00:00+00:00\",\"edited_at\":null,\"is_edited\":false}",
                     ++id, atol(chat), user, user, (int)string_length(text), text);
    answer(fd, "201 Created", body, (size_t)n);
}

static void serve(int fd, const char *head, const char *json)
{
    const char *authorization = strcasestr(head, "\r\nauthorization: bearer ");
    const char *given_key = strcasestr(head, "\r\nx-internal-api-key: ");
    int user = authorization ? user_of(authorization + 24, "user-") : 0;
    bool internal = given_key && strncmp(given_key + 22, key, strlen(key)) == 0;
    const char *path = strchr(head, ' ') + 1;
    long chat = 0;
    int end = 0;
    if (strncmp(path, "/api/internal/", 14) == 0 && !internal)
        say(fd, "401 Unauthorized", "{\"error\":\"Invalid API key\"}");
    else if (strncmp(path, "/api/internal/v1/auth/validate ", 31) == 0)
        validate(fd, json);
    else if (sscanf(path, "/api/internal/v1/chats/%ld/members%n", &chat, &end) == 1 && end > 0 && chat > 0)
        members(fd, chat);
    else if (user == 0)
        say(fd, "401 Unauthorized", "{\"error\":\"Invalid token\"}");
    else if (strncmp(path, "/api/v1/messages ", 17) == 0)
        store(fd, user, json);
    else if (strncmp(path, "/api/v1/messages/", 17) == 0)    /* reactions and read marks */
        say(fd, "200 OK", "{\"success\":true,\"message\":\"Done\"}");
    else
        say(fd, "404 Not Found", "{\"error\":\"Not found\"}");
}

/* Answers one whole request at the beginning of the buffer; returns its length, 0: not whole yet. */
static size_t one_request(int fd, struct conn *c)
{
    c->request[c->length] = 0;
    char *end = strstr(c->request, "\r\n\r\n");
    if (!end)
        return 0;
    end[2] = 0;
    const char *said = strcasestr(c->request, "\r\ncontent-length:");
    size_t head = (size_t)(end - c->request) + 4, length = said ? strtoul(said + 17, NULL, 10) : 0;
    if (c->length < head + length) {
        end[2] = '\r';
        return 0;
    }
    char saved = c->request[head + length];
    c->request[head + length] = 0;
    serve(fd, c->request, c->request + head);
    c->request[head + length] = saved;
    return head + length;
}

static void readable(int fd)
{
    struct conn *c = conns[fd];
    ssize_t n = recv(fd, c->request + c->length, sizeof c->request - 1 - c->length, 0);
    if (n <= 0) {
        if (n < 0 && errno == EAGAIN)
            return;
        close(fd);
        free(c);
        conns[fd] = NULL;
        return;
    }
    c->length += (size_t)n;
    for (size_t taken; c->length > 0 && (taken = one_request(fd, c)) > 0;) {
        memmove(c->request, c->request + taken, c->length - taken);
        c->length -= taken;
    }
}

static void accept_one(int listener)
{
    int one = 1, fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    if (fd < 0)
        return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    conns[fd] = calloc(1, sizeof *conns[fd]);
    struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &e);
}

static int listening(int port)
{
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    socklen_t size = sizeof at;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&at, sizeof at) != 0 || listen(fd, 4096) != 0)
        die("listen");
    getsockname(fd, (struct sockaddr *)&at, &size);
    printf("%d\n", ntohs(at.sin_port));
    fflush(stdout);
    return fd;
}

int main(int argc, char **argv)
{
    static const struct option known[] = {
        {"users", 1, 0, 'u'}, {"chat-size", 1, 0, 'm'}, {"delay-ms", 1, 0, 'd'},
        {"key", 1, 0, 'k'}, {"port", 1, 0, 'p'}, {0, 0, 0, 0},
    };
    int port = 0;
    for (int c; (c = getopt_long(argc, argv, "", known, NULL)) != -1;)
        switch (c) {
        case 'u': users = atoi(optarg); break;
        case 'm': chat_size = atoi(optarg); break;
        case 'd': delay_ms = atoi(optarg); break;
        case 'k': key = optarg; break;
        case 'p': port = atoi(optarg); break;
        default: return 2;
        }
    if (chat_size == 0)
        chat_size = users;
    member_lists = calloc((size_t)(users / chat_size), sizeof *member_lists);
    epoll_fd = epoll_create1(0);
    int listener = listening(port);
    struct epoll_event e = {.events = EPOLLIN, .data.fd = listener}, events[256];
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &e);
    for (;;) {
        int n = epoll_wait(epoll_fd, events, 256, first_late ? 1 : -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.fd == listener)
                accept_one(listener);
            else
                readable(events[i].data.fd);
        }
        send_late();
    }
}
