// tlog LEAVES PROOFS: the work of log_bench.cc with golang.org/x/mod/sumdb/tlog, the library of Go's checksum database, over a slice in
// memory. Once for every line on standard input; answers with a line of JSON.
package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"log"
	"os"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

const (
	entryBytes = 96
	step       = 7919 // entries asked for, spread over the log
)

func entry(number int64, bytes []byte) []byte { // the number, big-endian, over and over
	for at := 0; at < entryBytes; at += 8 {
		binary.BigEndian.PutUint64(bytes[at:], uint64(number))
	}
	return bytes
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func once(leaves, proofs int64, stored []tlog.Hash) []tlog.Hash {
	stored = stored[:0]
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		hashes := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			hashes[i] = stored[index]
		}
		return hashes, nil
	})
	begin := time.Now()
	bytes := make([]byte, entryBytes)
	for i := int64(0); i < leaves; i++ {
		stored = append(stored, must(tlog.StoredHashes(i, entry(i, bytes), reader))...)
	}
	root := must(tlog.TreeHash(leaves, reader))
	appended := time.Now()
	paths := make([]tlog.RecordProof, proofs)
	for i := range paths {
		paths[i] = must(tlog.ProveRecord(leaves, int64(i)*step%leaves, reader))
	}
	proved := time.Now()
	good := 0
	for i, path := range paths {
		index := int64(i) * step % leaves
		if tlog.CheckRecord(path, leaves, root, index, stored[tlog.StoredHashIndex(0, index)]) == nil {
			good++
		}
	}
	checked := time.Now()
	var sum tlog.Hash
	for _, path := range paths {
		for _, hash := range path {
			for i := range sum {
				sum[i] ^= hash[i]
			}
		}
	}
	fmt.Printf("{\"seconds\": %g, \"append\": %g, \"prove\": %g, \"check\": %g, \"root\": \"%x\", \"proofs\": \"%x\", \"good\": %d}\n",
		checked.Sub(begin).Seconds(), appended.Sub(begin).Seconds(), proved.Sub(appended).Seconds(), checked.Sub(proved).Seconds(),
		root[:], sum[:], good)
	return stored
}

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: tlog LEAVES PROOFS")
	}
	runtime.GOMAXPROCS(1)
	leaves, proofs := must(strconv.ParseInt(os.Args[1], 10, 64)), must(strconv.ParseInt(os.Args[2], 10, 64))
	var stored []tlog.Hash // memory stays with the process
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		stored = once(leaves, proofs, stored)
	}
}
