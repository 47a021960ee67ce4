/* zygote_main.c: the zygote itself: a process of one thread that forks, kills and reaps processes of pools. It asks for no
 * memory but to prove that its children may: it may be a fork of a process of many threads.
 *
 * Its children are in a table by serial number. SIGCHLD is blocked but while it waits; then the dead are reaped at once, and
 * their status is kept until it is asked for. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"
#include "exec/wire.h"
#include "exec/zygote.h"

enum { CHILDREN_MAX = 4096, CONTROL = 3, WATCH = 4, FIRST_FREE = 5 };

typedef struct child {
  uint64_t serial; /* 0: free */
  pid_t pid;
  bool dead;
  int status;
} child_t;

static child_t children[CHILDREN_MAX];
static uint64_t serials; /* begins with this zygote's number, so that another one's are others */

static void on_child(int number) { (void)number; }

static void reap_the_dead(void) {
  int status;
  pid_t pid;
  while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
    for (int i = 0; i < CHILDREN_MAX; i++) {
      if (children[i].serial == 0 || children[i].dead || children[i].pid != pid) continue;
      children[i].dead = true;
      children[i].status = status;
      break;
    }
  }
}

static child_t *find(uint64_t serial) {
  for (int i = 0; i < CHILDREN_MAX; i++)
    if (children[i].serial == serial) return &children[i];
  return NULL;
}

/* As a fresh program has them; what the parent's threads block or handle is not ours. */
static void reset_signals(void) {
  struct sigaction plain = {.sa_handler = SIG_DFL};
  for (int number = 1; number < NSIG; number++) sigaction(number, &plain, NULL);
  signal(SIGINT, SIG_IGN); /* Ctrl-C goes to the whole group: the parent decides what to do about it */
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
}

static void close_from(int first) {
#ifdef SYS_close_range
  if (syscall(SYS_close_range, (unsigned)first, ~0u, 0u) == 0) return;
#endif
  long most = sysconf(_SC_OPEN_MAX);
  for (long fd = first; fd < (most > 0 ? most : 65536); fd++) close((int)fd);
}

/* ---- requests ---------------------------------------------------------------------------------------------------------- */

static void reply_with(weft__zygote_reply_t reply, int fd) {
  union {
    struct cmsghdr head;
    char space[CMSG_SPACE(sizeof(int))];
  } ancillary;
  struct iovec part = {&reply, sizeof reply};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  if (fd >= 0) {
    memset(&ancillary, 0, sizeof ancillary);
    message.msg_control = &ancillary;
    message.msg_controllen = sizeof ancillary;
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(head), &fd, sizeof fd);
  }
  while (sendmsg(CONTROL, &message, MSG_NOSIGNAL) < 0 && errno == EINTR) {
  }
}

__attribute__((noreturn)) static void become_process(int fd, pid_t zygote) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != zygote) _exit(0); /* it was gone before that */
  reset_signals();
  prctl(PR_SET_NAME, "weft-process");
  dup2(fd, CONTROL); /* nothing of the zygote's stays open */
  fcntl(CONTROL, F_SETFD, FD_CLOEXEC);
  close_from(WATCH);
  weft__process_main(CONTROL);
}

static void spawn(void) {
  weft__zygote_reply_t reply = {.rc = 0};
  child_t *child = find(0);
  int sockets[2] = {-1, -1};
  pid_t pid = -1, zygote = getpid();
  if (child == NULL)
    reply.rc = -EAGAIN;
  else if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) < 0)
    reply.rc = -errno;
  /* Without the handlers of pthread_atfork: libuv's would close the numbers of descriptors that are long gone here, and
   * that name the sockets now. This process has one thread and holds no lock. */
  else if ((pid = _Fork()) < 0)
    reply.rc = -errno;
  if (pid == 0) become_process(sockets[1], zygote);
  if (pid > 0) {
    *child = (child_t){.serial = ++serials, .pid = pid};
    reply.pid = pid;
    reply.serial = child->serial;
  }
  reply_with(reply, pid > 0 ? sockets[0] : -1);
  if (sockets[0] >= 0) close(sockets[0]);
  if (sockets[1] >= 0) close(sockets[1]);
}

static void end_child(uint64_t serial, bool reap) {
  weft__zygote_reply_t reply = {.rc = 0};
  child_t *child = serial != 0 ? find(serial) : NULL;
  if (child == NULL) {
    reply.rc = -ESRCH;
  } else {
    if (!child->dead) kill(child->pid, SIGKILL); /* one that is on its way out keeps its own status */
    if (reap) {
      if (!child->dead)
        while (waitpid(child->pid, &child->status, 0) < 0 && errno == EINTR) {
        }
      reply.status = child->status;
      *child = (child_t){.serial = 0};
    }
  }
  reply_with(reply, -1);
}

/* False: the parent is gone. */
static bool serve_one(void) {
  weft__zygote_request_t request;
  ssize_t got = recv(CONTROL, &request, sizeof request, 0);
  if (got < 0 && errno == EINTR) return true;
  if (got != (ssize_t)sizeof request) return false;
  if (request.op == WEFT__ZYGOTE_SPAWN)
    spawn();
  else
    end_child(request.serial, request.op == WEFT__ZYGOTE_REAP);
  return true;
}

void weft__zygote_main(int control, pid_t parent) {
  int watch = (int)syscall(SYS_pidfd_open, parent, 0); /* -1: the kernel has none; the socket's end must do */
  reset_signals();
  prctl(PR_SET_NAME, "weft-zygote");
  serials = (uint64_t)getpid() << 32;
  int high = fcntl(control, F_DUPFD_CLOEXEC, FIRST_FREE), high_watch = -1;
  if (watch >= 0) high_watch = fcntl(watch, F_DUPFD_CLOEXEC, FIRST_FREE);
  dup2(high, CONTROL);
  fcntl(CONTROL, F_SETFD, FD_CLOEXEC);
  if (high_watch >= 0) {
    dup2(high_watch, WATCH);
    fcntl(WATCH, F_SETFD, FD_CLOEXEC);
  }
  close_from(high_watch >= 0 ? FIRST_FREE : WATCH);
  reply_with((weft__zygote_reply_t){.pid = getpid()}, -1);
  weft__zygote_prove();
  reply_with((weft__zygote_reply_t){.pid = getpid()}, -1);
  struct sigaction action = {.sa_handler = on_child};
  sigaction(SIGCHLD, &action, NULL);
  sigset_t blocked, waiting;
  sigprocmask(SIG_SETMASK, NULL, &waiting);
  blocked = waiting;
  sigaddset(&blocked, SIGCHLD);
  sigprocmask(SIG_SETMASK, &blocked, NULL);
  for (;;) {
    struct pollfd polled[2] = {{.fd = CONTROL, .events = POLLIN},
                               {.fd = high_watch >= 0 ? WATCH : -1, .events = POLLIN}};
    int n = ppoll(polled, 2, NULL, &waiting);
    bool failed = n < 0 && errno != EINTR;
    reap_the_dead();
    if (failed) break;
    if (n <= 0) continue;
    if (polled[1].revents != 0) break;
    if (polled[0].revents != 0 && !serve_one()) break;
  }
  for (int i = 0; i < CHILDREN_MAX; i++)
    if (children[i].serial != 0 && !children[i].dead) kill(children[i].pid, SIGKILL);
  _exit(0);
}
