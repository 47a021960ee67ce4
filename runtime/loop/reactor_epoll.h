/* reactor_epoll.h: for tests of the epoll reactor alone. */
#ifndef WEFT_LOOP_REACTOR_EPOLL_H
#define WEFT_LOOP_REACTOR_EPOLL_H

#include "loop/reactor.h"

/* Sleep as on kernels without epoll_pwait2. Owner only. */
void weft__reactor_force_timerfd(weft__reactor_t *reactor);

#endif
