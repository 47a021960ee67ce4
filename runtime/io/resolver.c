/* resolver.c: see resolver.h.
 *
 * A lookup has two holders, the waiting task and the queue (then the thread that runs it); whoever lets go last frees it.
 *   task:    queue it; lock; unless done: wait := &its wait; park (unlocks)
 *   thread:  getaddrinfo; lock; done := true; wake the wait if there is one; unlock; let go
 *   task:    lock (the thread is through with the wait); take the addresses, or, cancelled, wait := NULL; unlock; let go
 * lock guards done, wait, the outcome and the holders. The thread touches nothing of the loop but through the wait, whose
 * task is alive while it is set.
 *
 * Threads are started as lookups come, up to a bound, and end when the queue is empty. They are the process's, not a
 * loop's: one that hangs in a lookup nobody waits for any more holds nothing up. */
#include "io/resolver.h"

#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <uv.h>
#include <weft/error.h>

#include "base/alloc.h"
#include "base/list.h"
#include "base/threads.h"
#include "sched/loop.h"
#include "task/wait.h"

enum { THREADS_MAX = 8, HOST_MAX = 255 };

typedef struct lookup {
  weft__link_t link; /* in the queue; under queue_mutex */
  weft__spin_t lock;
  unsigned holders;
  bool done, passive;
  int port;
  int error; /* a resolver's or -ENOMEM; 0: addresses */
  weft__addresses_t *addresses;
  weft__wait_t *wait;
  char host[HOST_MAX + 1];
} lookup_t;

static weft__once_t once = WEFT__ONCE_INIT;
static weft__mutex_t queue_mutex; /* guards queue and threads */
static weft__list_t queue;
static unsigned threads;

static void set_up(void) {
  WEFT__ASSERT(weft__mutex_init(&queue_mutex) == 0);
  weft__list_init(&queue);
}

/* Under the lookup's lock, which it gives back. */
static void let_go(lookup_t *lookup) {
  bool last = --lookup->holders == 0;
  weft__spin_unlock(&lookup->lock);
  if (!last) return;
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

static int look_up(const lookup_t *lookup, weft__addresses_t **out) {
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = lookup->passive ? AI_PASSIVE : 0}, *list = NULL;
  errno = 0;
  int rc = getaddrinfo(lookup->host, NULL, &hints, &list);
  if (rc != 0) return translate(rc);
  rc = copy_addresses(list, out);
  freeaddrinfo(list);
  for (size_t i = 0; rc == 0 && i < (*out)->count; i++) weft__address_set_port(&(*out)->list[i], lookup->port);
  return rc;
}

static lookup_t *next_lookup(void) {
  weft__mutex_lock(&queue_mutex);
  weft__link_t *link = weft__list_pop_front(&queue);
  if (link == NULL) threads--;
  weft__mutex_unlock(&queue_mutex);
  return link == NULL ? NULL : weft__container_of(link, lookup_t, link);
}

static int run_lookups(void *unused) {
  (void)unused;
  for (lookup_t *lookup; (lookup = next_lookup()) != NULL;) {
    weft__addresses_t *addresses = NULL;
    int error = look_up(lookup, &addresses);
    weft__spin_lock(&lookup->lock);
    lookup->error = error;
    lookup->addresses = addresses;
    lookup->done = true;
    if (lookup->wait != NULL) (void)weft__wait_wake(lookup->wait); /* a cancelled one finds `done` or does not care */
    let_go(lookup);
  }
  return 0;
}

/* ---- in a task ---- */

/* 0, or the error that no thread could be started with while none runs. */
static int enqueue(lookup_t *lookup) {
  weft__once(&once, set_up);
  weft__mutex_lock(&queue_mutex);
  int rc = 0;
  if (threads < THREADS_MAX) {
    weft__thread_t thread;
    rc = weft__thread_start(&thread, run_lookups, NULL, "weft-resolver");
    if (rc == 0) {
      threads++;
      weft__thread_detach(thread);
    }
  }
  if (threads > 0) {
    rc = 0;
    weft__list_push_back(&queue, &lookup->link);
  }
  weft__mutex_unlock(&queue_mutex);
  return rc;
}

static int wait_for(lookup_t *lookup) {
  weft__wait_t wait;
  weft__wait_init(&wait);
  weft__spin_lock(&lookup->lock);
  if (lookup->done) {
    weft__spin_unlock(&lookup->lock);
    return 0;
  }
  lookup->wait = &wait;
  int rc = weft__wait_park(&wait, &lookup->lock);
  weft__spin_lock(&lookup->lock);
  lookup->wait = NULL;
  weft__spin_unlock(&lookup->lock);
  return rc;
}

static int resolve_by_thread(const char *host, int port, bool passive, weft__addresses_t **out) {
  lookup_t *lookup = weft__alloc_zero(sizeof *lookup);
  if (lookup == NULL) return weft_fail(-ENOMEM, "no memory to look up %s", host);
  weft__spin_init(&lookup->lock);
  weft__link_init(&lookup->link);
  lookup->holders = 2;
  lookup->passive = passive;
  lookup->port = port;
  memcpy(lookup->host, host, strlen(host) + 1); /* no longer than HOST_MAX */
  weft_loop_t *loop = weft__current_loop();
  int rc = enqueue(lookup);
  if (rc < 0) {
    weft__free(lookup, sizeof *lookup);
    return weft_fail(rc, "no thread to look up %s: %s", host, weft_strerror(rc));
  }
  atom_add(&loop->external, 1, acq_rel); /* a virtual clock stands still meanwhile */
  rc = wait_for(lookup);
  atom_sub(&loop->external, 1, acq_rel);
  weft__spin_lock(&lookup->lock);
  int error = lookup->error;
  if (rc == 0 && error == 0) {
    *out = lookup->addresses;
    lookup->addresses = NULL;
  }
  let_go(lookup);
  if (rc == 0 && error < 0) rc = weft_fail(error, "cannot look up '%s': %s", host, weft_strerror(error));
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
