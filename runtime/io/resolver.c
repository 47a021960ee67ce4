/* resolver.c: see resolver.h.
 *
 * getaddrinfo blocks, so it is a job in the loop's lane of names, whose threads no other lane can take: the pool of floor
 * exec/ is reached through sched/blocking.h. A lookup has two holders, the task and the job; whoever lets go last frees it.
 * The addresses are the task's once the job's end was told, which synchronises both. A cancelled lookup that has not
 * begun never will; one that runs goes on alone, and only the loop's end waits for it, as asyncio's does. */
#include "io/resolver.h"

#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <uv.h>
#include <weft/error.h>

#include "base/alloc.h"
#include "base/atomics.h"
#include "base/base.h"
#include "sched/blocking.h"

enum { HOST_MAX = 255 };

typedef struct lookup {
  _Atomic(unsigned) holders;
  bool passive;
  int port;
  weft__addresses_t *addresses; /* the job's, then the task's */
  char host[HOST_MAX + 1];
} lookup_t;

static void let_go(lookup_t *lookup) {
  if (atom_sub(&lookup->holders, 1, acq_rel) != 1) return; /* acq_rel: the other one is through with it */
  weft__addresses_free(lookup->addresses);
  weft__free(lookup, sizeof *lookup);
}

/* ---- on a thread ---- */

static bool usable(const struct addrinfo *info) {
  return (info->ai_family == AF_INET || info->ai_family == AF_INET6) && info->ai_addrlen <= sizeof(struct sockaddr_in6);
}

static int copy_addresses(const struct addrinfo *list, weft__addresses_t **out) {
  size_t count = 0;
  for (const struct addrinfo *info = list; info != NULL; info = info->ai_next) count += usable(info);
  if (count > WEFT__ADDRESSES_MAX) count = WEFT__ADDRESSES_MAX;
  if (count == 0) return UV_EAI_NONAME;
  weft__addresses_t *addresses = weft__addresses_new(count);
  if (addresses == NULL) return -ENOMEM;
  size_t i = 0;
  for (const struct addrinfo *info = list; info != NULL && i < count; info = info->ai_next) {
    if (!usable(info)) continue;
    addresses->list[i].size = info->ai_addrlen;
    memcpy(&addresses->list[i].at, info->ai_addr, info->ai_addrlen);
    i++;
  }
  *out = addresses;
  return 0;
}

/* The resolver's codes as libuv numbers them, below the errnos. */
static int translate(int code) {
  switch (code) {
  case EAI_ADDRFAMILY: return UV_EAI_ADDRFAMILY;
  case EAI_AGAIN: return UV_EAI_AGAIN;
  case EAI_BADFLAGS: return UV_EAI_BADFLAGS;
  case EAI_FAIL: return UV_EAI_FAIL;
  case EAI_FAMILY: return UV_EAI_FAMILY;
  case EAI_MEMORY: return -ENOMEM;
  case EAI_NODATA: return UV_EAI_NODATA;
  case EAI_SERVICE: return UV_EAI_SERVICE;
  case EAI_SOCKTYPE: return UV_EAI_SOCKTYPE;
  case EAI_SYSTEM: return errno != 0 ? -errno : UV_EAI_FAIL;
  default: return UV_EAI_NONAME;
  }
}

static int resolve(const lookup_t *lookup, weft__addresses_t **out) {
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = lookup->passive ? AI_PASSIVE : 0}, *list = NULL;
  errno = 0;
  int rc = getaddrinfo(lookup->host, NULL, &hints, &list);
  if (rc != 0) return translate(rc);
  rc = copy_addresses(list, out);
  freeaddrinfo(list);
  for (size_t i = 0; rc == 0 && i < (*out)->count; i++) weft__address_set_port(&(*out)->list[i], lookup->port);
  return rc;
}

static WEFT_ASYNC(look_up, lookup_t *);
static int look_up(lookup_t *lookup) {
  int rc = resolve(lookup, &lookup->addresses);
  return rc < 0 ? weft_fail(rc, "cannot look up '%s': %s", lookup->host, weft_strerror(rc)) : 0;
}

static void drop(void *args) {
  struct look_up_args_ *arguments = args;
  let_go(arguments->a);
}

/* ---- in a task ---- */

static int resolve_by_thread(const char *host, int port, bool passive, weft__addresses_t **out) {
  lookup_t *lookup = weft__alloc_zero(sizeof *lookup);
  if (lookup == NULL) return weft_fail(-ENOMEM, "no memory to look up %s", host);
  atom_init(&lookup->holders, 2);
  lookup->passive = passive;
  lookup->port = port;
  memcpy(lookup->host, host, strlen(host) + 1); /* no longer than HOST_MAX */
  int rc = weft__to_lane(WEFT__LANE_NAMES, look_up_async(lookup), drop);
  if (rc == 0) {
    *out = lookup->addresses;
    lookup->addresses = NULL;
  }
  let_go(lookup);
  return rc;
}

int weft__resolve(const char *host, int port, bool passive, weft__addresses_t **out) {
  if (host == NULL || *host == '\0') {
    WEFT__ASSERT(passive);
    *out = weft__addresses_any(port);
    return *out != NULL ? 0 : weft_fail(-ENOMEM, "no memory for the addresses to listen on");
  }
  weft__address_t address;
  if (weft__address_parse(host, port, &address)) {
    *out = weft__addresses_new(1);
    if (*out == NULL) return weft_fail(-ENOMEM, "no memory for the address of %s", host);
    (*out)->list[0] = address;
    return 0;
  }
  if (strlen(host) > HOST_MAX) return weft_fail(UV_EAI_NONAME, "cannot look up a name of %zu bytes", strlen(host));
  return resolve_by_thread(host, port, passive, out);
}
