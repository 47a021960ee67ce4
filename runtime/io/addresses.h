/* addresses.h: socket addresses: what a name resolves to, and how they are written in messages. */
#ifndef WEFT_IO_ADDRESSES_H
#define WEFT_IO_ADDRESSES_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

typedef struct weft__address {
  socklen_t size;
  union {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
  } at;
} weft__address_t;

typedef struct weft__addresses {
  size_t count;
  weft__address_t list[];
} weft__addresses_t;

enum { WEFT__ADDRESSES_MAX = 64, WEFT__ADDRESS_TEXT = 96 };

/* NULL when memory ran out. */
weft__addresses_t *weft__addresses_new(size_t count);
void weft__addresses_free(weft__addresses_t *addresses);

/* A numeric IPv4 or IPv6 address, the latter perhaps with %scope. False: it is none. */
bool weft__address_parse(const char *host, int port, weft__address_t *out);
/* Every interface of this machine: IPv6 and IPv4. */
weft__addresses_t *weft__addresses_any(int port);
/* As asyncio writes it: ('127.0.0.1', 80), ('::1', 80, 0, 0). */
const char *weft__address_text(const weft__address_t *address, char text[WEFT__ADDRESS_TEXT]);
int weft__address_port(const weft__address_t *address);
void weft__address_set_port(weft__address_t *address, int port);

#endif
