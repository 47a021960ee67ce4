/* test_contextvars.c: context variables: inheritance, isolation, contexts that are entered, callbacks, threads, memory. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/threads.h"
#include "task/contextvars.h"

static char a0[] = "a0";
static weft_contextvar_t a = WEFT_CONTEXTVAR("a", a0);
static weft_contextvar_t b = WEFT_CONTEXTVAR("b", NULL);

static const char *get(const weft_contextvar_t *var) {
  const char *value = weft_contextvar_get(var);
  return value != NULL ? value : "-";
}
static void *text(const char *value) { return (void *)(uintptr_t)value; }
static int set(weft_contextvar_t *var, const char *value) { return weft_contextvar_set(var, text(value)); }
static intptr_t get_number(const weft_contextvar_t *var) {
  void *value = weft_contextvar_get(var);
  return (intptr_t)value;
}

static int run(unsigned workers, weft_call_t call) { return weft_run_with(&(weft_config_t){.workers = workers}, call); }

static char seen[512];
static void mark(void) {
  size_t used = strlen(seen);
  snprintf(seen + used, sizeof seen - used, "%s%s ", get(&a), get(&b));
}

static WEFT_ASYNC(child);
static int child(void) {
  mark();
  int rc = set(&a, "child");
  if (rc == 0) rc = set(&b, "child");
  mark();
  return rc;
}

static WEFT_ASYNC(parent);
static int parent(void) {
  mark();
  int rc = set(&a, "p");
  weft_task_t *early = weft_create_task(child_async()); /* a copy of now */
  if (rc == 0) rc = set(&a, "q");
  if (rc == 0) rc = set(&b, "r");
  if (rc == 0) rc = weft_join(early);
  mark(); /* nothing leaks out */
  if (rc == 0) rc = weft_join(weft_create_task(child_async()));
  mark();
  if (rc == 0) rc = weft_await_call(child_async()); /* a plain call is the same task */
  mark();
  return rc;
}

static void inherited_and_isolated(void **state) {
  (void)state;
  seen[0] = '\0';
  assert_int_equal(run(1, parent_async()), 0);
  assert_string_equal(seen, "a0- p- childchild qr qr childchild qr qr childchild childchild ");
  assert_string_equal(get(&a), "a0");
  assert_int_equal(set(&a, "x"), -EPERM);
  assert_int_equal(weft_contextvar_set(NULL, NULL), -EINVAL);
}

/* ---- contexts ---------------------------------------------------------------------------------------------------------- */

static weft_contextvars_t *context;

static int again(void *data) {
  (void)data;
  return 0;
}

static int inside(void *data) {
  mark();
  int rc = set(&a, data);
  mark();
  assert_int_equal(weft_contextvars_run(context, again, NULL), WEFT_RUNTIME);
  assert_non_null(strstr(weft_error()->message, "is already entered"));
  return rc < 0 ? rc : 7;
}

static WEFT_ASYNC(shows);
static int shows(void) {
  mark();
  return set(&b, "shown");
}

static WEFT_ASYNC(contexts);
static int contexts(void) {
  int rc = set(&a, "one");
  context = weft_contextvars_copy();
  if (rc == 0) rc = set(&a, "two");
  assert_int_equal(weft_contextvars_run(context, inside, text("in")), 7);
  mark();
  for (int i = 0; i < 2 && rc == 0; i++) /* two tasks in one context: what the first one sets the second one sees */
    rc = weft_join(weft_create_task_with(shows_async(), &(weft_task_options_t){.context = context}));
  assert_int_equal(weft_contextvars_run(context, inside, text("in2")), 7);
  mark();
  weft_contextvars_unref(context);
  weft_contextvars_unref(NULL);
  assert_int_equal(weft_contextvars_run(NULL, inside, NULL), -EINVAL);
  return rc;
}

static void entered(void **state) {
  (void)state;
  seen[0] = '\0';
  assert_int_equal(run(1, contexts_async()), 0);
  assert_string_equal(seen, "one- in- two- in- inshown inshown in2shown two- ");
  /* on a foreign thread too */
  seen[0] = '\0';
  context = weft_contextvars_copy();
  assert_int_equal(weft_contextvars_run(context, inside, text("t")), 7);
  mark();
  weft_contextvars_unref(context);
  assert_string_equal(seen, "a0- t- a0- ");
}

/* A task that runs in a context may not enter it. */
static WEFT_ASYNC(reenters);
static int reenters(void) { return weft_contextvars_run(context, again, NULL); }

static WEFT_ASYNC(reenter);
static int reenter(void) {
  context = weft_contextvars_copy();
  int rc = weft_join(weft_create_task_with(reenters_async(), &(weft_task_options_t){.context = context}));
  weft_contextvars_unref(context);
  return rc;
}

static void not_twice(void **state) {
  (void)state;
  assert_int_equal(run(1, reenter_async()), WEFT_RUNTIME);
}

/* ---- callbacks --------------------------------------------------------------------------------------------------------- */

