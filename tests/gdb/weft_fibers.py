"""Backtraces of suspended fibers in gdb, in a live process or a core file.

In gdb: source this file, then
    weft-fiber EXPRESSION        the backtrace of the fiber that EXPRESSION, a weft__fiber_t *, points to
From Python: fiber_backtrace(value) returns its lines, frame_functions(value) the names of its functions, innermost first.

How: while a fiber is looked at, an unwinder pretends that the frame above the thread's innermost one is the fiber's, whose
four saved registers are in its context (runtime/fiber/context.h); the compiler's unwind information does the rest. No
register of the process is changed, so it works on core files too.
"""
import re

import gdb
import gdb.unwinder

# Of each architecture: stack pointer, program counter, then the registers saved as `frame` and `base`.
REGISTERS = {"x86-64": ("rsp", "rip", "rbp", "rbx"), "aarch64": ("sp", "pc", "x29", "x19")}


def registers_of(frame):
    name = frame.architecture().name()
    for key, names in REGISTERS.items():
        if key in name:
            return names
    raise gdb.GdbError("fibers cannot be unwound on " + name)


class FrameId:
    def __init__(self, sp, pc):
        self.sp = sp
        self.pc = pc


class FiberUnwinder(gdb.unwinder.Unwinder):
    """Answers for one frame only: the innermost one of the thread, while a fiber is set."""

    def __init__(self):
        super().__init__("weft fibers")
        self.saved = None  # (register names, the innermost frame's sp and pc, the fiber's four values)

    def __call__(self, pending):
        if self.saved is None:
            return None
        names, here, values = self.saved
        if tuple(int(pending.read_register(name)) & (2**64 - 1) for name in names[:2]) != here:
            return None
        # The identity must lie below the fiber's frames, or gdb takes the chain for a corrupt stack.
        info = pending.create_unwind_info(FrameId(values[0], values[1]))
        for name, value in zip(names, values):
            info.add_saved_register(name, value)
        return info


UNWINDER = FiberUnwinder()
gdb.unwinder.register_unwinder(None, UNWINDER, replace=True)


class looking_at:
    """with looking_at(fiber): gdb's innermost frames are the thread's, all further ones the fiber's; yields how many
    are the thread's."""

    def __init__(self, fiber):
        self.fiber = fiber

    def __enter__(self):
        newest = gdb.newest_frame()
        names = registers_of(newest)
        here = tuple(int(newest.read_register(name)) & (2**64 - 1) for name in names[:2])
        context = self.fiber.dereference()["context"]
        pointer = gdb.lookup_type("char").pointer()
        values = [context[field].cast(pointer) for field in ("sp", "pc", "frame", "base")]
        UNWINDER.saved = (names, here, values)
        gdb.invalidate_cached_frames()
        frame, count = gdb.newest_frame(), 0
        while frame is not None and int(frame.read_register(names[0])) & (2**64 - 1) == here[0]:
            frame, count = frame.older(), count + 1
        return count

    def __exit__(self, *error):
        UNWINDER.saved = None
        gdb.invalidate_cached_frames()


def fiber_backtrace(fiber):
    with looking_at(fiber) as skipped:
        lines, keep = [], False
        for line in gdb.execute("backtrace", to_string=True).splitlines():
            number = re.match(r"#(\d+)\s+(.*)", line)
            if number:
                keep = int(number.group(1)) >= skipped
                line = "#%-3d %s" % (int(number.group(1)) - skipped, number.group(2))
            if keep:
                lines.append(line)
        return lines


def frame_functions(fiber):
    names = []
    with looking_at(fiber) as skipped:
        frame = gdb.newest_frame()
        for _ in range(skipped):
            frame = frame.older()
        while frame is not None:
            names.append(frame.name())
            frame = frame.older()
    return names


class FiberCommand(gdb.Command):
    """weft-fiber EXPRESSION: the backtrace of the suspended fiber that EXPRESSION points to."""

    def __init__(self):
        super().__init__("weft-fiber", gdb.COMMAND_STACK, gdb.COMPLETE_EXPRESSION)

    def invoke(self, argument, from_tty):
        for line in fiber_backtrace(gdb.parse_and_eval(argument)):
            print(line)


FiberCommand()
