#include "run/interrupt.h"
void weft__interrupt_begin(weft_loop_t *loop, weft_task_t *main_task) { (void)loop; (void)main_task; }
void weft__interrupt_end(weft_loop_t *loop) { (void)loop; }
