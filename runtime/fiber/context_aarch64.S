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

/* weft__context_as_caller(context, fn, arg): calls fn(arg). To an unwinder its caller is the saved context: from here on the
 * call frame, the return address, x29 and x19 are what lies in *x19 (offsets as in context.h). No register is changed, no
 * stack is switched: only the unwind information says so. The escapes are DW_CFA_def_cfa_expression { *(x19) } and
 * DW_CFA_expression reg { x19 + offset }, which assemblers have no words for. */
        .globl weft__context_as_caller
        .hidden weft__context_as_caller
        .type weft__context_as_caller, %function
        .p2align 4
weft__context_as_caller:
        .cfi_startproc
        hint #34 /* bti c */
        stp x29, x30, [sp, #-32]!
        .cfi_def_cfa_offset 32
        .cfi_offset x29, -32
        .cfi_offset x30, -24
        str x19, [sp, #16]
        .cfi_offset x19, -16
        mov x19, x0
        .cfi_remember_state
        .cfi_escape 0x0f, 3, 0x83, 0, 6    /* CFA = *(x19 + 0): the stack pointer */
        .cfi_escape 0x10, 30, 2, 0x83, 8   /* the return address */
        .cfi_escape 0x10, 29, 2, 0x83, 16  /* x29 */
        .cfi_escape 0x10, 19, 2, 0x83, 24  /* x19 */
        mov x0, x2
        blr x1
        .cfi_restore_state
        ldr x19, [sp, #16]
        ldp x29, x30, [sp], #32
        .cfi_def_cfa_offset 0
        .cfi_restore x19
        .cfi_restore x29
        .cfi_restore x30
        ret
        .cfi_endproc
        .size weft__context_as_caller, . - weft__context_as_caller
        .section .note.GNU-stack, "", %progbits
