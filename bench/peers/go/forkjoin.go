// Fork-join with one goroutine a fork and a WaitGroup a join; see main.go for the usage. An operation is a fork of fib, a
// leaf of skynet, otherwise the whole run.
package main

import (
	"sync"
	"time"
)

func fib(n int64) int64 {
	if n < 2 {
		return n
	}
	var x int64
	var wg sync.WaitGroup
	wg.Add(1)
	go func() { x = fib(n - 1); wg.Done() }()
	y := fib(n - 2)
	wg.Wait()
	return x + y
}

func skynet(base, leaves int64) int64 {
	if leaves == 1 {
		return base
	}
	step := leaves / 10
	var sums [10]int64
	var wg sync.WaitGroup
	wg.Add(9)
	for i := int64(0); i < 9; i++ {
		i := i
		go func() { sums[i] = skynet(base+step*i, step); wg.Done() }()
	}
	sums[9] = skynet(base+step*9, step)
	wg.Wait()
	sum := int64(0)
	for _, part := range sums {
		sum += part
	}
	return sum
}

const largest = 16

type board struct {
	rows    int
	columns [largest]int8
}

func (b *board) fits(column int) bool {
	for i := 0; i < b.rows; i++ {
		other, distance := int(b.columns[i]), b.rows-i
		if column == other || column == other-distance || column == other+distance {
			return false
		}
	}
	return true
}

func queens(b board, size int) int64 {
	if b.rows == size {
		return 1
	}
	var columns [largest]int8
	n := 0
	for column := 0; column < size; column++ {
		if b.fits(column) {
			columns[n] = int8(column)
			n++
		}
	}
	if n == 0 {
		return 0
	}
	var counts [largest]int64
	var wg sync.WaitGroup
	wg.Add(n - 1)
	place := func(i int) {
		next := b
		next.columns[next.rows] = columns[i]
		next.rows++
		counts[i] = queens(next, size)
	}
	for i := 0; i < n-1; i++ {
		i := i
		go func() { place(i); wg.Done() }()
	}
	place(n - 1)
	wg.Wait()
	sum := int64(0)
	for _, part := range counts {
		sum += part
	}
	return sum
}

var solutions = []int64{1, 1, 0, 0, 2, 10, 4, 40, 92, 352, 724, 2680, 14200, 73712, 365596, 2279184, 14772512}

// runs one of them; n is its size: fib(n), 10^n leaves, an n x n board.
func forkJoin(cmd string, w int, n int64) {
	ops, got, want := int64(1), int64(0), int64(0)
	var start time.Time
	switch cmd {
	case "fib":
		a, b := int64(0), int64(1)
		for i := int64(0); i < n; i++ {
			a, b = b, a+b
		}
		ops, want = b-1, a
		fib(20)
		start = time.Now()
		got = fib(n)
	case "skynet":
		for i := int64(0); i < n; i++ {
			ops *= 10
		}
		want = ops * (ops - 1) / 2
		skynet(0, 1000)
		start = time.Now()
		got = skynet(0, ops)
	case "nqueens":
		want = solutions[n]
		start = time.Now()
		got = queens(board{}, int(n))
	}
	elapsed := time.Since(start)
	if got != want {
		panic("wrong result")
	}
	report(cmd, w, ops, elapsed, "")
}
