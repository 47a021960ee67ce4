/* context_x86_64.S: where a made context begins. The switch itself is in context.h, in the function that switches.
 *
 * On entry: rsp -> NULL, the start routine, rbx = its argument (weft__context_make). The return address is marked undefined,
 * which is how unwinders know the outermost frame. There is deliberately no note of shadow-stack support: the switch
 * changes stacks by a jump, so a program that links this file runs without them. */
#ifdef __CET__
#define LANDING endbr64
#else
#define LANDING
#endif
        .text
        .globl weft__context_start
        .hidden weft__context_start
        .type weft__context_start, @function
        .p2align 4
weft__context_start:
        .cfi_startproc
        .cfi_undefined rip
        .cfi_undefined rbp
        .cfi_def_cfa rsp, 16
        LANDING
        movq %rbx, %rdi
        call *8(%rsp)
        ud2
        .cfi_endproc
        .size weft__context_start, . - weft__context_start
        .section .note.GNU-stack, "", @progbits