static int callback(void *future) {
  mark();
  int rc = set(&a, "cb");
  mark();
  return rc < 0 ? rc : weft_future_set_done(future);
}

static WEFT_ASYNC(calls_back);
static int calls_back(void) {
  weft_future_t *done = weft_future_open(0);
  int rc = set(&a, "caller");
  weft_call_soon(weft_get_running_loop(), callback, done); /* the context is copied now */
  if (rc == 0) rc = set(&a, "later");
  if (rc == 0) rc = weft_await_future(done, NULL);
  weft_future_unref(done);
  mark();
  return rc;
}

static void copied_for_callbacks(void **state) {
  (void)state;
  seen[0] = '\0';
  assert_int_equal(run(1, calls_back_async()), 0);
  assert_string_equal(seen, "caller- cb- later- ");
}

static int job(void *inherited) {
  weft__context_frame_t outer, inner;
  weft__context_enter(&outer, inherited);
  assert_string_equal(get(&a), "caller");
  weft__context_enter(&inner, NULL);
  assert_string_equal(get(&a), "a0");
  assert_int_equal(set(&a, "inner"), 0);
  weft__context_leave(&inner);
  assert_string_equal(get(&a), "caller");
  assert_int_equal(set(&a, "job"), 0);
  weft__context_leave(&outer);
  return strcmp(get(&a), "a0");
}

static WEFT_ASYNC(hands_over);
static int hands_over(void) {
  int rc = set(&a, "caller");
  weft__thread_t thread;
  if (rc == 0) rc = weft__thread_start(&thread, job, weft__context_of_new_task(), NULL);
  if (rc == 0) rc = weft__thread_join(thread);
  assert_string_equal(get(&a), "caller");
  return rc;
}

static void entered_on_a_thread(void **state) {
  (void)state;
  assert_int_equal(run(1, hands_over_async()), 0);
}

/* ---- many variables, many workers, no memory --------------------------------------------------------------------------- */

enum { VARIABLES = 100 };
static weft_contextvar_t variables[VARIABLES];

static int check_all(intptr_t base) {
  for (intptr_t i = 0; i < VARIABLES; i++)
    if (get_number(&variables[i]) != base + i) return weft_fail(WEFT_RUNTIME, "wrong value");
  return 0;
}

static int set_all(intptr_t base) {
  for (intptr_t i = 0; i < VARIABLES; i++) { /* in no order */
    intptr_t at = i * 37 % VARIABLES;
    int rc = weft_contextvar_set(&variables[at], (void *)(base + at));
    if (rc < 0) return rc;
  }
  return check_all(base);
}

static WEFT_ASYNC(own, intptr_t, intptr_t, int);
static int own(intptr_t inherited, intptr_t base, int depth) {
  int rc = check_all(inherited);
  if (rc == 0) rc = set_all(base);
  weft_task_t *tasks[2] = {NULL, NULL};
  for (int i = 0; i < 2 && depth > 0; i++) tasks[i] = weft_create_task(own_async(base, 2 * base + i * 1000, depth - 1));
  if (rc == 0) rc = set_all(base + 1);
  if (rc == 0) rc = weft_yield();
  if (rc == 0) rc = check_all(base + 1);
  for (int i = 0; i < 2 && depth > 0; i++) {
    int one = weft_join(tasks[i]);
    if (one < 0) rc = one;
  }
  return rc;
}

/* All in one context, which they change at once. */
static WEFT_ASYNC(together, intptr_t);
static int together(intptr_t index) {
  for (intptr_t i = 0; i < 200; i++) {
    intptr_t mine = index * 1000 + i;
    int rc = weft_contextvar_set(&variables[index], (void *)mine);
    if (rc == 0) rc = weft_contextvar_set(&variables[VARIABLES - 1], (void *)mine);
    if (rc < 0) return rc;
    if (get_number(&variables[index]) != mine) return weft_fail(WEFT_RUNTIME, "lost an update");
    if (i % 16 == 0 && (rc = weft_yield()) < 0) return rc;
  }
  return 0;
}

static WEFT_ASYNC(shared);
static int shared(void) {
  weft_contextvars_t *one = weft_contextvars_copy();
  weft_task_t *tasks[8];
  int rc = 0;
  for (intptr_t i = 0; i < 8; i++)
    tasks[i] = weft_create_task_with(together_async(i), &(weft_task_options_t){.context = one});
  for (int i = 0; i < 8; i++) {
    int ended = weft_join(tasks[i]);
    if (ended < 0) rc = ended;
  }
  weft_contextvars_unref(one);
  return rc;
}

static WEFT_ASYNC(many);
static int many(void) {
  int rc = weft_join(weft_create_task(own_async(0, 1000, 5)));
  return rc < 0 ? rc : weft_join(weft_create_task(shared_async()));
}

