// rayon. usage: rayon-bench fib|skynet|nqueens|matmul WORKERS N: fib(N), 10^N leaves, an N x N board, N x N matrices.
// Prints the benches' JSON line; an operation is a join of fib, a leaf of skynet, otherwise the whole run.
use rayon::join;
use std::time::Instant;

fn fib(n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let (x, y) = join(|| fib(n - 1), || fib(n - 2));
    x + y
}

// Ten children as a balanced tree of nine joins, which is idiomatic here and faster than a scope.
fn ten<F: Fn(u64) -> u64 + Sync>(low: u64, high: u64, child: &F) -> u64 {
    if high - low == 1 {
        return child(low);
    }
    let middle = (low + high) / 2;
    let (a, b) = join(|| ten(low, middle, child), || ten(middle, high, child));
    a + b
}
fn skynet(base: u64, leaves: u64) -> u64 {
    if leaves == 1 {
        return base;
    }
    ten(0, 10, &|i| skynet(base + leaves / 10 * i, leaves / 10))
}

const LARGEST: usize = 16;
#[derive(Clone, Copy)]
struct Board {
    rows: usize,
    columns: [i8; LARGEST],
}
fn fits(board: &Board, column: i32) -> bool {
    (0..board.rows).all(|i| {
        let (other, distance) = (board.columns[i] as i32, (board.rows - i) as i32);
        column != other && column != other - distance && column != other + distance
    })
}
fn place(board: &Board, size: usize, low: usize, high: usize, columns: &[i8; LARGEST]) -> u64 {
    if high - low == 1 {
        let mut next = *board;
        next.columns[next.rows] = columns[low];
        next.rows += 1;
        return queens(&next, size);
    }
    let middle = (low + high) / 2;
    let (a, b) = join(|| place(board, size, low, middle, columns), || place(board, size, middle, high, columns));
    a + b
}
fn queens(board: &Board, size: usize) -> u64 {
    if board.rows == size {
        return 1;
    }
    let (mut columns, mut n) = ([0i8; LARGEST], 0);
    for column in 0..size as i32 {
        if fits(board, column) {
            columns[n] = column as i8;
            n += 1;
        }
    }
    if n == 0 {
        return 0;
    }
    place(board, size, 0, n, &columns)
}

#[derive(Clone, Copy)]
struct Matrix(*mut i32);
unsafe impl Send for Matrix {}
unsafe impl Sync for Matrix {}
impl Matrix {
    fn at(self, offset: usize) -> Matrix {
        unsafe { Matrix(self.0.add(offset)) }
    }
}
const LEAF: usize = 32;
fn leaf(a: Matrix, b: Matrix, c: Matrix, n: usize, width: usize) {
    unsafe {
        for i in 0..n {
            for k in 0..n {
                let value = *a.0.add(i * width + k);
                for j in 0..n {
                    let cell = c.0.add(i * width + j);
                    *cell = (*cell).wrapping_add(value.wrapping_mul(*b.0.add(k * width + j)));
                }
            }
        }
    }
}
// C += A B by quadrants: four products at once, then the other four.
fn multiply(a: Matrix, b: Matrix, c: Matrix, n: usize, width: usize) {
    if n <= LEAF {
        return leaf(a, b, c, n, width);
    }
    let (h, down) = (n / 2, n / 2 * width);
    join(
        || join(|| multiply(a, b, c, h, width), || multiply(a, b.at(h), c.at(h), h, width)),
        || join(|| multiply(a.at(down), b, c.at(down), h, width), || multiply(a.at(down), b.at(h), c.at(down + h), h, width)),
    );
    let (a, b) = (a.at(h), b.at(down));
    join(
        || join(|| multiply(a, b, c, h, width), || multiply(a, b.at(h), c.at(h), h, width)),
        || join(|| multiply(a.at(down), b, c.at(down), h, width), || multiply(a.at(down), b.at(h), c.at(down + h), h, width)),
    );
}
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line([i32; 16]);
fn matrix(n: usize, value: i32) -> Vec<Line> {
    vec![Line([value; 16]); n * n / 16]
}

fn peak_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let (workers, n): (usize, u64) = (words[2].parse().unwrap(), words[3].parse().unwrap());
    let pool = rayon::ThreadPoolBuilder::new().num_threads(workers).build().unwrap();
    pool.install(|| {
        let mut start = Instant::now();
        let mut ops = 1;
        match words[1].as_str() {
            "fib" => {
                fib(25);
                start = Instant::now();
                let got = fib(n);
                let (mut a, mut b) = (0u64, 1u64);
                for _ in 0..n {
                    let next = a + b;
                    a = b;
                    b = next;
                }
                assert_eq!(got, a);
                ops = b - 1;
            }
            "skynet" => {
                ops = 10u64.pow(n as u32);
                skynet(0, 10000);
                start = Instant::now();
                assert_eq!(skynet(0, ops), ops * (ops - 1) / 2);
            }
            "nqueens" => {
                const SOLUTIONS: [u64; 17] = [1, 1, 0, 0, 2, 10, 4, 40, 92, 352, 724, 2680, 14200, 73712, 365596, 2279184, 14772512];
                let empty = Board { rows: 0, columns: [0; LARGEST] };
                queens(&empty, 8);
                start = Instant::now();
                assert_eq!(queens(&empty, n as usize), SOLUTIONS[n as usize]);
            }
            "matmul" => {
                let size = n as usize;
                let (mut a, mut b, mut c) = (matrix(size, 1), matrix(size, 1), matrix(size, 0));
                let p = |m: &mut Vec<Line>| Matrix(m.as_mut_ptr() as *mut i32);
                let (a, b, c) = (p(&mut a), p(&mut b), p(&mut c));
                multiply(a, b, c, size, size); // touches every page
                start = Instant::now();
                multiply(a, b, c, size, size);
                for i in 0..size * size {
                    assert_eq!(unsafe { *c.0.add(i) }, 2 * size as i32);
                }
            }
            other => panic!("{}", other),
        }
        let ns = start.elapsed().as_nanos() as f64;
        println!(
            "{{\"bench\":\"{}\",\"runtime\":\"rayon\",\"workers\":{},\"ns_per_op\":{:.3},\"ops\":{},\"wall_s\":{:.6},\"max_rss_kb\":{}}}",
            words[1], workers, ns * workers as f64 / ops as f64, ops, ns / 1e9, peak_kb()
        );
    });
}
