/* demo.h: the two ways to run the server. */
#ifndef WEFT_DEMO_DEMO_H
#define WEFT_DEMO_DEMO_H

/* The main job: serves on `port` (0: any free one) while load comes for `seconds`; prints, judges. The exit status. */
int demo_run(int port, unsigned workers, unsigned seconds);

/* Serves on `port` until Ctrl-C. The exit status: 0 when it ended in order. */
int demo_serve(int port, unsigned workers);

#endif
