/* test_locks_condition.c: Condition: notifications are counted, in order, never lost with a cancelled waiter. */
#include "transcript.h"

static WEFT_ASYNC(c190_w, weft_condition_t *, int);
static int c190_w(weft_condition_t *condition, int i) {
  TRY(S(10 * i));
  TRY(weft_condition_acquire(condition));
  int rc = weft_condition_wait(condition);
  T("%d %s %s", i, repr_bool(rc == 0), repr_bool(weft_condition_locked(condition)));
  weft_condition_release(condition);
  return rc;
}
CASE(190, condition_notify_counts, FIFO, VIRTUAL) {
  weft_condition_t condition;
  weft_task_t *tasks[4];
  weft_condition_init(&condition, NULL);
  if (weft_condition_notify(&condition, 1) < 0) P("%s", E(weft_error()));
  if (weft_condition_notify_all(&condition) < 0) P("%s", E(weft_error()));
  if (weft_condition_wait(&condition) < 0) P("%s", E(weft_error()));
  TRY(weft_condition_acquire(&condition));
  weft_condition_notify(&condition, 1);
  weft_condition_release(&condition);
  for (int i = 0; i < 4; i++) tasks[i] = weft_create_task(c190_w_async(&condition, i + 1));
  TRY(S(40));
  for (size_t n = 1; n <= 3; n++) {
    TRY(S(10));
    TRY(weft_condition_acquire(&condition));
    if (n == 3)
      weft_condition_notify_all(&condition);
    else
      weft_condition_notify(&condition, n);
    weft_condition_release(&condition);
  }
  TRY(weft_gather_tasks(tasks, 4, NULL, 0));
  for (int i = 0; i < 4; i++) weft_detach(tasks[i]);
  return 0;
}

struct c191 {
  weft_condition_t condition;
  int n; /* under the condition's lock */
};
static bool c191_enough(void *data) { return ((struct c191 *)data)->n >= 3; }
static WEFT_ASYNC(c191_w, struct c191 *);
static int c191_w(struct c191 *c) {
  TRY(weft_condition_acquire(&c->condition));
  int rc = weft_condition_wait_for(&c->condition, c191_enough, c);
  if (rc == 0) T("enough");
  weft_condition_release(&c->condition);
  return rc;
}
CASE(191, condition_wait_for_predicate, CAUSAL, VIRTUAL) {
  struct c191 c = {.n = 0};
  weft_condition_init(&c.condition, NULL);
  weft_task_t *t = weft_create_task(c191_w_async(&c));
  for (int i = 0; i < 3; i++) {
    TRY(S(10));
    TRY(weft_condition_acquire(&c.condition));
    c.n++;
    weft_condition_notify(&c.condition, 1);
    weft_condition_release(&c.condition);
  }
  return weft_join(t);
}

static WEFT_ASYNC(c193_w, weft_condition_t *, const char *);
static int c193_w(weft_condition_t *condition, const char *name) {
  TRY(weft_condition_acquire(condition));
  outcome(weft_condition_wait(condition), name, repr_bool(true));
  weft_condition_release(condition);
  return 0;
}
CASE(193, condition_cancelled_after_notify, SINGLE, VIRTUAL) {
  weft_condition_t condition;
  weft_condition_init(&condition, NULL);
  weft_task_t *tasks[] = {weft_create_task(c193_w_async(&condition, "W1")),
                          weft_create_task(c193_w_async(&condition, "W2"))};
  TRY(S(10));
  TRY(weft_condition_acquire(&condition));
  weft_condition_notify(&condition, 1);
  weft_task_cancel(tasks[0], NULL);
  weft_condition_release(&condition);
  TRY(S(10));
  P("W2 %s", weft_task_done(tasks[1]) ? "done" : "waiting");
  weft_task_cancel(tasks[1], NULL);
  TRY(weft_gather_tasks(tasks, 2, NULL, WEFT_RETURN_EXCEPTIONS));
  for (int i = 0; i < 2; i++) weft_detach(tasks[i]);
  return 0;
}

struct c272 {
  weft_condition_t condition;
  int turn, n; /* under the condition's lock */
  int sequence[200];
};
struct c272_player {
  struct c272 *game;
  int me;
};
static bool c272_my_turn(void *data) {
  const struct c272_player *player = data;
  return player->game->turn == player->me;
}
static WEFT_ASYNC(c272_play, struct c272 *, int);
static int c272_play(struct c272 *game, int me) {
  struct c272_player player = {game, me};
  for (int i = 0; i < 100; i++) {
    TRY(weft_condition_acquire(&game->condition));
    int rc = weft_condition_wait_for(&game->condition, c272_my_turn, &player);
    if (rc == 0) {
      game->sequence[game->n++] = me;
      game->turn = 1 - me;
      weft_condition_notify_all(&game->condition);
    }
    weft_condition_release(&game->condition);
    TRY(rc);
  }
  return 0;
}
CASE(272, inv_condition_pingpong, CAUSAL, VIRTUAL) {
  struct c272 game = {.n = 0};
  weft_condition_init(&game.condition, NULL);
  TRY(weft_gather(c272_play_async(&game, 0), c272_play_async(&game, 1)));
  bool alternates = true;
  for (int i = 1; i < game.n; i++) alternates = alternates && game.sequence[i] != game.sequence[i - 1];
  P("%d %s", game.n, repr_bool(alternates));
  return 0;
}
