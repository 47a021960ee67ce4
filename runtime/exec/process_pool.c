/* process_pool.c: a pool of processes: a pool of threads each of which owns a process, sends it a job and waits for the
 * answer. So order, growth, withdrawal, limits and shutdown are those of pool.h.
 *
 * A process that dies is seen by its thread as the end of the socket. Then, as in asyncio, the pool is broken: what waits
 * and what runs elsewhere fails too (the other processes are killed, their threads see that); or with WEFT_POOL_ISOLATE
 * only the job that it ran fails, and the next one gets a new process. A process that has died while it had no job is
 * replaced without anybody's loss under WEFT_POOL_ISOLATE, and breaks the pool without it. */
#include <weft/executors.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/processors.h"
#include "exec/exports.h"
#include "exec/pool.h"
#include "exec/thread_pool.h"
#include "exec/wire.h"
#include "exec/zygote.h"

typedef weft__thread_pool_t pool_t;
typedef weft__pool_thread_t thread_t;

typedef struct settings {
  unsigned flags, max_tasks;
  bool has_initializer;
  weft_call_t initializer;
} settings_t;

/* A thread's process. */
typedef struct crewman {
  weft__process_t process; /* fd -1: none */
  unsigned jobs;
  _Atomic(uint64_t) serial; /* of the process; 0: none; for who breaks the pool */
} crewman_t;

static const char broken_words[] = "A child process terminated abruptly, the process pool is not usable anymore";
static const char initializer_words[] = "A process initializer failed, the process pool is not usable anymore";

/* ---- one process ------------------------------------------------------------------------------------------------------- */

enum { GRACE_MS = 2000 };

/* Closes its socket, lets it flush and leave, and reaps it. Its wait status; -1: unknown. */
static int end_process(crewman_t *man, bool gracefully) {
  int status = -1;
  if (gracefully) {
    struct pollfd polled = {.fd = man->process.fd, .events = POLLIN};
    shutdown(man->process.fd, SHUT_WR);
    while (poll(&polled, 1, GRACE_MS) < 0 && errno == EINTR) {
    }
  }
  close(man->process.fd);
  man->process.fd = -1;
  if (weft__zygote_reap(man->process.serial, &status) < 0) status = -1;
  atom_store(&man->serial, 0, relaxed); /* a late kill finds no such serial number at the zygote */
  return status;
}

