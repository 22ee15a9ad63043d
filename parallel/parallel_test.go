package parallel_test

import (
	"runtime"
	"slices"
	"sync/atomic"
	"testing"

	"leadsync/parallel"
)

func TestEachNumberIsWorkedOffOnce(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	for n := range 100 {
		for _, size := range []int{1, 7, 200} {
			calls := make([]atomic.Int32, n)
			parallel.For(n, size, func(i int) { calls[i].Add(1) })
			for i := range calls {
				if got := calls[i].Load(); got != 1 {
					t.Fatalf("number %d of %d, %d at a time, is worked off %d times", i, n, size, got)
				}
			}
		}
	}
}

func TestSeveralCoresWorkAtOnce(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	together := make(chan struct{})
	parallel.Chunks(20, 10, func(first, _ int) {
		if first == 0 {
			<-together // closed by the other chunk, which another goroutine has
		} else {
			close(together)
		}
	})
}

func TestChunksAreWhole(t *testing.T) {
	got := make([][2]int, 3)
	parallel.Chunks(25, 10, func(first, end int) { got[first/10] = [2]int{first, end} })
	if want := [][2]int{{0, 10}, {10, 20}, {20, 25}}; !slices.Equal(got, want) {
		t.Errorf("chunks %v, want %v", got, want)
	}
}
