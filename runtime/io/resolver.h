/* resolver.h: names to addresses. getaddrinfo blocks, so it runs on threads of the loop's pool; numbers need none. */
#ifndef WEFT_IO_RESOLVER_H
#define WEFT_IO_RESOLVER_H

#include "io/addresses.h"

/* [S] Stream sockets' addresses of host, a name or a number; NULL or "" with passive: every interface. 0: *out is
 * owned. A resolver's error (weft_strerror knows them), -ENOMEM or WEFT_CANCELLED, with words. Cancelled: returns at
 * once; a lookup that runs goes on by itself, and the loop's end waits for it. WEFT_RUNTIME: the default pool was shut
 * down. */
int weft__resolve(const char *host, int port, bool passive, weft__addresses_t **out);

#endif
