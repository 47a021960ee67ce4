// Tokio. usage: tokio-bench BENCH WORKERS OPS [X]; WORKERS 0: the current_thread scheduler; servers: OPS is the port.
// Prints the benches' JSON line; gather is a fan-out of ten joined spawns, an operation one child.
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot, Mutex, Notify};

fn rss_kb() -> u64 {
    let s = std::fs::read_to_string("/proc/self/statm").unwrap();
    s.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 4
}
fn maxrss_kb() -> u64 {
    let s = std::fs::read_to_string("/proc/self/status").unwrap();
    for l in s.lines() {
        if let Some(r) = l.strip_prefix("VmHWM:") {
            return r.trim().trim_end_matches(" kB").trim().parse().unwrap();
        }
    }
    0
}
fn report(cmd: &str, w: usize, n: u64, d: Duration, extra: &str) {
    let ns = d.as_nanos() as f64 / n as f64;
    let workers = if w == 0 { 1 } else { w };
    println!(
        "{{\"bench\":\"{cmd}\",\"runtime\":\"tokio{}\",\"workers\":{workers},\"ns_per_op\":{:.3},\"ops\":{n},\"wall_s\":{:.6},\"max_rss_kb\":{},\"note\":\"{extra}\"}}",
        if w == 0 { "-current-thread" } else { "" }, ns * workers as f64, d.as_secs_f64(), maxrss_kb());
}
// Hides a value from the optimizer (std::hint::black_box is newer than Debian's compiler).
fn keep<T>(value: T) -> T {
    let copy = unsafe { std::ptr::read_volatile(&value) };
    std::mem::forget(value);
    copy
}
struct Rng(u64);
impl Rng {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

#[inline(never)]
fn burn_iters(n: u64) -> u64 {
    let mut x = 88172645463325252u64;
    for _ in 0..n {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    keep(x)
}
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let cmd = a[1].clone();
    let w: usize = a[2].parse().unwrap();
    let n: u64 = a[3].parse().unwrap();
    let x: u64 = a.get(4).map(|s| s.parse().unwrap()).unwrap_or(0);
    let mut b = tokio::runtime::Builder::new_multi_thread();
    if w == 0 {
        b = tokio::runtime::Builder::new_current_thread();
    } else {
        b.worker_threads(w);
    }
    if let Ok(t) = std::env::var("TB") {
        b.max_blocking_threads(t.parse().unwrap());
    }
    if let Ok(t) = std::env::var("GQI") {
        b.global_queue_interval(t.parse().unwrap());
    }
    #[cfg(tokio_unstable)]
    if std::env::var("EAGER").is_ok() {
        b.enable_eager_driver_handoff();
    }
    #[cfg(tokio_unstable)]
    if std::env::var("ALT_TIMER").is_ok() {
        b.enable_alt_timer();
    }
    let rt = b.enable_all().build().unwrap();
    let h = rt.handle().clone();
    rt.block_on(async move { h.spawn(run(cmd, w, n, x)).await.unwrap() });
    rt.shutdown_background();
}
async fn conn_echo(mut s: tokio::net::TcpStream, burn: u64) {
    let mut buf = [0u8; 4096];
    loop {
        let k = match s.read(&mut buf).await {
            Ok(0) | Err(_) => return,
            Ok(k) => k,
        };
        if burn > 0 && buf[0] == b'B' {
            burn_iters(burn);
        }
        if s.write_all(&buf[..k]).await.is_err() {
            return;
        }
    }
}
const RESP: &[u8] = b"HTTP/1.1 200 OK\r\nServer: t\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, World!";
async fn conn_http(mut s: tokio::net::TcpStream) {
    let mut buf = [0u8; 8192];
    let mut have = 0usize;
    let mut out: Vec<u8> = Vec::with_capacity(4096);
    loop {
        let k = match s.read(&mut buf[have..]).await {
            Ok(0) | Err(_) => return,
            Ok(k) => k,
        };
        have += k;
        let mut off = 0;
        out.clear();
        while let Some(p) = find_end(&buf[off..have]) {
            off += p;
            out.extend_from_slice(RESP);
        }
        if off > 0 {
            buf.copy_within(off..have, 0);
            have -= off;
        }
        if !out.is_empty() && s.write_all(&out).await.is_err() {
            return;
        }
        if have == buf.len() {
            return;
        }
    }
}
fn find_end(b: &[u8]) -> Option<usize> {
    // minimal request parse: method, path, version, each header line split at ':'
    let mut i = 0;
    loop {
        let rest = &b[i..];
        let nl = rest.iter().position(|&c| c == b'\n')?;
        let line = &rest[..nl];
        i += nl + 1;
        if line.is_empty() || line == b"\r" {
            return Some(i);
        }
        if i > nl + 1 {
            keep(line.iter().position(|&c| c == b':'));
        }
    }
}
async fn run(cmd: String, w: usize, n: u64, x: u64) {
    match cmd.as_str() {
        "spawn_batch" => {
            let batch = if x == 0 { n } else { x };
            let t = Instant::now();
            let mut done = 0;
            let mut v = Vec::with_capacity(batch as usize);
            while done < n {
                for i in 0..batch {
                    v.push(tokio::spawn(async move { i }));
                }
                let mut s = 0u64;
                for h in v.drain(..) {
                    s = s.wrapping_add(h.await.unwrap());
                }
                assert_eq!(s, batch * (batch - 1) / 2);
                done += batch;
            }
            report(&cmd, w, done, t.elapsed(), &format!("batch={batch}"));
        }
        "spawn_join" => {
            let t = Instant::now();
            let mut s = 0u64;
            for i in 0..n {
                s += tokio::spawn(async move { i }).await.unwrap();
            }
            assert_eq!(s, n * (n - 1) / 2);
            report(&cmd, w, n, t.elapsed(), "");
        }
        "yield" => {
            let tasks = x.max(1);
            let per = n / tasks;
            let t = Instant::now();
            let v: Vec<_> = (0..tasks)
                .map(|_| {
                    tokio::spawn(async move {
                        for _ in 0..per {
                            tokio::task::yield_now().await;
                        }
                    })
                })
                .collect();
            for h in v {
                h.await.unwrap();
            }
            report(&cmd, w, per * tasks, t.elapsed(), &format!("tasks={tasks}"));
        }
        "pingpong" => {
            let (tx1, mut rx1) = mpsc::channel::<u64>(1);
            let (tx2, mut rx2) = mpsc::channel::<u64>(1);
            let t = Instant::now();
            let p = tokio::spawn(async move {
                while let Some(v) = rx1.recv().await {
                    if tx2.send(v + 1).await.is_err() {
                        break;
                    }
                }
            });
            let q = tokio::spawn(async move {
                let mut v = 0;
                for _ in 0..n {
                    tx1.send(v).await.unwrap();
                    v = rx2.recv().await.unwrap();
                }
                assert_eq!(v, n);
            });
            q.await.unwrap();
            p.await.unwrap();
            report(&cmd, w, n, t.elapsed(), "mpsc(1) x2");
        }
        "pingpong_oneshot" => {
            // request carries a fresh oneshot for the reply (actor style)
            let (tx1, mut rx1) = mpsc::channel::<(u64, oneshot::Sender<u64>)>(1);
            let t = Instant::now();
            let p = tokio::spawn(async move {
                while let Some((v, r)) = rx1.recv().await {
                    let _ = r.send(v + 1);
                }
            });
            let q = tokio::spawn(async move {
                let mut v = 0;
                for _ in 0..n {
                    let (a, b) = oneshot::channel();
                    tx1.send((v, a)).await.unwrap();
                    v = b.await.unwrap();
                }
                assert_eq!(v, n);
            });
            q.await.unwrap();
            p.await.unwrap();
            report(&cmd, w, n, t.elapsed(), "");
        }
        "queue" => {
            let prod = if x == 0 { 4 } else { x };
            let (tx, mut rx) = mpsc::channel::<u64>(128);
            let t = Instant::now();
            for _ in 0..prod {
                let tx = tx.clone();
                let per = n / prod;
                tokio::spawn(async move {
                    for i in 0..per {
                        tx.send(i).await.unwrap();
                    }
                });
            }
            drop(tx);
            let c = tokio::spawn(async move {
                let mut k = 0u64;
                while rx.recv().await.is_some() {
                    k += 1;
                }
                k
            });
            let k = c.await.unwrap();
            assert_eq!(k, n / prod * prod);
            report(&cmd, w, k, t.elapsed(), &format!("prod={prod} cap=128"));
        }
        "sleep_many" => {
            let r0 = rss_kb();
            let t = Instant::now();
            let mut rng = Rng(42);
            let v: Vec<_> = (0..n)
                .map(|_| {
                    let ms = 1 + rng.next() % 1000;
                    tokio::spawn(tokio::time::sleep(Duration::from_millis(ms)))
                })
                .collect();
            let ts = t.elapsed();
            for h in v {
                h.await.unwrap();
            }
            let e = t.elapsed();
            report(
                &cmd,
                w,
                n,
                e,
                &format!(
                    "spawned_s={:.3} bytes_task={:.0}",
                    ts.as_secs_f64(),
                    (maxrss_kb() - r0) as f64 * 1024.0 / n as f64
                ),
            );
        }
        "parked" | "parked_timer" => {
            let r0 = rss_kb();
            let t = Instant::now();
            let c = Arc::new(AtomicU64::new(0));
            let nt = Arc::new(Notify::new());
            let timer = cmd == "parked_timer";
            for _ in 0..n {
                let c = c.clone();
                let nt = nt.clone();
                if timer {
                    tokio::spawn(async move {
                        c.fetch_add(1, Relaxed);
                        tokio::time::sleep(Duration::from_secs(3600)).await;
                    });
                } else {
                    tokio::spawn(async move {
                        c.fetch_add(1, Relaxed);
                        nt.notified().await;
                        c.fetch_sub(1, Relaxed);
                    });
                }
            }
            while c.load(Relaxed) < n {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            let r1 = rss_kb();
            let e = t.elapsed();
            if !timer {
                tokio::time::sleep(Duration::from_millis(20)).await;
                let t2 = Instant::now();
                nt.notify_waiters();
                while c.load(Relaxed) > 0 {
                    tokio::task::yield_now().await;
                }
                report(
                    &cmd,
                    w,
                    n,
                    e,
                    &format!(
                        "bytes_task={:.0} wakeall_ns_task={:.0}",
                        (r1 - r0) as f64 * 1024.0 / n as f64,
                        t2.elapsed().as_nanos() as f64 / n as f64
                    ),
                );
            } else {
                report(
                    &cmd,
                    w,
                    n,
                    e,
                    &format!("bytes_task={:.0}", (r1 - r0) as f64 * 1024.0 / n as f64),
                );
            }
            std::process::exit(0);
        }
        "lock" | "lock_yield" => {
            let tasks = if x == 0 { 1000 } else { x };
            let per = n / tasks;
            let m = Arc::new(Mutex::new(0u64));
            let y = cmd == "lock_yield";
            let t = Instant::now();
            let v: Vec<_> = (0..tasks)
                .map(|_| {
                    let m = m.clone();
                    tokio::spawn(async move {
                        for _ in 0..per {
                            let mut g = m.lock().await;
                            *g += 1;
                            if y {
                                tokio::task::yield_now().await;
                            }
                        }
                    })
                })
                .collect();
            for h in v {
                h.await.unwrap();
            }
            assert_eq!(*m.lock().await, per * tasks);
            report(&cmd, w, per * tasks, t.elapsed(), &format!("tasks={tasks}"));
        }
        "blocking" => {
            let infl = if x == 0 { 1000 } else { x };
            let per = n / infl;
            let t = Instant::now();
            let v: Vec<_> = (0..infl)
                .map(|_| {
                    tokio::spawn(async move {
                        for _ in 0..per {
                            tokio::task::spawn_blocking(|| keep(1)).await.unwrap();
                        }
                    })
                })
                .collect();
            for h in v {
                h.await.unwrap();
            }
            let th = std::fs::read_dir("/proc/self/task").unwrap().count();
            report(
                &cmd,
                w,
                per * infl,
                t.elapsed(),
                &format!("inflight={infl} threads={th}"),
            );
        }
        "gather" => {
            let k = if x == 0 { 10 } else { x };
            let t = Instant::now();
            let mut s = 0u64;
            for _ in 0..n {
                let mut hs = Vec::with_capacity(k as usize);
                for i in 0..k {
                    hs.push(tokio::spawn(async move { i }));
                }
                for h in hs {
                    s += h.await.unwrap();
                }
            }
            assert_eq!(s, n * k * (k - 1) / 2);
            report(
                &cmd,
                w,
                n * k,
                t.elapsed(),
                &format!("k={k} (op = one child)"),
            );
        }
        "echo" | "http" | "mixed" => {
            // n = port; x = burn ms
            let burn = if cmd == "mixed" {
                let t = Instant::now();
                burn_iters(20_000_000);
                let per = t.elapsed().as_nanos() as f64 / 2e7;
                let it = (x as f64 * 1e6 / per) as u64;
                eprintln!("burn iters {it}");
                it
            } else {
                0
            };
            let l = tokio::net::TcpSocket::new_v4().unwrap();
            l.set_reuseaddr(true).unwrap();
            l.bind(format!("127.0.0.1:{n}").parse().unwrap()).unwrap();
            let l = l.listen(1024).unwrap();
            loop {
                let (s, _) = l.accept().await.unwrap();
                s.set_nodelay(true).unwrap();
                if cmd == "http" {
                    tokio::spawn(conn_http(s));
                } else {
                    tokio::spawn(conn_echo(s, burn));
                }
            }
        }
        _ => panic!("cmd"),
    }
}
#[allow(unused)]
fn assert_send<F: Future + Send>(_: &F) {}
