/* Every macro and every twin of the public headers in use, so that a type that only fits in C, or only a name that nobody
 * ever wrote down, is seen. Compiled only. */
#include <weft.h>

static weft_contextvar_t request = WEFT_CONTEXTVAR("request", NULL);

struct handles {
  weft_task_t *task;
  weft_future_t *future;
  weft_gen_t *gen;
  weft_executor_t *executor;
  weft_stream_t *stream;
  weft_server_t *server;
};

static bool always(void *data) { return data == NULL; }
static int serve(weft_stream_t *stream, void *data) { return data == NULL && stream != NULL ? 0 : WEFT_VALUE; }

static WEFT_ASYNC(tasks_and_futures, struct handles *);
static int tasks_and_futures(struct handles *h) {
  int status, statuses[2];
  bool done[1];
  size_t index;
  weft_as_completed_t it;
  const weft_call_t calls[] = {weft_await_async(h->task), weft_yield_async()};
  weft_as_completed_init(&it, &h->future, 1, WEFT_FOREVER);
  int rc = weft_gather(weft_sleep_async(0.1), weft_join_async(h->task), weft_join_status_async(h->task, &status),
                       weft_await_future_async(h->future, &status), weft_shield_async(h->future, NULL),
                       weft_wait_for_future_async(h->future, 1, NULL), weft_as_completed_next_async(&it, &index),
                       weft_gather_n_async(calls, 2, statuses, WEFT_RETURN_EXCEPTIONS),
                       weft_gather_futures_async(&h->future, 1, statuses, 0),
                       weft_gather_tasks_async(&h->task, 1, statuses, 0),
                       weft_wait_async(&h->future, 1, WEFT_FIRST_COMPLETED, 0.5, done),
                       weft_wait_tasks_async(&h->task, 1, WEFT_FIRST_EXCEPTION, WEFT_FOREVER, done));
  weft_as_completed_destroy(&it);
  if (rc == 0) rc = weft_future_set_result(h->future, &status);
  return rc;
}

static WEFT_ASYNC(locks_and_queues);
static int locks_and_queues(void) {
  weft_lock_t lock;
  weft_event_t event;
  weft_condition_t condition;
  weft_semaphore_t semaphore;
  weft_barrier_t barrier;
  weft_queue_t queue;
  int item = 4, *value = &item;
  weft_lock_init(&lock);
  weft_event_init(&event);
  weft_condition_init(&condition, &lock);
  int rc =
      weft_semaphore_init(&semaphore, 1) + weft_barrier_init(&barrier, 2) + weft_queue_init(&queue, sizeof item, 0);
  if (rc == 0)
    rc = weft_gather(weft_lock_acquire_async(&lock), weft_event_wait_async(&event),
                     weft_condition_acquire_async(&condition), weft_condition_wait_async(&condition),
                     weft_condition_wait_for_async(&condition, always, NULL), weft_semaphore_acquire_async(&semaphore),
                     weft_barrier_wait_async(&barrier), weft_queue_put_async(&queue, &item),
                     weft_queue_get_async(&queue, &item), weft_queue_join_async(&queue));
  if (rc == 0) rc = weft_queue_put(&queue, value);
  if (rc == 0) rc = weft_queue_get(&queue, value);
  if (rc == 0) rc = weft_queue_put_nowait(&queue, value);
  if (rc == 0) rc = weft_queue_get_nowait(&queue, value);
  weft_queue_destroy(&queue);
  return rc < 0 ? rc : weft_contextvar_set(&request, NULL);
}

static WEFT_ASYNC(in_a_process, int);
WEFT_EXPORT(in_a_process);
static int in_a_process(int n) { return weft_job_result(&n); }

static WEFT_ASYNC(streams_and_pools, struct handles *);
static int streams_and_pools(struct handles *h) {
  char text[64];
  const weft_call_t call = locks_and_queues_async();
  return weft_gather(
      weft_open_connection_async("localhost", 80, &h->stream), weft_stream_read_async(h->stream, text, sizeof text),
      weft_stream_readline_async(h->stream, text, sizeof text),
      weft_stream_readuntil_async(h->stream, "\r\n", text, sizeof text),
      weft_stream_read_exactly_async(h->stream, text, sizeof text), weft_stream_write_async(h->stream, "hello", 5),
      weft_stream_drain_async(h->stream), weft_stream_write_eof_async(h->stream), weft_stream_close_async(h->stream),
      weft_start_server_async(NULL, 0, serve, NULL, &h->server), weft_server_serve_forever_async(h->server),
      weft_server_close_async(h->server), weft_gen_next_async(h->gen, text), weft_gen_send_async(h->gen, text, text),
      weft_gen_throw_async(h->gen, WEFT_VALUE, "no", text), weft_gen_close_async(h->gen),
      weft_executor_map_async(h->executor, &call, 1, NULL), weft_executor_shutdown_async(h->executor, true, false),
      weft_executor_shutdown_within_async(h->executor, true, 0.5),
      weft_loop_shutdown_default_executor_within_async(weft_get_running_loop(), 0.5),
      weft_executor_close_async(h->executor), weft_loop_shutdown_default_executor_async(weft_get_running_loop()),
      in_a_process_async(1));
}

int main(void) {
  static weft_config_t config;
  static struct handles h;
  config.workers = 2;
  int rc = weft_run_with(&config, tasks_and_futures_async(&h));
  if (rc == 0) rc = weft_run(streams_and_pools_async(&h));
  return rc == WEFT_CANCELLED || weft_error_is(weft_error(), WEFT_TIMEOUT) ? 1 : 0;
}
