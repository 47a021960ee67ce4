#!/usr/bin/env python3
"""Prints which of asyncio's names have a counterpart here, where it is declared, and which test names it.

usage: tools/asyncio_parity.py [--check] [--functions] [--output FILE]
  --check      prints problems only: status 1 if a row claims a name that no header declares or no test uses, and if
               a public function of the headers is used by no test
  --functions  also the longer table: function by function, with the asyncio name from its header comment

FEATURES below is asyncio's surface, feature by feature, with the names that stand for each here; a row without names
says why. Everything else is read: declarations from include/weft, uses from tests (tests/headers only compiles, and does
not count). Function comments begin "weft_x [A], asyncio's name: …"; that is where the longer table's names come from.
"""
import argparse
import collections
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
IO, PROCESSES, LATER = "later: streams and transports", "later: subprocesses and signals", "later: from another process"

# group: [(asyncio, names here) or (asyncio, reason)]
FEATURES = {
    "Coroutines and generators": [
        ("async def, coroutine object", "WEFT_ASYNC weft_call_t"),
        ("await coroutine", "weft_await_call"),
        ("await future, await task", "weft_await_future weft_await"),
        ("coroutine.send, throw, close", "weft_gen_send weft_gen_throw weft_gen_close"),
        ("\"was never awaited\"", "a compiler warning: the call's value is unused"),
        ("iscoroutine, isfuture", "types tell at compile time"),
        ("generator: next, yield", "weft_gen_open weft_gen_next weft_gen_yield"),
        ("generator: send", "weft_gen_send"),
        ("generator: throw", "weft_gen_throw"),
        ("generator: close", "weft_gen_close weft_gen_finish"),
        ("generator: return value", "weft_gen_return weft_gen_value"),
        ("yield from", "weft_gen_yield_from"),
        ("async generator, async for", "weft_agen_open weft_gen_next"),
        ("async with", "weft_with"),
        ("asynccontextmanager", "weft_gen_enter weft_gen_exit"),
        ("AsyncExitStack", "weft_exitstack_enter weft_exitstack_push weft_exitstack_pop_all weft_exitstack_exit"),
        ("contextvars", "weft_contextvar_get weft_contextvar_set weft_contextvars_copy weft_contextvars_run"),
        ("ContextVar.reset, Context.get, items",
         "weft_contextvar_set_token weft_contextvar_reset weft_contextvars_get weft_contextvars_items"),
        ("sleep", "weft_sleep weft_yield"),
    ],
    "Futures": [
        ("loop.create_future", "weft_future_open weft_loop_create_future"),
        ("set_result, set_exception", "weft_future_set_result weft_future_set_done weft_future_set_error"),
        ("result, exception", "weft_future_result weft_future_error"),
        ("done, cancelled", "weft_future_done weft_future_cancelled"),
        ("cancel(msg)", "weft_future_cancel"),
        ("add_done_callback", "weft_future_add_done_callback"),
        ("remove_done_callback", "weft_future_remove_done_callback"),
        ("ensure_future", "weft_create_task weft_task_future"),
        ("wrap_future, concurrent.futures.Future", "weft_wrap_future weft_future_wait_blocking"),
    ],
    "Tasks and cancellation": [
        ("create_task(coro, name, context)", "weft_create_task weft_create_task_with"),
        ("eager_task_factory, eager_start", "weft_loop_set_task_factory weft_create_task_with"),
        ("Task.cancel", "weft_task_cancel"),
        ("Task.cancelling, uncancel", "weft_task_cancelling weft_task_uncancel"),
        ("Task.set_name, get_name", "weft_task_set_name weft_task_get_name"),
        ("Task.result, exception", "weft_task_result weft_task_error"),
        ("current_task, all_tasks", "weft_current_task weft_all_tasks"),
    ],
    "Combinators and structured concurrency": [
        ("gather", "weft_gather_n weft_gather_tasks weft_gather_futures"),
        ("gather(return_exceptions=True)", "WEFT_RETURN_EXCEPTIONS"),
        ("wait(tasks, timeout, return_when)", "weft_wait weft_wait_tasks"),
        ("wait_for", "weft_wait_for weft_wait_for_future"),
        ("shield", "weft_shield"),
        ("as_completed", "weft_as_completed_init weft_as_completed_next"),
        ("TaskGroup", "weft_taskgroup_enter weft_taskgroup_create_task weft_taskgroup_exit"),
        ("timeout, timeout_at", "weft_timeout_enter weft_timeout_at_enter weft_timeout_exit"),
        ("Timeout.reschedule, when, expired", "weft_timeout_reschedule weft_timeout_when weft_timeout_expired"),
        ("ExceptionGroup, except*", "WEFT_GROUP weft_error_is"),
    ],
    "Event loop": [
        ("call_soon, call_soon_threadsafe", "weft_call_soon"),
        ("call_later, call_at", "weft_call_later weft_call_at"),
        ("Handle.cancel, cancelled, TimerHandle.when", "weft_handle_cancel weft_handle_cancelled weft_handle_when"),
        ("time", "weft_loop_time"),
        ("run_until_complete", "weft_loop_run_until_complete weft_loop_run_until_future"),
        ("run_forever, stop", "weft_loop_run_forever weft_loop_stop"),
        ("close, is_running, is_closed", "weft_loop_close weft_loop_is_running weft_loop_is_closed"),
        ("new_event_loop, get_running_loop", "weft_loop_open weft_get_running_loop"),
        ("set_exception_handler, call_exception_handler",
         "weft_loop_set_exception_handler weft_loop_call_exception_handler"),
        ("get_exception_handler, default_exception_handler",
         "weft_loop_get_exception_handler weft_loop_default_exception_handler"),
        ("create_task, set_task_factory, get_task_factory",
         "weft_loop_create_task weft_loop_set_task_factory weft_loop_get_task_factory"),
        ("shutdown_default_executor", "weft_loop_shutdown_default_executor"),
        ("add_reader, add_writer",
         "weft_loop_add_reader weft_loop_remove_reader weft_loop_add_writer weft_loop_remove_writer"),
        ("sock_*", IO),
        ("getaddrinfo, getnameinfo", IO),
        ("get/set_event_loop, policies", "deprecated in 3.14"),
    ],
    "Runner and debugging": [
        ("asyncio.run", "weft_run weft_run_with"),
        ("Runner", "weft_runner_open weft_runner_run weft_runner_close"),
        ("debug mode, slow_callback_duration",
         "weft_loop_set_debug weft_loop_get_debug weft_loop_set_slow_callback_duration"),
        ("logger 'asyncio'", "weft_loop_set_logger"),
        ("Task.get_stack, print_stack", "weft_task_get_stack weft_task_print_stack"),
        ("Task.get_coro", "weft_task_get_coro"),
        ("repr(task), repr(future)", "weft_task_repr weft_future_repr"),
        ("isinstance(future, Task)", "weft_future_task"),
        ("capture_call_graph", "weft_capture_call_graph weft_call_graph_free"),
        ("format_call_graph, print_call_graph", "weft_format_call_graph weft_print_call_graph"),
        ("Future._asyncio_awaited_by, Task._fut_waiter", "weft_future_awaited_by weft_task_waiting_on"),
        ("python -m asyncio ps, pstree", LATER),
    ],
    "Threads and executors": [
        ("to_thread", "weft_to_thread weft_to_thread_owned"),
        ("run_in_executor", "weft_run_in_executor"),
        ("ThreadPoolExecutor", "weft_thread_pool_open weft_thread_pool_open_with"),
        ("Executor.submit, map, shutdown", "weft_executor_submit weft_executor_map weft_executor_shutdown"),
        ("ProcessPoolExecutor", "declared, not there yet"),
        ("concurrent.futures.wait, as_completed", "weft_wait_blocking"),
        ("run_coroutine_threadsafe", "weft_loop_create_task weft_future_wait_blocking"),
        ("set_default_executor", "weft_loop_set_default_executor"),
    ],
    "Synchronisation": [
        ("Lock", "weft_lock_init weft_lock_acquire weft_lock_release weft_lock_locked"),
        ("Event", "weft_event_init weft_event_set weft_event_clear weft_event_wait"),
        ("Condition", "weft_condition_wait weft_condition_wait_for weft_condition_notify weft_condition_notify_all"),
        ("Semaphore", "weft_semaphore_init weft_semaphore_acquire weft_semaphore_release"),
        ("BoundedSemaphore", "weft_bounded_semaphore_init"),
        ("Barrier", "weft_barrier_init weft_barrier_wait weft_barrier_abort weft_barrier_reset"),
        ("atomicity between awaits", "weft_strand_open weft_strand_run"),
    ],
    "Queues": [
        ("Queue: put, get", "weft_queue_init weft_queue_put weft_queue_get"),
        ("put_nowait, get_nowait", "weft_queue_put_nowait weft_queue_get_nowait"),
        ("qsize, empty, full, maxsize", "weft_queue_qsize weft_queue_empty weft_queue_full weft_queue_maxsize"),
        ("task_done, join", "weft_queue_task_done weft_queue_join"),
        ("PriorityQueue, LifoQueue", "weft_priority_init weft_lifo_init"),
        ("Queue.shutdown", "weft_queue_shutdown"),
    ],
    "Streams": [
        ("open_connection, start_server", "weft_open_connection weft_start_server"),
        ("StreamReader.read", "weft_stream_read"),
        ("readline", "weft_stream_readline"),
        ("readexactly", "weft_stream_read_exactly"),
        ("readuntil", "weft_stream_readuntil"),
        ("StreamWriter.write, drain", "weft_stream_write weft_stream_drain"),
        ("write_eof", "weft_stream_write_eof"),
        ("close, wait_closed", "weft_stream_close"),
        ("Server: close, serve_forever", "weft_server_close weft_server_serve_forever"),
        ("unix sockets, datagrams, pipes, TLS, sendfile", IO),
        ("transports and protocols", IO),
    ],
    "Subprocesses and signals": [
        ("create_subprocess_exec, _shell", PROCESSES),
        ("loop.add_signal_handler", PROCESSES),
    ],
}

