package bus

import (
	"slices"
	"strconv"
	"strings"
)

// This file decides; policy.go and policyfile.go do. Nothing here talks to a server or a disk.

const (
	latestKey = "policy.latest"
	finalKey  = "policy.final"
)

func policyKey(version int64) string { return "policy." + strconv.FormatInt(version, 10) }

// policyVersion parses a key of the bucket; false for keys that are not a version's.
func policyVersion(key string) (int64, bool) {
	text, ok := strings.CutPrefix(key, "policy.")
	if !ok {
		return 0, false
	}
	v, err := strconv.ParseInt(text, 10, 64)
	return v, err == nil && v >= 0 && policyKey(v) == key
}

// outlook is what a process that waits for a version knows.
type outlook struct {
	version int64  // waited for
	have    bool   // its entry exists
	latest  *int64 // newest published, if any
	final   *int64 // the run's last, if marked
}

type verdict int

const (
	keepWaiting verdict = iota
	ready               // the version is there
	noMore              // the run ends before it
	removed             // newer ones are there, this one was pruned
)

// decide must be given a have that was read after latest: a version's entry is written before
// latest moves to it, so only then does "newer, but not there" mean that it was removed.
func (o outlook) decide() verdict {
	switch {
	case o.have:
		return ready
	case o.latest != nil && *o.latest >= o.version:
		return removed
	case o.final != nil && *o.final < o.version:
		return noMore
	}
	return keepWaiting
}

// prunePlan says which versions go, and which bytes, given what exists. Bytes that a kept version
// also has stay: two versions are the same where a step changed nothing.
func prunePlan(all []Policy, keepFrom, latest int64) (versions []int64, digests []string) {
	kept := make(map[string]bool)
	goes := func(p Policy) bool { return p.Version < keepFrom && p.Version != latest }
	for _, p := range all {
		if !goes(p) {
			kept[p.Digest] = true
		}
	}
	for _, p := range all {
		if !goes(p) {
			continue
		}
		versions = append(versions, p.Version)
		if !kept[p.Digest] && !slices.Contains(digests, p.Digest) {
			digests = append(digests, p.Digest)
		}
	}
	slices.Sort(versions)
	return versions, digests
}

// validDigest accepts 64 lower-case hexadecimal digits. Digests name files, so nothing else may pass.
func validDigest(d string) bool {
	if len(d) != 64 {
		return false
	}
	return strings.Trim(d, "0123456789abcdef") == ""
}
