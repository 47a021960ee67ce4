/* zygote.c: see zygote.h. One request is under way at a time, under a mutex; its answer follows at once. */
#include "exec/zygote.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weft/executors.h>

#include "base/threads.h"
#include "exec/pinning.h"
#include "exec/wire.h"
#include "task/schedule.h"

static weft__once_t once = WEFT__ONCE_INIT;
static weft__mutex_t mutex; /* guards all below */
static int control = -1;    /* the socket; -1: there is no zygote */
static pid_t owner;         /* the process that made it: a fork of ours must not use it */
static unsigned users;

static void make(void) { WEFT__ASSERT(weft__mutex_init(&mutex) == 0); }

/* ---- birth ------------------------------------------------------------------------------------------------------------- */

typedef struct birth {
  int rc;
  int fd; /* the zygote's socket, where rc is 0 */
} birth_t;

/* Forks twice: the zygote's parent ends at once. 0 or a negative errno. */
static int fork_away(const int sockets[2]) {
  pid_t parent = getpid(), middle = fork();
  if (middle < 0) return -errno;
  if (middle == 0) {
    pid_t zygote = fork();
    if (zygote == 0) weft__zygote_main(sockets[1], parent);
    _exit(zygote < 0 ? errno : 0);
  }
  int status;
  while (waitpid(middle, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? -WEXITSTATUS(status) : -EAGAIN;
}

static bool receive_within(int fd, weft__zygote_reply_t *reply, int ms) {
  struct pollfd polled = {.fd = fd, .events = POLLIN};
  int n;
  while ((n = poll(&polled, 1, ms)) < 0 && errno == EINTR) {
  }
  return n > 0 && recv(fd, reply, sizeof *reply, 0) == (ssize_t)sizeof *reply;
}

/* 0; -ETIME: it was born with locks that nobody will ever open, and is dead; another negative errno. */
static int try_birth(int *fd, int patience_ms) {
  int sockets[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0) return -errno;
  weft__zygote_reply_t hello, proof;
  int rc = fork_away(sockets);
  close(sockets[1]);
  if (rc == 0 && !receive_within(sockets[0], &hello, -1)) rc = -EPIPE;
  if (rc == 0 && !receive_within(sockets[0], &proof, patience_ms)) {
    kill(hello.pid, SIGKILL); /* it lives: its number is its own */
    rc = -ETIME;
  }
  if (rc == 0)
    *fd = sockets[0];
  else
    close(sockets[0]);
  return rc;
}

static int give_birth(void *data) {
  enum { ATTEMPTS = 10, PATIENCE_MS = 1000, PATIENCE_MAX_MS = 30000 };
  birth_t *birth = data;
  fflush(stdout); /* else what is buffered would be written by each of them; other streams they leave alone */
  fflush(stderr);
  weft__pin_lift();
  int patience = PATIENCE_MS;
  birth->rc = -ETIME;
  for (int i = 0; i < ATTEMPTS && birth->rc == -ETIME; i++) {
    birth->rc = try_birth(&birth->fd, patience);
    patience = patience < PATIENCE_MAX_MS / 2 ? patience * 2 : PATIENCE_MAX_MS; /* it may just be slow */
  }
  weft__pin_restore();
  return 0;
}

/* Under the mutex. On a task's small stack, and where signals are blocked, a thread of its own does it. */
static int open_zygote(void) {
  birth_t birth = {.rc = 0};
  if (weft__current_loop() != NULL) {
    weft__thread_t thread;
    weft__pin_lift();
    int rc = weft__thread_start(&thread, give_birth, &birth, "weft-fork");
    weft__pin_restore();
    if (rc < 0) return rc;
    weft__thread_join(thread);
  } else {
    give_birth(&birth);
  }
  if (birth.rc < 0) return birth.rc;
  control = birth.fd;
  owner = getpid();
  return 0;
}

/* Under the mutex. */
static void close_zygote(void) {
  if (control >= 0) close(control); /* it sees the end and leaves */
  control = -1;
}

static int require(void) {
  if (control >= 0 && owner != getpid()) { /* we are a fork of the owner: its zygote is not ours */
    close_zygote();
    users = 0;
  }
  return control >= 0 ? 0 : open_zygote();
}

int weft__zygote_retain(void) {
  weft__once(&once, make);
  weft__mutex_lock(&mutex);
  int rc = require();
  if (rc == 0) users++;
  weft__mutex_unlock(&mutex);
  return rc;
}

void weft__zygote_release(void) {
  weft__mutex_lock(&mutex);
  if (owner == getpid() && users > 0 && --users == 0) close_zygote();
  weft__mutex_unlock(&mutex);
}

int weft_process_pool_prepare(void) {
  static bool prepared; /* under the mutex: holds one for good */
  weft__once(&once, make);
  weft__mutex_lock(&mutex);
  bool mine = prepared && owner == getpid();
  int rc = require();
  if (rc == 0 && !mine) {
    users++;
    prepared = true;
  }
  weft__mutex_unlock(&mutex);
  return rc < 0 ? weft_fail(rc, "weft_process_pool_prepare: %s", weft_strerror(rc)) : 0;
}

/* ---- requests ---------------------------------------------------------------------------------------------------------- */

static int receive_reply(weft__zygote_reply_t *reply, int *fd) {
  union {
    struct cmsghdr head;
    char space[CMSG_SPACE(sizeof(int))];
  } ancillary;
  struct iovec part = {reply, sizeof *reply};
  struct msghdr message = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = &ancillary, .msg_controllen = sizeof ancillary};
  ssize_t got;
  while ((got = recvmsg(control, &message, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR) {
  }
  if (got != (ssize_t)sizeof *reply) return -EPIPE;
  struct cmsghdr *head = CMSG_FIRSTHDR(&message);
  if (head != NULL && head->cmsg_type == SCM_RIGHTS) memcpy(fd, CMSG_DATA(head), sizeof *fd);
  return reply->rc;
}

/* Under the mutex. A zygote that somebody killed is replaced at the next spawn. */
static int ask(int op, uint64_t serial, weft__zygote_reply_t *reply, int *fd) {
  weft__zygote_request_t request = {.op = op, .serial = serial};
  if (control < 0 || owner != getpid()) return -EPIPE;
  int rc = send(control, &request, sizeof request, MSG_NOSIGNAL) == (ssize_t)sizeof request ? 0 : -EPIPE;
  if (rc == 0) rc = receive_reply(reply, fd);
  if (rc == -EPIPE) close_zygote();
  return rc;
}

int weft__zygote_spawn(weft__process_t *process) {
  weft__zygote_reply_t reply;
  int fd = -1;
  weft__mutex_lock(&mutex);
  int rc = ask(WEFT__ZYGOTE_SPAWN, 0, &reply, &fd);
  if (rc == -EPIPE && (rc = require()) == 0) rc = ask(WEFT__ZYGOTE_SPAWN, 0, &reply, &fd);
  weft__mutex_unlock(&mutex);
  if (rc < 0) return rc;
  if (fd < 0) return -EMFILE; /* there was no room for the descriptor here; the process sees its end */
  *process = (weft__process_t){reply.serial, reply.pid, fd};
  return 0;
}

void weft__zygote_kill(uint64_t serial) {
  weft__zygote_reply_t reply;
  int fd = -1;
  weft__mutex_lock(&mutex);
  (void)ask(WEFT__ZYGOTE_KILL, serial, &reply, &fd);
  weft__mutex_unlock(&mutex);
}

int weft__zygote_reap(uint64_t serial, int *status) {
  weft__zygote_reply_t reply;
  int fd = -1;
  weft__mutex_lock(&mutex);
  int rc = ask(WEFT__ZYGOTE_REAP, serial, &reply, &fd);
  weft__mutex_unlock(&mutex);
  if (rc == 0) *status = (int)reply.status;
  return rc;
}