Function = collections.namedtuple("Function", "name asyncio header")


def read_headers():
    """(name -> header of everything public, the functions in order)"""
    declared, functions = {}, []
    for path in sorted((ROOT / "include").rglob("*.h")):
        text = path.read_text(encoding="utf-8")
        header = path.relative_to(ROOT / "include").as_posix()
        for name in re.findall(r"\b(?:weft|WEFT)_[A-Za-z0-9_]+\b", re.sub(r"/\*.*?\*/", "", text, flags=re.S)):
            declared.setdefault(name, header)
        named = {}
        for comment in re.findall(r"/\*(.*?)\*/", text, flags=re.S):
            words = re.sub(r"\s*\n \*\s*", " ", comment).strip()
            found = re.match(r"(weft_\w+)(?: \[[SA]\])?(?:, ([^:]+?))?(?:: |\. |:$|$)", words)
            if found:
                named[found.group(1)] = (found.group(2) or "").strip().rstrip(".")
        for name in re.findall(r"^WEFT_API[^;]*?\b(weft_\w+)\(", text, flags=re.M):
            functions.append(Function(name, named.get(name, named.get(name.removesuffix("_sized"), "")), header))
    return declared, functions


def read_tests():
    """name -> the tests that use it, those of asyncio's cases first"""
    users = collections.defaultdict(list)
    paths = [p for p in (ROOT / "tests").rglob("*") if p.suffix in (".c", ".cpp", ".h") and "headers" not in p.parts]
    for path in sorted(paths, key=lambda p: ("asyncio" not in p.parts, "unit" not in p.parts, str(p))):
        code = re.sub(r"/\*.*?\*/", "", path.read_text(encoding="utf-8", errors="replace"), flags=re.S)
        for name in set(re.findall(r"\b(?:weft|WEFT)_[A-Za-z0-9_]+\b", code)):
            users[name].append(path.relative_to(ROOT).as_posix())
    return users


