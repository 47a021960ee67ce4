// Go. usage: go-bench BENCH WORKERS OPS [X]; servers: OPS is the port, X of mixed the ms burnt per marked request.
// Prints the benches' JSON line.
package main

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

func statusKB(key string) int64 {
	b, _ := os.ReadFile("/proc/self/status")
	for _, l := range strings.Split(string(b), "\n") {
		if strings.HasPrefix(l, key) {
			f := strings.Fields(l)
			v, _ := strconv.ParseInt(f[1], 10, 64)
			return v
		}
	}
	return 0
}
func report(cmd string, w int, n int64, d time.Duration, extra string) {
	ns := float64(d.Nanoseconds()) / float64(n)
	fmt.Printf("{\"bench\":%q,\"runtime\":\"go\",\"workers\":%d,\"ns_per_op\":%.3f,\"ops\":%d,\"wall_s\":%.6f,\"max_rss_kb\":%d,\"note\":%q}\n",
		cmd, w, ns*float64(w), n, d.Seconds(), statusKB("VmHWM:"), extra)
}

var sink uint64

//go:noinline
func burn(n int64) uint64 {
	x := uint64(88172645463325252)
	for i := int64(0); i < n; i++ {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
	}
	return x
}

var resp = []byte("HTTP/1.1 200 OK\r\nServer: t\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, World!")

