// The peer of the decode benchmark: google/pprof on one thread.
//
//	go-pprof <seconds> <file>...
//
// Files hold ungzipped pprof protobuf, as on our side. One operation parses all files and merges them into one profile.
// Prints the CPU seconds of the cheapest operation: of the whole process, garbage collection included, so that a busy
// machine changes them little.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"github.com/google/pprof/profile"
)

func main() {
	runtime.GOMAXPROCS(1)
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: go-pprof <seconds> <file>...")
		os.Exit(2)
	}
	seconds, err := strconv.ParseFloat(os.Args[1], 64)
	check(err)
	var raws [][]byte
	for _, file := range os.Args[2:] {
		raw, err := os.ReadFile(file)
		check(err)
		raws = append(raws, raw)
	}
	fmt.Println(measure(raws, seconds))
}

// measure runs the operation in rounds of about 20 ms until `seconds` have passed.
func measure(raws [][]byte, seconds float64) float64 {
	parseAndMerge(raws)
	once := cpuSeconds(func() { parseAndMerge(raws) })
	perRound := max(1, int(0.02/once))
	least := once
	rounds := 0
	for start := time.Now(); time.Since(start).Seconds() < seconds || rounds < 3; rounds++ {
		spent := cpuSeconds(func() {
			for range perRound {
				parseAndMerge(raws)
			}
		})
		least = min(least, spent/float64(perRound))
	}
	return least
}

func parseAndMerge(raws [][]byte) {
	parsed := make([]*profile.Profile, len(raws))
	for i, raw := range raws {
		p, err := profile.ParseUncompressed(raw)
		check(err)
		parsed[i] = p
	}
	_, err := profile.Merge(parsed)
	check(err)
}

func cpuSeconds(work func()) float64 {
	before := usage()
	work()
	return usage() - before
}

func usage() float64 {
	var u syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
