/* test_seeds_iterators.c: first programs with asynchronous iterators and managers. An iterator is a struct with a `next`
 * that is read like read(2): 1 an item, 0 the end, below 0 an error; a manager has `enter` and `exit`. */
#include "transcript.h"

/* 004: two clients, each receives five messages in its own time. */
struct c004_client {
  const char *name;
  double first, rest;
  int total, received;
};
static int c004_next(struct c004_client *client, const char **message) {
  if (client->received >= client->total) return 0;
  int rc = S(client->received > 0 ? client->rest : client->first);
  if (rc < 0) return rc;
  client->received++;
  *message = text("Message for %s: %d", client->name, client->received);
  return 1;
}
static WEFT_ASYNC(c004_listen, struct c004_client *);
static int c004_listen(struct c004_client *client) {
  const char *message;
  int rc;
  while ((rc = c004_next(client, &message)) > 0) P("📩 %s", message);
  return rc;
}
CASE(004, seed_async_iterator, CAUSAL, VIRTUAL) {
  struct c004_client a = {"ClientA", 40, 40, 5, 0}, b = {"ClientB", 20, 40, 5, 0};
  return weft_gather(c004_listen_async(&a), c004_listen_async(&b));
}

/* 005: the loop over an iterator written out; its end is sticky. */
struct c005_x {
  int n;
};
static int c005_next(struct c005_x *x, int *item) {
  if (x->n >= 2) return 0;
  int rc = S(10);
  if (rc < 0) return rc;
  *item = ++x->n;
  return 1;
}
CASE(005, seed_async_for_desugared, CAUSAL, VIRTUAL) {
  struct c005_x it = {0};
  int item, rc;
  while ((rc = c005_next(&it, &item)) > 0) T("item %d", item);
  if (rc == 0) T("stop");
  rc = c005_next(&it, &item);
  if (rc == 0) T("stop again");
  return rc;
}

/* 006: managers: what was entered is left, in reverse order, whatever happened between: a stack of exits. */
struct c006_client {
  const char *name;
  double first;
  int total, received;
};
static int c006_enter(void *data) {
  const struct c006_client *client = data;
  P("🔌 %s connecting...", client->name);
  int rc = S(10);
  if (rc == 0) P("✅ %s connected", client->name);
  return rc;
}
/* The body's status in, what the block ends with out. */
static int c006_exit(void *data, int body) {
  const struct c006_client *client = data;
  P("❌ %s disconnecting...", client->name);
  int rc = S(10);
  if (rc == 0) P("✅ %s disconnected", client->name);
  return rc < 0 ? rc : body;
}
static int c006_next(struct c006_client *client, int *message) {
  if (client->received >= client->total) return 0;
  int rc = S(client->received > 0 ? 40 : client->first);
  if (rc < 0) return rc;
  *message = ++client->received;
  return 1;
}
static WEFT_ASYNC(c006_listen, struct c006_client *);
static int c006_listen(struct c006_client *client) {
  int message, rc;
  while ((rc = c006_next(client, &message)) > 0) P("📩 Message for %s: %d", client->name, message);
  return rc;
}
CASE(006, seed_async_context_manager, CAUSAL, VIRTUAL) {
  struct c006_client a = {"ClientA", 40, 5, 0}, b = {"ClientB", 20, 5, 0};
  weft_exitstack_t stack;
  weft_exitstack_enter(&stack);
  int rc = weft_exitstack_enter_with(&stack, c006_enter, c006_exit, &a);
  if (rc == 0) rc = weft_exitstack_enter_with(&stack, c006_enter, c006_exit, &b);
  if (rc == 0) rc = weft_gather(c006_listen_async(&a), c006_listen_async(&b));
  return weft_exitstack_exit(&stack, rc);
}