static void describe(char *text, size_t size, int status) {
  int used = snprintf(text, size,
                      "A process in the process pool was terminated abruptly while the future was running or "
                      "pending.");
  if (status < 0 || used < 0 || (size_t)used >= size) return;
  if (WIFSIGNALED(status))
    snprintf(text + used, size - (size_t)used, " (signal %d: %s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
  else
    snprintf(text + used, size - (size_t)used, " (exit status %d)", WEXITSTATUS(status));
}

typedef struct answer {
  int status;
  weft__record_t *record;
} answer_t;

/* A call there and back. False: the process is gone. */
static bool exchange(crewman_t *man, const weft_call_t *call, weft__output_t *output, answer_t *answer) {
  int fd = man->process.fd;
  const char *why;
  const weft_export_t *export_ = weft__export_of(call, &why);
  if (export_ == NULL || strlen(export_->file) >= WEFT__WIRE_TEXT_MAX || strlen(export_->name) >= WEFT__WIRE_TEXT_MAX) {
    if (export_ != NULL) why = "its name is too long";
    answer->record = weft__record_make(WEFT_VALUE, 0, "%s cannot run in a process: %s", call->name, why);
    answer->status = WEFT_VALUE;
    return true;
  }
  weft__wire_request_t request = {(uint32_t)strlen(export_->file), (uint32_t)strlen(export_->name),
                                  (uint32_t)call->size};
  weft__wire_response_t response;
  if (!weft__wire_send(fd, &request, sizeof request) || !weft__wire_send(fd, export_->file, request.file_size) ||
      !weft__wire_send(fd, export_->name, request.name_size) || !weft__wire_send(fd, call->args.bytes, call->size) ||
      !weft__wire_receive(fd, &response, sizeof response))
    return false;
  if (!response.found) {
    answer->record = weft__record_make(WEFT_VALUE, 0, "%s cannot run in a process: it is not known there", call->name);
    answer->status = WEFT_VALUE;
    return true;
  }
  char message[WEFT__WIRE_TEXT_MAX];
  if (response.message_size >= sizeof message || !weft__wire_receive(fd, message, response.message_size)) return false;
  message[response.message_size] = '\0';
  *output = (weft__output_t){NULL, 0, response.has_result};
  if (response.result_size > 0) {
    output->data = response.result_size <= WEFT__WIRE_RESULT_MAX ? weft__alloc(response.result_size) : NULL;
    if (output->data == NULL) { /* the bytes cannot be left in the socket: the process goes with them */
      answer->record = weft__record_make(-ENOMEM, 0, "no memory for a result of %u bytes", response.result_size);
      answer->status = -ENOMEM;
      end_process(man, false);
      return true;
    }
    output->size = response.result_size;
    if (!weft__wire_receive(fd, output->data, output->size)) {
      weft__output_drop(output);
      return false;
    }
  }
  answer->status = response.status;
  answer->record = response.status < 0 ? weft__record_make(response.status, response.context, "%s", message) : NULL;
  return true;
}

/* ---- a thread with its process ------------------------------------------------------------------------------------------ */

/* True: no word of its end, or anything else, has come. */
static bool is_alive(const crewman_t *man) {
  struct pollfd polled = {.fd = man->process.fd, .events = POLLIN};
  int n;
  while ((n = poll(&polled, 1, 0)) < 0 && errno == EINTR) {
  }
  return n == 0;
}

/* The pool is no more: ends the other processes, whose threads see it. */
static void break_pool(pool_t *pool, const char *words) {
  enum { BATCH = 64 };
  if (!weft__pool_break(pool, words)) return;
  uint64_t serials[BATCH];
  unsigned skip = 0, count;
  do {
    unsigned at = 0;
    count = 0;
    weft__spin_lock(&pool->lock);
    for (weft__link_t *link = pool->active.head.next; link != &pool->active.head && count < BATCH; link = link->next) {
      const crewman_t *man = weft__pool_thread_of(link)->crew_data;
      uint64_t serial = man != NULL ? atom_load(&man->serial, relaxed) : 0;
      if (serial != 0 && at++ >= skip) serials[count++] = serial;
    }
    weft__spin_unlock(&pool->lock);
    for (unsigned i = 0; i < count; i++) weft__zygote_kill(serials[i]);
    skip += count;
  } while (count == BATCH);
}

/* 0, or why there is no process to run the job. */
static int have_process(pool_t *pool, crewman_t *man, answer_t *answer) {
  settings_t *settings = pool->crew_data;
  bool isolate = (settings->flags & WEFT_POOL_ISOLATE) != 0;
  if (man->process.fd >= 0 && !is_alive(man)) {
    int status = end_process(man, false);
    if (!isolate) {
      char text[256];
      describe(text, sizeof text, status);
      answer->status = WEFT_BROKEN_POOL;
      answer->record = weft__record_make(WEFT_BROKEN_POOL, 0, "%s", text);
      break_pool(pool, broken_words);
      return WEFT_BROKEN_POOL;
    }
  }
  if (man->process.fd >= 0) return 0;
  int rc = weft__zygote_spawn(&man->process);
  if (rc < 0) {
    man->process.fd = -1;
    answer->status = rc;
    answer->record = weft__record_make(rc, 0, "no process could be started: %s", weft_strerror(rc));
    return rc;
  }
  man->jobs = 0;
  atom_store(&man->serial, man->process.serial,
             relaxed); /* read under the pool's lock, which the breaker takes later */
  if (!settings->has_initializer) return 0;
  weft__output_t output = {NULL, 0, false};
  answer_t first = {0, NULL};
  bool alive = exchange(man, &settings->initializer, &output, &first);
  weft__output_drop(&output);
  weft__record_unref(first.record);
  if (alive && first.status >= 0) return 0;
  if (man->process.fd >= 0) end_process(man, alive);
  answer->status = WEFT_BROKEN_POOL;
  answer->record = weft__record_make(WEFT_BROKEN_POOL, 0, "%s", initializer_words);
  break_pool(pool, initializer_words);
  return WEFT_BROKEN_POOL;
}

static crewman_t *crewman_of(pool_t *pool, thread_t *thread) {
  if (thread->crew_data != NULL) return thread->crew_data;
  crewman_t *man = weft__alloc_zero(sizeof *man);
  if (man == NULL) return NULL;
  man->process.fd = -1;
  weft__spin_lock(&pool->lock);
  thread->crew_data = man;
  weft__spin_unlock(&pool->lock);
  return man;
}

static bool is_broken(pool_t *pool) {
  weft__spin_lock(&pool->lock);
  bool broken = pool->broken != NULL;
  weft__spin_unlock(&pool->lock);
  return broken;
}

static void run(pool_t *pool, thread_t *thread, weft__job_t *job) {
  settings_t *settings = pool->crew_data;
  crewman_t *man = crewman_of(pool, thread);
  answer_t answer = {-ENOMEM, NULL};
  if (man == NULL) {
    answer.record = weft__record_make(-ENOMEM, 0, "no memory for a process");
  } else if (have_process(pool, man, &answer) == 0) {
    /* A breaker that came before our serial number was there has not killed this one. */
    bool alive = !is_broken(pool) && exchange(man, job->call, &job->output, &answer);
    if (!alive) {
      int status = end_process(man, false);
      char text[256];
      describe(text, sizeof text, status);
      answer.status = WEFT_BROKEN_POOL;
      answer.record = weft__record_make(WEFT_BROKEN_POOL, 0, "%s", text);
      if (!(settings->flags & WEFT_POOL_ISOLATE)) break_pool(pool, broken_words);
    } else if (man->process.fd >= 0 && settings->max_tasks > 0 && ++man->jobs >= settings->max_tasks) {
      end_process(man, true);
    }
  }
  job->finish(job, answer.status, answer.record);
}

static void leave(pool_t *pool, thread_t *thread) {
  crewman_t *man = thread->crew_data;
  if (man == NULL) return;
  if (man->process.fd >= 0) end_process(man, true);
  weft__spin_lock(&pool->lock);
  thread->crew_data = NULL;
  weft__spin_unlock(&pool->lock);
  weft__free(man, sizeof *man);
}

static void free_settings(pool_t *pool) {
  weft__free(pool->crew_data, sizeof(settings_t));
  weft__zygote_release();
}

static const weft__pool_crew_t crew = {run, leave, free_settings};

/* All of a thread pool's but the name. */
static weft__executor_kind_t kind;
static weft__once_t kind_once = WEFT__ONCE_INIT;
static void make_kind(void) {
  kind = weft__thread_pool_kind;
  kind.name = "process pool";
}

/* ---- opening ----------------------------------------------------------------------------------------------------------- */

int weft_process_pool_open_with(const weft_process_pool_options_t *options, weft_executor_t **out) {
  static const weft_process_pool_options_t defaults;
  enum { WORKERS_MAX = 1024 };
  if (out == NULL) return weft_fail(-EINVAL, "weft_process_pool_open: no place for the pool");
  *out = NULL;
  if (options == NULL) options = &defaults;
  if (options->max_workers > WORKERS_MAX)
    return weft_fail(-EINVAL, "weft_process_pool_open: %u processes were asked for, the most is %d",
                     options->max_workers, WORKERS_MAX);
  if (options->flags & ~(unsigned)WEFT_POOL_ISOLATE)
    return weft_fail(-EINVAL, "weft_process_pool_open: unknown flags %#x", options->flags);
  if (options->initializer != NULL && options->initializer->entry == NULL)
    return weft_fail(WEFT_TYPE, "weft_process_pool_open: the initializer is a call without a function");
  settings_t *settings = weft__alloc_zero(sizeof *settings);
  int rc = settings != NULL ? weft__zygote_retain() : -ENOMEM;
  if (rc == 0) {
    unsigned lanes[WEFT__LANES] = {0};
    lanes[WEFT__LANE_USER] = options->max_workers != 0 ? options->max_workers : weft__processors();
    const weft_thread_pool_options_t threads = {.name = "weft-processes", .queue_limit = options->queue_limit};
    rc = weft__thread_pool_open(lanes, &threads, out);
    if (rc < 0) weft__zygote_release();
  }
  if (rc < 0) {
    weft__free(settings, sizeof *settings);
    return weft_fail(rc, "weft_process_pool_open: %s", weft_strerror(rc));
  }
  settings->flags = options->flags;
  settings->max_tasks = options->max_tasks_per_child;
  if (options->initializer != NULL) {
    settings->has_initializer = true;
    settings->initializer = *options->initializer;
  }
  pool_t *pool = weft__container_of(*out, pool_t, base);
  weft__once(&kind_once, make_kind);
  pool->base.kind = &kind;
  pool->crew = &crew;
  pool->crew_data = settings;
  pool->keep_alive = WEFT__TIME_NEVER; /* a process that is warm stays so */
  return 0;
}

int weft_process_pool_open(unsigned max_workers, unsigned flags, weft_executor_t **out) {
  const weft_process_pool_options_t options = {.max_workers = max_workers, .flags = flags};
  return weft_process_pool_open_with(&options, out);
}