def tests_of(name, users, header=""):
    """Also by its twin (x_async) and by the macro in front of it (x for x_sized). Those named as the header first."""
    found, stem = [], pathlib.Path(header).stem
    for spelling in (name, name + "_async", name.removesuffix("_sized"), name.removesuffix("_sized") + "_async"):
        found += [test for test in users.get(spelling, []) if test not in found]
    return sorted(found, key=lambda test: ("/test_" not in test, stem not in pathlib.Path(test).stem))


def check(declared, functions, users):
    problems = []
    for group, rows in FEATURES.items():
        for asyncio, names in rows:
            for name in names_of(names):
                if name not in declared:
                    problems.append(f"{group}, {asyncio}: {name} is declared in no header")
                elif not tests_of(name, users):
                    problems.append(f"{group}, {asyncio}: no test uses {name}")
    for function in functions:
        if function.asyncio and not tests_of(function.name, users) and function.name not in UNTESTED:
            problems.append(f"{function.header}: {function.name} ({function.asyncio}): no test uses it")
    return problems


# Declared for what is still to come: not claimed by any row.
UNTESTED = {"weft_process_pool_open", "weft_process_pool_prepare"}


def names_of(names):
    return names.split() if names.startswith(("weft_", "WEFT_")) else []


def short(test):
    return test.removeprefix("tests/")


