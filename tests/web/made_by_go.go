// Writes a heap profile of its own, as any Go program would.
package main

import (
	"os"
	"runtime"
	"runtime/pprof"
)

var kept [][]byte

//go:noinline
func grow() { kept = append(kept, make([]byte, 1<<20)) }

func main() {
	runtime.MemProfileRate = 1024
	for i := 0; i < 32; i++ {
		grow()
	}
	runtime.GC()
	f, err := os.Create(os.Args[1])
	if err != nil {
		panic(err)
	}
	pprof.Lookup("heap").WriteTo(f, 0)
	f.Close()
}
