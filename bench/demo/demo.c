/* demo.c: the server, and the course of the main job around it. Read demo_main from top to bottom: it is one task. */
#include "demo.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <weft.h>

#include "children.h"
#include "http.h"
#include "interrupt.h"
#include "report.h"

static int complain(const char *what, int rc) {
  const char *words = weft_error()->message;
  fprintf(stderr, "weft_demo: %s: %s\n", what, words[0] != '\0' ? words : weft_strerror(rc));
  return rc;
}

/* ---- serving only ----------------------------------------------------------------------------------------------------- */
static WEFT_ASYNC(serve_main, int);
static int serve_main(int port) {
  weft_server_t *server = NULL;
  weft_future_t *stop = weft_future_open(0);
  int rc = stop != NULL ? interrupt_watch(stop) : -ENOMEM;
  if (rc < 0) return complain("cannot wait for signals", rc);
  rc = weft_start_server("127.0.0.1", port, http_serve, NULL, &server);
  if (rc < 0) {
    complain("cannot serve", rc);
  } else {
    printf("weft demo: listening on http://127.0.0.1:%d/ (Ctrl-C ends it)\n", weft_server_port(server));
    fflush(stdout);
    rc = interrupt_wait(stop, WEFT_FOREVER);
    weft_ignore(weft_server_close(server));
  }
  interrupt_unwatch();
  weft_future_unref(stop);
  return rc < 0 ? rc : 0; /* connections that are still open are cancelled now, as asyncio.run does */
}

int demo_serve(int port, unsigned workers) {
  int rc = weft_run_with(&(const weft_config_t){.workers = workers}, serve_main_async(port));
  if (rc == 0) puts("weft demo: ended");
  return rc < 0;
}

/* ---- the main job ----------------------------------------------------------------------------------------------------- */
typedef struct demo {
  int port;
  unsigned seconds;
  stats_t *stats;
  int stats_fd;
  report_t report;
} demo_t;

/* The load's course: own clients all the time, wrk in the last third. 0, or a negative error. */
static int under_load(demo_t *demo, weft_future_t *stop, int port) {
  report_t *report = &demo->report;
  child_t client, wrk = {.output = -1};
  unsigned wrk_seconds = demo->seconds / 3 > 0 ? demo->seconds / 3 : 1;
  unsigned wrk_begins = demo->seconds > wrk_seconds ? demo->seconds - wrk_seconds : 0;
  int rc = children_start_client(&client, port, demo->stats_fd);
  if (rc < 0) return complain("cannot start the clients", rc);
  weft_loop_t *loop = weft_get_running_loop();
  double began = weft_loop_time(loop);
  for (unsigned second = 0; second < demo->seconds || !children_ended(&wrk); second++) {
    if (second == wrk_begins && !report->wrk_missing) {
      int wrk_rc = children_start_wrk(&wrk, port, wrk_seconds);
      report->wrk_ran = wrk_rc == 0;
      report->wrk_missing = wrk_rc < 0;
    }
    rc = interrupt_wait(stop, began + second + 1 - weft_loop_time(loop));
    if (rc != 0) break;
    report_progress(report, weft_loop_time(loop) - began, wrk.pid > 0);
    if (children_ended(&client)) {
      rc = complain("the clients' process ended early", -ECHILD);
      break;
    }
  }
  report->interrupted = rc > 0;
  report->seconds = weft_loop_time(loop) - began;
  if (report->wrk_ran) {
    if (!children_ended(&wrk)) weft_ignore(children_end(&wrk));
    report->wrk_readable = children_wrk_result(&wrk, &report->wrk);
  }
  report->client_status = children_end(&client);
  return rc < 0 ? rc : 0;
}

/* Connections see their peers' end a moment after the clients' process is gone. */
static int tasks_left(void) {
  weft_loop_t *loop = weft_get_running_loop();
  for (int i = 0; i < 100 && weft_all_tasks(loop, NULL, 0) > 1; i++)
    if (weft_sleep(0.01) < 0) break;
  return weft_all_tasks(loop, NULL, 0) - 1; /* without this one */
}

static WEFT_ASYNC(demo_main, demo_t *);
static int demo_main(demo_t *demo) {
  weft_server_t *server = NULL;
  weft_future_t *stop = weft_future_open(0);
  int rc = stop != NULL ? interrupt_watch(stop) : -ENOMEM;
  if (rc < 0) return complain("cannot wait for signals", rc);
  rc = weft_start_server("127.0.0.1", demo->port, http_serve, NULL, &server);
  if (rc < 0) {
    complain("cannot serve", rc);
  } else {
    int port = weft_server_port(server);
    printf("weft demo: http://127.0.0.1:%d/ on %u workers; load for %u s, wrk in the last third; Ctrl-C ends it\n",
           port, demo->report.workers, demo->seconds);
    rc = under_load(demo, stop, port);
    weft_ignore(weft_server_close(server));
    demo->report.tasks_left = tasks_left();
    demo->report.working = workers_read(demo->report.work, WORKERS_MOST);
  }
  interrupt_unwatch();
  weft_future_unref(stop);
  return rc;
}

static int open_descriptors(void) {
  int n = 0;
  DIR *folder = opendir("/proc/self/fd");
  if (folder == NULL) return 0;
  while (readdir(folder) != NULL) n++;
  closedir(folder);
  return n;
}

int demo_run(int port, unsigned workers, unsigned seconds) {
  static demo_t demo;
  demo = (demo_t){.port = port, .seconds = seconds, .report = {.workers = workers}};
  demo.stats = stats_open(&demo.stats_fd);
  if (demo.stats == NULL) {
    perror("weft_demo: shared memory");
    return 1;
  }
  demo.report.stats = demo.stats;
  int before = open_descriptors();
  demo.report.run_status = weft_run_with(&(const weft_config_t){.workers = workers}, demo_main_async(&demo));
  demo.report.descriptors_left = open_descriptors() - before;
  if (demo.report.seconds <= 0) return 1; /* no load at all: the reason was printed */
  report_table(&demo.report);
  return report_verdict(&demo.report);
}
