/* routes.h: what the demo's server answers. */
#ifndef WEFT_DEMO_ROUTES_H
#define WEFT_DEMO_ROUTES_H

#include <stdbool.h>
#include <stddef.h>

enum { ROUTES = 4, BODY_SIZE = 512 };
extern const char *const route_paths[ROUTES]; /* "/plain", "/compute", "/sleep", "/digest" */

typedef struct reply {
  int status;
  const char *allow; /* the Allow header of a 405, or NULL */
  char body[BODY_SIZE];
  size_t length; /* of the body */
} reply_t;

/* Sets status and body, printf-like. */
void reply_text(reply_t *reply, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* True when answering takes a while, so that answers ready before it should go out first. */
bool route_is_slow(const char *path);

/* Answers GET or HEAD for `path` ("/sleep") with `query` ("ms=5", may be empty). May suspend. 0, or a negative error when
 * the task has to end (it was cancelled); everything else becomes a reply. */
int route_answer(const char *method, const char *path, const char *query, reply_t *reply);

/* Before the run: finds how many blocks make 20 ms of hashing here, and what their digest is. */
void routes_prepare(void);

#endif
