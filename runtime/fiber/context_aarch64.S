/* context_aarch64.S: where a made context begins. The switch itself is in context.h, in the function that switches.
 *
 * On entry: sp -> NULL, the start routine, x19 = its argument (weft__context_make). The return address is marked undefined,
 * which is how unwinders know the outermost frame. `bti jc` is the landing pad of the first switch's jump. */
        .text
        .globl weft__context_start
        .hidden weft__context_start
        .type weft__context_start, %function
        .p2align 4
weft__context_start:
        .cfi_startproc
        .cfi_undefined x30
        .cfi_def_cfa sp, 16
        hint #38
        ldr x16, [sp, #8]
        mov x29, xzr
        mov x30, xzr
        mov x0, x19
        blr x16
        brk #1
        .cfi_endproc
        .size weft__context_start, . - weft__context_start
        .section .note.GNU-stack, "", %progbits
