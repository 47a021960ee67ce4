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

/* weft__context_as_caller(context, fn, arg): calls fn(arg). To an unwinder its caller is the saved context: from here on the
 * call frame, the return address, rbp and rbx are what lies in *rbx (offsets as in context.h). No register is changed, no
 * stack is switched: only the unwind information says so. The escapes are DW_CFA_def_cfa_expression { *(rbx) } and
 * DW_CFA_expression reg { rbx + offset }, which assemblers have no words for. */
        .globl weft__context_as_caller
        .hidden weft__context_as_caller
        .type weft__context_as_caller, @function
        .p2align 4
weft__context_as_caller:
        .cfi_startproc
        LANDING
        pushq %rbx
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset rbx, 0
        movq %rdi, %rbx
        .cfi_remember_state
        .cfi_escape 0x0f, 3, 0x73, 0, 6    /* CFA = *(rbx + 0): the stack pointer */
        .cfi_escape 0x10, 16, 2, 0x73, 8   /* rip */
        .cfi_escape 0x10, 6, 2, 0x73, 16   /* rbp */
        .cfi_escape 0x10, 3, 2, 0x73, 24   /* rbx */
        movq %rdx, %rdi
        call *%rsi
        .cfi_restore_state
        popq %rbx
        .cfi_adjust_cfa_offset -8
        .cfi_restore rbx
        ret
        .cfi_endproc
        .size weft__context_as_caller, . - weft__context_as_caller
        .section .note.GNU-stack, "", @progbits
