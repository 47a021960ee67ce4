/* weft/runners.h: running a program: asyncio.run. */
#ifndef WEFT_RUNNERS_H
#define WEFT_RUNNERS_H
#include <weft/call.h>
#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_config {
  unsigned workers;  /* 0: WEFT_WORKERS, else the processors this process may use. 1: asyncio's order, exactly */
  size_t stack_size; /* 0: 64 KiB */
  bool serial;       /* main and what it creates form one strand: asyncio's atomicity on several workers */
  bool virtual_time; /* the clock jumps to the next timer when nothing can run */
  bool debug;        /* also WEFT_DEBUG=1 */
} weft_config_t;

/* [A] asyncio.run */
WEFT_API WEFT_NODISCARD int weft_run(weft_call_t main_call);
/* [A] asyncio.run with settings */
WEFT_API WEFT_NODISCARD int weft_run_with(const weft_config_t *config, weft_call_t main_call);
#ifdef __cplusplus
}
#endif
#endif
