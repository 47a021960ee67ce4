#!/usr/bin/env python3
"""Prints tests/unit/sync/transcripts.h: random programs for locks and queues with what asyncio (CPython 3.13) does.

usage: python3.13 make_transcripts.py [COUNT [SEED]] > transcripts.h

A program has a few tasks, separated by commas; each is a list of operations that test_transcripts.c and this script
understand alike. An operation that is cancelled or fails is marked, and the task goes on with its next one; main cancels
what does not end by itself. Only the ready queue decides the order: there are no timers.
"""
import asyncio
import random
import sys

OPERATIONS = {
    "lock": ["a", "a", "r", "l"],
    "semaphore": ["sa", "sa", "sr", "sl"],
    "event": ["ew", "ew", "es", "ec"],
    "condition": ["ca", "ca", "cr", "cw", "cw", "c1", "c2", "cN"],
    "barrier": ["bw", "bw", "bw", "ba", "br", "bn"],
    "queue": ["qp", "qp", "qg", "qg", "qP", "qG", "qd", "qj", "qn"],
    "shutdown": ["qp", "qp", "qg", "qg", "qP", "qG", "qd", "qj", "qS", "qI"],
    "priority": ["pp", "pp", "pg", "pg", "pP", "pG", "pn"],
}


class Things:
    def __init__(self):
        self.lock, self.event, self.condition = asyncio.Lock(), asyncio.Event(), asyncio.Condition()
        self.semaphore, self.barrier = asyncio.BoundedSemaphore(2), asyncio.Barrier(3)
        self.queue, self.priority = asyncio.Queue(2), asyncio.PriorityQueue(2)
        self.next = 0

    def item(self):
        self.next += 1
        return self.next

    def priority_item(self):
        return self.item() * 7 % 10

    async def do(self, name):
        if name == "y": return await asyncio.sleep(0)
        if name == "a": return await self.lock.acquire()
        if name == "r": return self.lock.release()
        if name == "l": return int(self.lock.locked())
        if name == "sa": return await self.semaphore.acquire()
        if name == "sr": return self.semaphore.release()
        if name == "sl": return int(self.semaphore.locked())
        if name == "ew": return await self.event.wait()
        if name == "es": return self.event.set()
        if name == "ec": return self.event.clear()
        if name == "ca": return await self.condition.acquire()
        if name == "cr": return self.condition.release()
        if name == "cw": return await self.condition.wait()
        if name == "c1": return self.condition.notify(1)
        if name == "c2": return self.condition.notify(2)
        if name == "cN": return self.condition.notify_all()
        if name == "bw": return await self.barrier.wait()
        if name == "ba": return await self.barrier.abort()
        if name == "br": return await self.barrier.reset()
        if name == "bn": return self.barrier.n_waiting
        queue, item = (self.queue, self.item) if name[0] == "q" else (self.priority, self.priority_item)
        if name[1] == "p": return await queue.put(item())
        if name[1] == "g": return await queue.get()
        if name[1] == "P": return queue.put_nowait(item())
        if name[1] == "G": return queue.get_nowait()
        if name[1] == "n": return queue.qsize()
        if name[1] == "d": return queue.task_done()
        if name[1] == "j": return await queue.join()
        if name[1] == "S": return queue.shutdown()
        if name[1] == "I": return queue.shutdown(immediate=True)
        raise AssertionError(name)


SHORT = {"CancelledError": "X", "RuntimeError": "R", "ValueError": "V", "QueueEmpty": "E", "QueueFull": "F",
         "QueueShutDown": "S", "BrokenBarrierError": "B"}


async def body(index, operations, things, tasks, marks):
    for name in operations:
        try:
            if name[0] == "k":
                result = int(tasks[int(name[1:])].cancel())
            else:
                result = await things.do(name)
        except (Exception, asyncio.CancelledError) as error:
            result = SHORT[type(error).__name__]
        if result is None or result is True:
            result = ""
        marks.append(f"{index}{name}{result}")


async def run(program):
    things, tasks, marks = Things(), [], []
    for index, text in enumerate(program.split(",")):
        tasks.append(asyncio.create_task(body(index, text.split(), things, tasks, marks)))
    for _ in range(40):
        for _ in range(12):
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
    if all(task.done() for task in tasks):
        return " ".join(marks)
    while not all(task.done() for task in tasks):  # waits for a lock that nobody gives back: no use
        if things.condition.locked():
            things.condition.release()
        for task in tasks:
            task.cancel()
        await asyncio.sleep(0)
    return None


def make(random_):
    kind = random_.choice(list(OPERATIONS))
    count = random_.randint(2, 5)

    def operation():
        chance = random_.random()
        if chance < 0.25: return "y"
        if chance < 0.4: return f"k{random_.randrange(count)}"
        return random_.choice(OPERATIONS[kind])

    def task():
        first = ["ca", "cw"] if kind == "condition" and random_.random() < 0.7 else []
        return " ".join(first + [operation() for _ in range(random_.randint(2, 9))])
    return ",".join(task() for _ in range(count))


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 240
    random_ = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    print("/* transcripts.h: programs and what asyncio does with them; made by make_transcripts.py with CPython "
          f"{sys.version.split()[0]}. */\n/* clang-format off */")
    print("static const struct { const char *program, *transcript; } transcripts[] = {")
    seen = set()
    while len(seen) < count:
        program = make(random_)
        transcript = asyncio.run(run(program))
        if transcript is None or program in seen or len(transcript) > 400:
            continue
        seen.add(program)
        print(f'    {{"{program}",\n     "{transcript}"}},')
    print("};\n/* clang-format on */")


if __name__ == "__main__":
    main()