func main() {
	cmd := os.Args[1]
	w, _ := strconv.Atoi(os.Args[2])
	n, _ := strconv.ParseInt(os.Args[3], 10, 64)
	var x int64
	if len(os.Args) > 4 {
		x, _ = strconv.ParseInt(os.Args[4], 10, 64)
	}
	runtime.GOMAXPROCS(w)
	switch cmd {
	case "spawn_batch": // WaitGroup batch
		batch := x
		if batch == 0 {
			batch = n
		}
		done := int64(0)
		t := time.Now()
		for done < n {
			var wg sync.WaitGroup
			wg.Add(int(batch))
			for i := int64(0); i < batch; i++ {
				go func() { wg.Done() }()
			}
			wg.Wait()
			done += batch
		}
		report(cmd, w, done, time.Since(t), fmt.Sprintf("WaitGroup batch=%d", batch))
	case "spawn_batch_chan": // result per task, like a JoinHandle
		t := time.Now()
		v := make([]chan int64, n)
		for i := int64(0); i < n; i++ {
			c := make(chan int64, 1)
			v[i] = c
			i := i
			go func() { c <- i }()
		}
		var s int64
		for _, c := range v {
			s += <-c
		}
		if s != n*(n-1)/2 {
			panic("sum")
		}
		report(cmd, w, n, time.Since(t), "chan per task")
	case "spawn_join":
		t := time.Now()
		var s int64
		for i := int64(0); i < n; i++ {
			c := make(chan int64, 1)
			i := i
			go func() { c <- i }()
			s += <-c
		}
		report(cmd, w, n, time.Since(t), "")
	case "yield":
		if x == 0 {
			x = 1
		}
		per := n / x
		t := time.Now()
		var wg sync.WaitGroup
		wg.Add(int(x))
		for i := int64(0); i < x; i++ {
			go func() {
				for j := int64(0); j < per; j++ {
					runtime.Gosched()
				}
				wg.Done()
			}()
		}
		wg.Wait()
		report(cmd, w, per*x, time.Since(t), fmt.Sprintf("tasks=%d", x))
	case "pingpong":
		a, b := make(chan uint64, 1), make(chan uint64, 1)
		if x == 1 {
			a, b = make(chan uint64), make(chan uint64)
		}
		done := make(chan int)
		t := time.Now()
		go func() {
			for v := range a {
				b <- v + 1
			}
			close(done)
		}()
		go func() {
			var v uint64
			for i := int64(0); i < n; i++ {
				a <- v
				v = <-b
			}
			close(a)
		}()
		<-done
		report(cmd, w, n, time.Since(t), fmt.Sprintf("unbuffered=%d", x))
	case "pingpong_oneshot":
		type req struct {
			v uint64
			r chan uint64
		}
		a := make(chan req, 1)
		done := make(chan int)
		t := time.Now()
		go func() {
			for q := range a {
				q.r <- q.v + 1
			}
			close(done)
		}()
		go func() {
			var v uint64
			for i := int64(0); i < n; i++ {
				r := make(chan uint64, 1)
				a <- req{v, r}
				v = <-r
			}
			close(a)
		}()
		<-done
		report(cmd, w, n, time.Since(t), "")
	case "queue":
		if x == 0 {
			x = 4
		}
		c := make(chan uint64, 128)
		per := n / x
		t := time.Now()
		var wg sync.WaitGroup
		wg.Add(int(x))
		for i := int64(0); i < x; i++ {
			go func() {
				for j := int64(0); j < per; j++ {
					c <- uint64(j)
				}
				wg.Done()
			}()
		}
		go func() { wg.Wait(); close(c) }()
		done := make(chan int64)
		go func() {
			var k int64
			for range c {
				k++
			}
			done <- k
		}()
		k := <-done
		if k != per*x {
			panic("count")
		}
		report(cmd, w, k, time.Since(t), fmt.Sprintf("prod=%d cap=128", x))
	case "sleep_many":
		r0 := statusKB("VmRSS:")
		t := time.Now()
		var wg sync.WaitGroup
		wg.Add(int(n))
		r := uint64(42)
		for i := int64(0); i < n; i++ {
			r ^= r << 13
			r ^= r >> 7
			r ^= r << 17
			d := time.Duration(1+r%1000) * time.Millisecond
			go func() { time.Sleep(d); wg.Done() }()
		}
		ts := time.Since(t)
		wg.Wait()
		e := time.Since(t)
		report(cmd, w, n, e, fmt.Sprintf("spawned_s=%.3f bytes_task=%.0f", ts.Seconds(), float64(statusKB("VmHWM:")-r0)*1024/float64(n)))
	case "parked", "parked_timer":
		r0 := statusKB("VmRSS:")
		t := time.Now()
		var c int64
		ch := make(chan int)
		for i := int64(0); i < n; i++ {
			if cmd == "parked" {
				go func() { atomic.AddInt64(&c, 1); <-ch; atomic.AddInt64(&c, -1) }()
			} else {
				go func() { atomic.AddInt64(&c, 1); time.Sleep(time.Hour) }()
			}
		}
		for atomic.LoadInt64(&c) < n {
			time.Sleep(time.Millisecond)
		}
		e := time.Since(t)
		r1 := statusKB("VmRSS:")
		time.Sleep(20 * time.Millisecond)
		ex := fmt.Sprintf("bytes_task=%.0f", float64(r1-r0)*1024/float64(n))
		if cmd == "parked" {
			t2 := time.Now()
			close(ch)
			for atomic.LoadInt64(&c) > 0 {
				runtime.Gosched()
			}
			ex += fmt.Sprintf(" wakeall_ns_task=%.0f", float64(time.Since(t2).Nanoseconds())/float64(n))
		}
		report(cmd, w, n, e, ex)
	case "lock", "lock_yield":
		if x == 0 {
			x = 1000
		}
		per := n / x
		var m sync.Mutex
		var k int64
		t := time.Now()
		var wg sync.WaitGroup
		wg.Add(int(x))
		y := cmd == "lock_yield"
		for i := int64(0); i < x; i++ {
			go func() {
				for j := int64(0); j < per; j++ {
					m.Lock()
					k++
					if y {
						runtime.Gosched()
					}
					m.Unlock()
				}
				wg.Done()
			}()
		}
		wg.Wait()
		if k != per*x {
			panic("k")
		}
		report(cmd, w, per*x, time.Since(t), fmt.Sprintf("tasks=%d", x))
	case "gather":
		k := x
		if k == 0 {
			k = 10
		}
		t := time.Now()
		for i := int64(0); i < n; i++ {
			var wg sync.WaitGroup
			wg.Add(int(k))
			for j := int64(0); j < k; j++ {
				go func() { wg.Done() }()
			}
			wg.Wait()
		}
		report(cmd, w, n*k, time.Since(t), fmt.Sprintf("k=%d (op = one child)", k))
	case "echo", "mixed":
		var it int64
		if cmd == "mixed" {
			t := time.Now()
			sink = burn(20000000)
			per := float64(time.Since(t).Nanoseconds()) / 2e7
			it = int64(float64(x) * 1e6 / per)
			fmt.Fprintf(os.Stderr, "burn iters %d\n", it)
		}
		l, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", n))
		if err != nil {
			panic(err)
		}
		for {
			c, err := l.Accept()
			if err != nil {
				panic(err)
			}
			go func() {
				buf := make([]byte, 4096)
				for {
					k, err := c.Read(buf)
					if err != nil {
						c.Close()
						return
					}
					if it > 0 && buf[0] == 'B' {
						burn(it)
					}
					if _, err = c.Write(buf[:k]); err != nil {
						c.Close()
						return
					}
				}
			}()
		}
	case "http": // net/http
		body := []byte("Hello, World!")
		http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			w.Write(body)
		})
		panic(http.ListenAndServe(fmt.Sprintf("127.0.0.1:%d", n), nil))
	case "http_raw": // hand-written minimal parse over net.Conn, like the tokio one
		l, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", n))
		if err != nil {
			panic(err)
		}
		for {
			c, err := l.Accept()
			if err != nil {
				panic(err)
			}
			go func() {
				buf := make([]byte, 8192)
				out := make([]byte, 0, 4096)
				have := 0
				for {
					k, err := c.Read(buf[have:])
					if err != nil {
						c.Close()
						return
					}
					have += k
					off := 0
					out = out[:0]
					for {
						p := findEnd(buf[off:have])
						if p < 0 {
							break
						}
						off += p
						out = append(out, resp...)
					}
					copy(buf, buf[off:have])
					have -= off
					if len(out) > 0 {
						if _, err := c.Write(out); err != nil {
							c.Close()
							return
						}
					}
				}
			}()
		}
	case "fib", "skynet", "nqueens":
		forkJoin(cmd, w, n)
	default:
		panic("cmd")
	}
}

func findEnd(b []byte) int {
	i := 0
	for {
		nl := bytes.IndexByte(b[i:], '\n')
		if nl < 0 {
			return -1
		}
		line := b[i : i+nl]
		first := i == 0
		i += nl + 1
		if len(line) == 0 || (len(line) == 1 && line[0] == '\r') {
			return i
		}
		if !first {
			sink = uint64(bytes.IndexByte(line, ':'))
		}
	}
}
