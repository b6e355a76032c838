/* A chat server that streams without thinking, and knows when it sent what.
 *
 *   sse_server burst|timed|varied CHUNKS TTFT_MS ITL_MS
 *
 * It prints its port, serves POST requests on loopback until its standard input ends, and prints
 * for each request of a timed stream: its number (the prompt is "#N"), and, in nanoseconds of
 * CLOCK_MONOTONIC, when it had come and when each content chunk was sent. Its last line is
 * "cpu" and the nanoseconds of CPU that it took.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define MAX_FDS 4096
#define IN_MAX 16384
#define EVENT_MAX 512
#define TOLD (64 << 20)

typedef struct {
    int fd, used, sending, next;
    long number;
    int64_t due, came;
    int64_t *stamps;
    char in[IN_MAX];
} Client;

static Client *clients[MAX_FDS];
static int chunks, timed, varied;
static int64_t ttft, itl;
static char *burst;
static size_t burst_size;

static int64_t read_clock(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t now(void) { return read_clock(CLOCK_MONOTONIC); }

static const char *HEAD = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
                          "Transfer-Encoding: chunked\r\n\r\n";
static const char *FORM = "data: {\"id\":\"chatcmpl-123456789\",\"object\":\"chat.completion.chunk\","
                          "\"created\":1700000000,\"model\":\"bench\",\"choices\":[{\"index\":0,"
                          "\"delta\":%s,\"logprobs\":null,\"finish_reason\":%s}]%s}\n\n";

static int framed(char *out, const char *event) {
    return sprintf(out, "%zx\r\n%s\r\n", strlen(event), event);
}

/* Write the piece before (-1), at (0 .. chunks - 1) or after (chunks) the content. */
static int piece(char *out, int at) {
    char event[EVENT_MAX], delta[64], extra[64] = "";
    int size = 0;
    if (at < 0) {
        size = sprintf(out, "%s", HEAD);
        sprintf(event, FORM, "{\"role\":\"assistant\",\"content\":\"\"}", "null", "");
        return size + framed(out + size, event);
    }
    if (at < chunks) {
        sprintf(delta, "{\"content\":\" word%d\"}", at % 7);
        if (varied) sprintf(extra, ",\"obfuscation\":\"%x\"", (unsigned)(at * 2654435761u));
        sprintf(event, FORM, delta, "null", extra);
        return framed(out, event);
    }
    sprintf(event, FORM, "{}", "\"stop\"", "");
    size = framed(out, event);
    sprintf(event, "data: {\"id\":\"chatcmpl-123456789\",\"object\":\"chat.completion.chunk\",\"choices\":[],"
                   "\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":%d,\"total_tokens\":%d}}\n\n",
            chunks, chunks + 5);
    size += framed(out + size, event);
    size += framed(out + size, "data: [DONE]\n\n");
    return size + sprintf(out + size, "0\r\n\r\n");
}

static int put(Client *c, const char *data, size_t size) {
    while (size) {
        ssize_t n = send(c->fd, data, size, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) continue; /* a reader that is late: wait for it */
        if (n < 0) return 0;
        data += n;
        size -= n;
    }
    return 1;
}

static void leave(Client *c) {
    clients[c->fd] = NULL;
    close(c->fd);
    free(c->stamps);
    free(c);
}

static void step(Client *c) { /* send what is due on a timed stream */
    char out[4 * EVENT_MAX];
    c->stamps[c->next] = now();
    int size = piece(out, c->next);
    c->next++;
    c->due += itl;
    if (c->next == chunks) {
        size += piece(out + size, chunks);
        c->sending = 0;
    }
    if (!put(c, out, size)) {
        leave(c);
    } else if (!c->sending) {
        printf("%ld %lld", c->number, (long long)c->came);
        for (int i = 0; i < chunks; i++) printf(" %lld", (long long)c->stamps[i]);
        printf("\n");
    }
}

static void answer(Client *c, const char *body) {
    char out[2 * EVENT_MAX];
    if (!timed) {
        if (!put(c, burst, burst_size)) leave(c);
        return;
    }
    const char *mark = strstr(body, "\"#");
    c->number = mark ? atol(mark + 2) : -1;
    c->came = now();
    c->due = c->came + ttft;
    c->next = 0;
    c->sending = 1;
    if (!put(c, out, piece(out, -1))) leave(c);
}

static void hear(Client *c) {
    ssize_t n = recv(c->fd, c->in + c->used, IN_MAX - 1 - c->used, 0);
    if (n <= 0) {
        if (n < 0 && errno == EAGAIN) return;
        leave(c);
        return;
    }
    c->used += n;
    c->in[c->used] = 0;
    char *end = strstr(c->in, "\r\n\r\n");
    if (!end) return;
    char *length = strcasestr(c->in, "content-length:");
    long size = length && length < end ? atol(length + 15) : 0;
    if (c->used < end + 4 - c->in + size) return;
    c->used = 0;
    answer(c, end + 4);
}

int main(int argc, char **argv) {
    if (argc != 5) return 2;
    setvbuf(stdout, malloc(TOLD), _IOFBF, TOLD); /* nobody reads before the end */
    timed = !strcmp(argv[1], "timed");
    varied = !strcmp(argv[1], "varied");
    chunks = atoi(argv[2]);
    ttft = (int64_t)(atof(argv[3]) * 1e6);
    itl = (int64_t)(atof(argv[4]) * 1e6);
    burst = malloc((chunks + 8) * EVENT_MAX);
    for (int at = -1; at <= chunks; at++) burst_size += piece(burst + burst_size, at);

    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof where;
    bind(listener, (struct sockaddr *)&where, size);
    listen(listener, 4096);
    getsockname(listener, (struct sockaddr *)&where, &size);
    printf("%d\n", ntohs(where.sin_port));
    fflush(stdout);

    int poll = epoll_create1(0), timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    for (int i = 0, fds[] = {0, listener, timer}; i < 3; i++)
        epoll_ctl(poll, EPOLL_CTL_ADD, fds[i], &(struct epoll_event){EPOLLIN, {.fd = fds[i]}});
    for (;;) {
        struct epoll_event events[256];
        int64_t next = INT64_MAX;
        for (int fd = 0; fd < MAX_FDS; fd++) {
            while (clients[fd] && clients[fd]->sending && clients[fd]->due <= now()) step(clients[fd]);
            if (clients[fd] && clients[fd]->sending && clients[fd]->due < next) next = clients[fd]->due;
        }
        if (next < INT64_MAX) {
            struct itimerspec at = {.it_value = {next / 1000000000, next % 1000000000}};
            timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, NULL);
        }
        int n = epoll_wait(poll, events, 256, -1);
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            if (fd == 0) { /* whoever started this has gone, or wants no more */
                printf("cpu %lld\n", (long long)read_clock(CLOCK_PROCESS_CPUTIME_ID));
                fflush(stdout);
                return 0;
            } else if (fd == timer) {
                uint64_t ignored;
                if (read(timer, &ignored, sizeof ignored) < 0) continue;
            } else if (fd == listener) {
                int new = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
                if (new < 0 || new >= MAX_FDS) continue;
                setsockopt(new, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                clients[new] = calloc(1, sizeof(Client));
                clients[new]->fd = new;
                clients[new]->stamps = calloc(chunks + 1, sizeof(int64_t));
                epoll_ctl(poll, EPOLL_CTL_ADD, new, &(struct epoll_event){EPOLLIN, {.fd = new}});
            } else if (clients[fd]) {
                hear(clients[fd]);
            }
        }
    }
}
