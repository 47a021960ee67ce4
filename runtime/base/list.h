/* list.h: intrusive circular doubly linked list. A link that is in no list points to itself or is zero; whoever owns the
 * list guards it. All operations O(1). */
#ifndef WEFT_BASE_LIST_H
#define WEFT_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

typedef struct weft__link {
  struct weft__link *prev, *next;
} weft__link_t;
typedef struct weft__list {
  weft__link_t head;
} weft__list_t;

static inline void weft__link_init(weft__link_t *link) { link->prev = link->next = link; }
static inline bool weft__link_linked(const weft__link_t *link) { return link->next != NULL && link->next != link; }

static inline void weft__list_init(weft__list_t *list) { weft__link_init(&list->head); }
static inline bool weft__list_empty(const weft__list_t *list) { return list->head.next == &list->head; }
static inline weft__link_t *weft__list_first(const weft__list_t *list) {
  return weft__list_empty(list) ? NULL : list->head.next;
}
static inline void weft__list_insert_before(weft__link_t *where, weft__link_t *link) {
  link->prev = where->prev;
  link->next = where;
  where->prev->next = link;
  where->prev = link;
}
static inline void weft__list_push_back(weft__list_t *list, weft__link_t *link) {
  weft__list_insert_before(&list->head, link);
}
static inline void weft__list_push_front(weft__list_t *list, weft__link_t *link) {
  weft__list_insert_before(list->head.next, link);
}
/* Afterwards the link is in no list; unlinking it again does nothing. */
static inline void weft__list_unlink(weft__link_t *link) {
  if (!weft__link_linked(link)) return;
  link->prev->next = link->next;
  link->next->prev = link->prev;
  weft__link_init(link);
}
static inline weft__link_t *weft__list_pop_front(weft__list_t *list) {
  weft__link_t *link = weft__list_first(list);
  if (link != NULL) weft__list_unlink(link);
  return link;
}

#endif