def table(declared, users):
    lines, present, absent = [], 0, 0
    for group, rows in FEATURES.items():
        lines += ["", f"### {group}", "", "| asyncio | Weft | header | test |", "|---|---|---|---|"]
        for asyncio, names in rows:
            if not names_of(names):
                absent += 1
                lines.append(f"| {asyncio} | ({names}) | | |")
                continue
            present += 1
            headers = sorted({declared.get(name, "?") for name in names_of(names)})
            tests = [tests_of(name, users, declared.get(name, ""))[:1] for name in names_of(names)]
            lines.append(f"| {asyncio} | {', '.join(f'`{name}`' for name in names_of(names))} | {', '.join(headers)} "
                         f"| {', '.join(dict.fromkeys(short(test) for found in tests for test in found))} |")
    return [f"{present} of asyncio's features are there, {absent} are not."] + lines


def long_table(functions, users):
    lines = ["", "### Function by function", "", "| asyncio | Weft | header | test |", "|---|---|---|---|"]
    for function in functions:
        tests = tests_of(function.name, users, function.header)
        if function.asyncio and tests:
            lines.append(f"| {function.asyncio} | `{function.name}` | {function.header} | {short(tests[0])} |")
    return lines


def main():
    parser = argparse.ArgumentParser(prog="tools/asyncio_parity.py", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--functions", action="store_true")
    parser.add_argument("--output", type=pathlib.Path)
    options = parser.parse_args()
    declared, functions = read_headers()
    users = read_tests()
    problems = check(declared, functions, users)
    for problem in problems:
        print(f"asyncio_parity: {problem}", file=sys.stderr)
    if not options.check:
        lines = table(declared, users) + (long_table(functions, users) if options.functions else [])
        text = "\n".join(lines) + "\n"
        if options.output:
            options.output.write_text(text, encoding="utf-8")
        else:
            print(text, end="")
    elif not problems:
        claimed = sum(len(names_of(names)) for rows in FEATURES.values() for _, names in rows)
        print(f"asyncio_parity: {claimed} names claimed, each declared and tested")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
