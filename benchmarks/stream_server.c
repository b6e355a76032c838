/* A chat server that is never the limit: one thread, one answer, kept ready.

   stream_server CHUNKS   listens on a free port of 127.0.0.1, prints it, and ends when stdin does.
   Whatever is asked, it streams CHUNKS content events, a finish reason, a usage and [DONE]. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROOM = 65536 };

struct peer {
    int fd;
    size_t used, sent; /* of the request that comes in, of the answer that goes out */
    int answering;
    char in[ROOM + 1];
};

static char *answer;
static size_t length;

static void part(char **at, const char *text)
{
    *at += sprintf(*at, "%zx\r\n%s\r\n", strlen(text), text);
}

static void prepare(int chunks)
{
    char event[512], *at = answer = malloc(1024 + (size_t)chunks * 256);
    const char *head = "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,"
                       "\"model\":\"m\",\"choices\":[";
    at += sprintf(at, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                      "Transfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < chunks; i++) {
        sprintf(event, "%s{\"index\":0,\"delta\":{\"content\":\"word \"}}]}\n\n", head);
        part(&at, event);
    }
    sprintf(event, "%s{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n", head);
    part(&at, event);
    sprintf(event, "%s],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":%d,"
                   "\"total_tokens\":%d}}\n\n", head, chunks, chunks + 5);
    part(&at, event);
    part(&at, "data: [DONE]\n\n");
    at += sprintf(at, "0\r\n\r\n");
    length = (size_t)(at - answer);
}

/* Return the bytes of the first whole request, or 0. */
static size_t whole(struct peer *peer)
{
    peer->in[peer->used] = 0;
    char *end = strstr(peer->in, "\r\n\r\n");
    if (!end)
        return 0;
    char *field = strcasestr(peer->in, "content-length:");
    size_t body = field && field < end ? strtoul(field + 15, NULL, 10) : 0;
    size_t size = (size_t)(end - peer->in) + 4 + body;
    return size <= peer->used ? size : 0;
}

/* Read and write what can be; return 0 when the peer is gone. */
static int serve(struct peer *peer)
{
    for (;;) {
        if (peer->answering) {
            ssize_t n = write(peer->fd, answer + peer->sent, length - peer->sent);
            if (n < 0)
                return errno == EAGAIN;
            peer->sent += (size_t)n;
            if (peer->sent < length)
                continue;
            peer->answering = 0;
        }
        size_t size = whole(peer);
        if (size) {
            memmove(peer->in, peer->in + size, peer->used -= size);
            peer->answering = 1;
            peer->sent = 0;
            continue;
        }
        ssize_t n = read(peer->fd, peer->in + peer->used, ROOM - peer->used);
        if (n < 0)
            return errno == EAGAIN;
        if (n == 0)
            return 0;
        peer->used += (size_t)n;
    }
}

int main(int count, char **words)
{
    prepare(count > 1 ? atoi(words[1]) : 50);
    int poll = epoll_create1(0), one = 1;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof where;
    if (bind(listener, (void *)&where, size) || listen(listener, 4096))
        return 1;
    getsockname(listener, (void *)&where, &size);
    printf("%d\n", ntohs(where.sin_port));
    fflush(stdout);
    struct epoll_event told[256], in = {.events = EPOLLIN};
    in.data.ptr = &listener;
    epoll_ctl(poll, EPOLL_CTL_ADD, listener, &in);
    in.data.ptr = &one; /* stands for stdin */
    epoll_ctl(poll, EPOLL_CTL_ADD, 0, &in);
    for (;;) {
        int n = epoll_wait(poll, told, 256, -1);
        for (int i = 0; i < n; i++) {
            if (told[i].data.ptr == &one)
                return 0;
            if (told[i].data.ptr == &listener) {
                int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
                if (fd < 0)
                    continue;
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                struct peer *peer = calloc(1, sizeof *peer);
                peer->fd = fd;
                struct epoll_event both = {.events = EPOLLIN | EPOLLOUT | EPOLLET};
                both.data.ptr = peer;
                epoll_ctl(poll, EPOLL_CTL_ADD, fd, &both);
                continue;
            }
            struct peer *peer = told[i].data.ptr;
            if (!serve(peer)) {
                close(peer->fd);
                free(peer);
            }
        }
    }
}