static void many_workers(void **state) {
  (void)state;
  for (intptr_t i = 0; i < VARIABLES; i++) {
    weft_contextvar_t fresh = WEFT_CONTEXTVAR("v", (void *)i);
    variables[i] = fresh;
  }
  assert_int_equal(run(4, many_async()), 0);
}

static int set_without_memory(void *data) { return set(&a, data); }

static WEFT_ASYNC(memory_fails);
static int memory_fails(void) {
  weft__alloc_fail_from(1);
  int rc = set(&a, "x");
  weft_contextvars_t *copy = weft_contextvars_copy();
  weft__alloc_fail_from(-1);
  assert_int_equal(rc, -ENOMEM);
  assert_null(copy);
  assert_string_equal(get(&a), "a0");
  rc = set(&a, "x");
  copy = weft_contextvars_copy();
  weft__alloc_fail_from(1);
  assert_int_equal(set(&b, "y"), -ENOMEM);
  assert_int_equal(weft_contextvars_run(copy, set_without_memory, text("in")), -ENOMEM);
  weft__alloc_fail_from(-1);
  assert_string_equal(get(&a), "x");
  weft_contextvars_unref(copy);
  return rc;
}

static void no_memory(void **state) {
  (void)state;
  assert_int_equal(run(1, memory_fails_async()), 0);
}

static WEFT_ASYNC(tokens_elsewhere, weft_contextvar_token_t *);
static int tokens_elsewhere(weft_contextvar_token_t *token) { return weft_contextvar_reset(&a, token); }
static int sets_b(void *token) { return weft_contextvar_set_token(&b, text("in"), token); }
static int resets_b(void *token) { return weft_contextvar_reset(&b, token); }
static bool has(weft_contextvars_t *kept, const weft_contextvar_t *var, const char *value) {
  void *found;
  return weft_contextvars_get(kept, var, &found) && strcmp(found, value) == 0;
}

static WEFT_ASYNC(tokens);
static int tokens(void) {
  weft_contextvar_token_t first, second, inner, none;
  assert_int_equal(weft_contextvar_set_token(&a, text("one"), &first), 0);
  assert_int_equal(weft_contextvar_set_token(&a, text("two"), &second), 0);
  assert_string_equal(first.old_value, "a0");
  assert_string_equal(second.old_value, "one");
  assert_int_equal(weft_join(weft_create_task(tokens_elsewhere_async(&second))), WEFT_VALUE); /* another kept */
  assert_int_equal(weft_contextvar_reset(&b, &second), WEFT_VALUE);                           /* another variable */
  assert_int_equal(weft_contextvar_reset(&a, &second), 0);
  assert_string_equal(get(&a), "one");
  assert_int_equal(weft_contextvar_reset(&a, &second), WEFT_RUNTIME); /* twice */
  assert_true(weft_contextvars_get(NULL, &a, NULL));
  assert_int_equal(set(&b, "x"), 0);
  assert_int_equal(weft_contextvar_reset(&a, &first), 0); /* not set any more; b stays */
  assert_string_equal(get(&a), "a0");
  assert_false(weft_contextvars_get(NULL, &a, NULL));
  assert_string_equal(get(&b), "x");
  assert_int_equal(weft_contextvar_set_token(&a, NULL, NULL), -EINVAL);
  assert_int_equal(weft_contextvar_set_token(NULL, NULL, &none), -EINVAL);
  assert_int_equal(weft_contextvar_reset(&a, &none), -EINVAL);

  weft_contextvars_t *kept = weft_contextvars_copy();
  assert_int_equal(weft_contextvars_run(kept, sets_b, &inner), 0);
  assert_true(has(kept, &b, "in") && has(NULL, &b, "x"));
  assert_int_equal(weft_contextvar_reset(&b, &inner), WEFT_VALUE); /* outside of its kept */
  weft_contextvar_item_t items[2];
  assert_int_equal(weft_contextvars_items(kept, items, 2), 1);
  assert_true(items[0].var == &b && strcmp(items[0].value, "in") == 0);
  weft__alloc_fail_after(1);
  assert_int_equal(weft_contextvar_set_token(&a, text("late"), &none), -ENOMEM);
  assert_null(none.var);
  weft__alloc_fail_after(-1);
  assert_int_equal(weft_contextvars_run(kept, resets_b, &inner), 0);
  assert_true(has(kept, &b, "x"));
  weft_contextvars_unref(kept);
  return 0;
}
static void tokens_reset(void **state) {
  (void)state;
  assert_int_equal(run(1, tokens_async()), 0);
  assert_int_equal(weft_contextvars_items(NULL, NULL, 0), 0);
  assert_false(weft_contextvars_get(NULL, &a, NULL));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(inherited_and_isolated),
      cmocka_unit_test(entered),
      cmocka_unit_test(not_twice),
      cmocka_unit_test(copied_for_callbacks),
      cmocka_unit_test(entered_on_a_thread),
      cmocka_unit_test(many_workers),
      cmocka_unit_test(no_memory),
      cmocka_unit_test(tokens_reset),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
