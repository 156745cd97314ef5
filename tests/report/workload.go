package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"sync"
	"time"
	"strings"
)

type tree struct{ l, r *tree; v [40]byte }

func build(d int) *tree {
	if d == 0 { return &tree{} }
	return &tree{l: build(d - 1), r: build(d - 1)}
}

var keep []*tree
var sink string

func leaf(n int) int { s := 0; for i := 0; i < n; i++ { s += i * i % 7 }; return s }
func mid(n int) int { return leaf(n) + leaf(n/2) }
func work(d time.Duration) { t := time.Now(); x := 0; for time.Since(t) < d { x += mid(20000); sink = strings.Repeat("ab", x%1000) } }

func write(name string, debug int, f string) {
	o, _ := os.Create(f)
	pprof.Lookup(name).WriteTo(o, debug)
	o.Close()
}

func main() {
	runtime.SetBlockProfileRate(1)
	runtime.SetMutexProfileFraction(1)
	if len(os.Args) > 1 { runtime.MemProfileRate = 4096 }
	c, _ := os.Create("cpu.pb.gz")
	pprof.StartCPUProfile(c)
	pprof.Do(context.Background(), pprof.Labels("req", "r1", "user", "bob"), func(context.Context) { work(700 * time.Millisecond) })
	work(500 * time.Millisecond)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := 0; i < 8; i++ {
		wg.Add(1)
		go func(i int) {
			for k := 0; k < 50; k++ { mu.Lock(); leaf(100000); mu.Unlock() }
			wg.Done()
		}(i)
	}
	keep = append(keep, build(14))
	runtime.GC()
	write("heap", 0, "heap1.pb.gz")
	wg.Wait()
	for i := 0; i < 4; i++ { keep = append(keep, build(13+i%2)) ; build(12) }
	pprof.StopCPUProfile()
	c.Close()
	runtime.GC()
	ch := make(chan int)
	for i := 0; i < 5; i++ { go func() { <-ch }() }
	time.Sleep(10 * time.Millisecond)
	for _, n := range []string{"heap", "allocs", "goroutine", "threadcreate", "block", "mutex"} {
		write(n, 0, n+".pb.gz")
		write(n, 1, n+".txt")
	}
	fmt.Println("ok")
}
