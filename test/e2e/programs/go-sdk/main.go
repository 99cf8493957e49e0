// A program with the stock Go SDK: keeps one core busy for a few seconds and pushes what it measures.
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/grafana/pyroscope-go"
)

var sink float64
var kept [][]byte

//go:noinline
func computeTheInvoice(n int) {
	for i := 0; i < n; i++ {
		sink += float64(i) * 0.5
	}
}

//go:noinline
func keepTheReceipts() {
	kept = append(kept, make([]byte, 1<<20))
}

func main() {
	profiler, err := pyroscope.Start(pyroscope.Config{
		ApplicationName: "billing",
		ServerAddress:   os.Args[1],
		Tags:            map[string]string{"region": "eu"},
		UploadRate:      2 * time.Second,
		ProfileTypes: []pyroscope.ProfileType{
			pyroscope.ProfileCPU,
			pyroscope.ProfileAllocObjects, pyroscope.ProfileAllocSpace,
			pyroscope.ProfileInuseObjects, pyroscope.ProfileInuseSpace,
		},
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for end := time.Now().Add(7 * time.Second); time.Now().Before(end); {
		for i := 0; i < 100; i++ {
			computeTheInvoice(1_000_000)
		}
		keepTheReceipts()
	}
	if err := profiler.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
