# asyncio and uvloop. usage: bench.py asyncio|uvloop BENCH OPS [X]. Prints the benches' JSON line.
import asyncio, json, sys, time, random
def st(k):
    for l in open('/proc/self/status'):
        if l.startswith(k): return int(l.split()[1])
lib, cmd, n = sys.argv[1], sys.argv[2], int(sys.argv[3]); x = int(sys.argv[4]) if len(sys.argv) > 4 else 0
if lib == 'uvloop':
    import uvloop; uvloop.install()
def report(n, d, ex=''):
    print(json.dumps({'bench': cmd, 'runtime': lib, 'workers': 1, 'ns_per_op': round(d * 1e9 / n, 3), 'ops': n,
                      'wall_s': round(d, 6), 'max_rss_kb': st('VmHWM:'), 'note': ex}), flush=True)
now = time.perf_counter
async def triv(i): return i
async def main():
    t = now()
    if cmd == 'spawn_batch':
        v = [asyncio.create_task(triv(i)) for i in range(n)]
        s = 0
        for h in v: s += await h
        report(n, now() - t)
    elif cmd == 'spawn_join':
        for i in range(n): await asyncio.create_task(triv(i))
        report(n, now() - t)
    elif cmd == 'yield':
        per = n // x
        async def y():
            for _ in range(per): await asyncio.sleep(0)
        await asyncio.gather(*[y() for _ in range(x)]); report(per * x, now() - t, f'tasks={x}')
    elif cmd == 'pingpong':
        a, b = asyncio.Queue(1), asyncio.Queue(1)
        async def p():
            for _ in range(n): await b.put(await a.get() + 1)
        async def q():
            v = 0
            for _ in range(n): await a.put(v); v = await b.get()
        await asyncio.gather(p(), q()); report(n, now() - t)
    elif cmd == 'queue':
        c = asyncio.Queue(128); per = n // 4
        async def p():
            for i in range(per): await c.put(i)
        async def q():
            for _ in range(per * 4): await c.get()
        await asyncio.gather(q(), *[p() for _ in range(4)]); report(per * 4, now() - t, 'prod=4 cap=128')
    elif cmd == 'sleep_many':
        r0 = st('VmRSS:'); random.seed(42)
        v = [asyncio.create_task(asyncio.sleep(random.randint(1, 1000) / 1000)) for _ in range(n)]
        for h in v: await h
        report(n, now() - t, f'bytes_task={(st("VmHWM:")-r0)*1024/n:.0f}')
    elif cmd == 'parked':
        r0 = st('VmRSS:'); e = asyncio.Event(); c = 0
        async def w():
            nonlocal c
            c += 1; await e.wait(); c -= 1
        v = [asyncio.create_task(w()) for _ in range(n)]
        while c < n: await asyncio.sleep(0)
        d = now() - t; r1 = st('VmRSS:'); e.set(); await asyncio.gather(*v); report(n, d, f'bytes_task={(r1-r0)*1024/n:.0f}')
    elif cmd == 'lock':
        m = asyncio.Lock(); tasks = x or 1000; per = n // tasks; k = 0
        async def w():
            nonlocal k
            for _ in range(per):
                async with m: k += 1
        await asyncio.gather(*[w() for _ in range(tasks)]); report(per * tasks, now() - t, f'tasks={tasks}')
    elif cmd == 'blocking':
        infl = x or 1000; per = n // infl; loop = asyncio.get_running_loop(); f = int
        async def w():
            for _ in range(per): await asyncio.to_thread(f)
        await asyncio.gather(*[w() for _ in range(infl)]); import threading; report(per * infl, now() - t, f'inflight={infl} threads={threading.active_count()}')
    elif cmd == 'gather':
        for _ in range(n): await asyncio.gather(*[triv(i) for i in range(10)])
        report(n * 10, now() - t, 'k=10 (op = one child)')
    elif cmd == 'echo':
        class P(asyncio.Protocol):
            def connection_made(self, tr): self.t = tr
            def data_received(self, d): self.t.write(d)
        s = await asyncio.get_running_loop().create_server(P, '127.0.0.1', n, reuse_address=True, backlog=1024); await s.serve_forever()
    elif cmd == 'echo_streams':
        async def h(r, w):
            try:
                while True:
                    d = await r.read(4096)
                    if not d: break
                    w.write(d); await w.drain()
            finally: w.close()
        s = await asyncio.start_server(h, '127.0.0.1', n, reuse_address=True, backlog=1024); await s.serve_forever()
    elif cmd == 'http':
        R = b"HTTP/1.1 200 OK\r\nServer: t\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, World!"
        class P(asyncio.Protocol):
            def connection_made(self, tr): self.t = tr; self.b = b''
            def data_received(self, d):
                b = self.b + d; k = b.count(b'\r\n\r\n')
                if k: self.t.write(R * k); b = b[b.rfind(b'\r\n\r\n') + 4:]
                self.b = b
        s = await asyncio.get_running_loop().create_server(P, '127.0.0.1', n, reuse_address=True, backlog=1024); await s.serve_forever()
asyncio.run(main())
