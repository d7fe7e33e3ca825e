package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func TestServers(t *testing.T) {
	for _, c := range []struct {
		in, out, err string
	}{
		{"nats://127.0.0.1:4222", "nats://127.0.0.1:4222", ""},
		{"localhost", "nats://localhost", ""},
		{"localhost:4222, tls://b:4223", "nats://localhost:4222,tls://b:4223", ""},
		{"", "", "no nats server address"},
		{"nats://", "", "expected nats://host:port"},
		{"nats://me:s3cret@h:4222", "", "credentials"},
		{"nats://s3cret@h:4222", "", "credentials"},
		{"s3cret@h:4222", "", "credentials"},
		{"a:1,nats://s3cret@h:4222", "", "credentials"},
		{"nats://me:s3cret%zz@h:4222", "", "credentials"}, // does not even parse
	} {
		got, err := servers(c.in)
		if got != c.out || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%q: expected %q, %q, got %q, %v", c.in, c.out, c.err, got, err)
		}
		if err != nil && strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: the message shows the secret: %v", c.in, err)
		}
	}
}

func FuzzServers(f *testing.F) {
	for _, s := range []string{"nats://h:1", "a@b", "nats://u:p@h,c", "::", "nats://[::1]:4222", "x://y@", "nats://h/#@"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		out, err := servers(in)
		if err != nil {
			return
		}
		for _, one := range strings.Split(out, ",") {
			// Nothing that a client could take for user information gets through.
			host, _, _ := strings.Cut(strings.SplitN(one, "://", 2)[1], "/")
			if at := strings.IndexByte(host, '@'); at >= 0 && !strings.ContainsAny(host[:at], "?#") {
				t.Errorf("%q was accepted as %q", in, out)
			}
		}
	})
}

func TestValidName(t *testing.T) {
	for name, ok := range map[string]bool{
		"r1": true, "My_run-7": true, "": false, "a.b": false, "a b": false, "a/b": false, "é": false, "*": false,
		strings.Repeat("x", 100): true, strings.Repeat("x", 101): false,
	} {
		if err := validName("run", name); (err == nil) != ok || err != nil && !errors.Is(err, ErrName) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestDifferences(t *testing.T) {
	o := RunOptions{}
	base := func() jetstream.StreamConfig { return streamConfig("r", Rollouts, o) }
	for _, c := range []struct {
		name   string
		change func(*jetstream.StreamConfig)
		opt    RunOptions
		want   string
	}{
		{"same", func(*jetstream.StreamConfig) {}, RunOptions{}, ""},
		{"operator gave it three replicas and a limit", func(c *jetstream.StreamConfig) { c.Replicas = 3; c.MaxBytes = 1 << 30 }, RunOptions{}, ""},
		{"longer window", func(c *jetstream.StreamConfig) { c.Duplicates = 3 * time.Hour }, RunOptions{DuplicateWindow: time.Hour}, ""},
		{"shorter window", func(c *jetstream.StreamConfig) { c.Duplicates = time.Minute }, RunOptions{DuplicateWindow: time.Hour},
			"duplicate window: expected 1h0m0s, found 1m0s"},
		{"replicas asked for", func(*jetstream.StreamConfig) {}, RunOptions{Replicas: 3}, "replicas: expected 3, found 1"},
		{"subjects", func(c *jetstream.StreamConfig) { c.Subjects = []string{"x"} }, RunOptions{}, "subjects: expected [openrs.r.rollouts], found [x]"},
		{"work queue", func(c *jetstream.StreamConfig) { c.Retention = jetstream.WorkQueuePolicy }, RunOptions{}, "retention: expected Limits, found WorkQueue"},
		{"memory", func(c *jetstream.StreamConfig) { c.Storage = jetstream.MemoryStorage }, RunOptions{}, "storage: expected File, found Memory"},
		{"drops old", func(c *jetstream.StreamConfig) { c.MaxMsgs = 10; c.Discard = jetstream.DiscardOld }, RunOptions{}, "discard: expected DiscardNew, found DiscardOld"},
		{"drops old but has no limit", func(c *jetstream.StreamConfig) { c.Discard = jetstream.DiscardOld }, RunOptions{}, ""},
		{"expires", func(c *jetstream.StreamConfig) { c.MaxAge = time.Hour }, RunOptions{}, "max age: expected no limit, found 1h0m0s"},
		{"two", func(c *jetstream.StreamConfig) { c.NoAck = true; c.Sealed = true }, RunOptions{}, "no ack: expected false, found true; sealed: expected false, found true"},
	} {
		have := base()
		c.change(&have)
		if got := strings.Join(differences(have, streamConfig("r", Rollouts, c.opt), c.opt), "; "); got != c.want {
			t.Errorf("%s: expected %q, got %q", c.name, c.want, got)
		}
	}
}

func TestCheckDigest(t *testing.T) {
	empty := "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	for _, c := range []struct {
		want, body string
		ok         bool
	}{
		{empty, "", true}, {empty, "x", false}, {"", "", false}, {digestOf([]byte("x")), "x", true},
		{strings.ToUpper(empty), "", false},
	} {
		if err := checkDigest(c.want, []byte(c.body)); (err == nil) != c.ok || err != nil && !errors.Is(err, ErrDigest) {
			t.Errorf("%q, %q: %v", c.want, c.body, err)
		}
	}
}

func TestFinished(t *testing.T) {
	for _, c := range []struct {
		p    Progress
		end  uint64
		want bool
	}{
		{Progress{}, 0, true}, // a stream that ended without a message
		{Progress{Pending: 2, AckFloor: 3}, 5, false},
		{Progress{AckPending: 1, AckFloor: 4}, 5, false}, // held by another worker
		{Progress{AckFloor: 5}, 5, true},
		{Progress{AckFloor: 4}, 5, false},             // the server has not seen the last message yet
		{Progress{Pending: 1, AckFloor: 5}, 5, false}, // extended past its mark
		{Progress{AckPending: 1, AckFloor: 5}, 5, false},
	} {
		if got := c.p.finished(c.end); got != c.want {
			t.Errorf("%+v, end %d: expected %v", c.p, c.end, c.want)
		}
	}
}

func TestOutlook(t *testing.T) {
	n := func(v int64) *int64 { return &v }
	for _, c := range []struct {
		o    outlook
		want verdict
	}{
		{outlook{version: 0}, keepWaiting},
		{outlook{version: 3, latest: n(2)}, keepWaiting},
		{outlook{version: 3, latest: n(2), final: n(3)}, keepWaiting},
		{outlook{version: 3, have: true}, ready}, // entry written, newest not moved yet
		{outlook{version: 3, have: true, latest: n(9), final: n(1)}, ready},
		{outlook{version: 3, latest: n(2), final: n(2)}, noMore},
		{outlook{version: 3, final: n(-1)}, noMore},
		{outlook{version: 3, latest: n(4)}, removed},
		{outlook{version: 3, latest: n(4), final: n(4)}, removed},
	} {
		if got := c.o.decide(); got != c.want {
			t.Errorf("%+v: expected %d, got %d", c.o, c.want, got)
		}
	}
}

func TestPrunePlan(t *testing.T) {
	pol := func(v int64, d string) Policy { return Policy{Version: v, Digest: d} }
	all := []Policy{pol(2, "b"), pol(0, "a"), pol(1, "b"), pol(3, "c"), pol(4, "b")}
	for _, c := range []struct {
		keepFrom, latest int64
		versions         string
		digests          string
	}{
		{0, 4, "[]", "[]"},
		{1, 4, "[0]", "[a]"},
		{3, 4, "[0 1 2]", "[a]"}, // b is also version 4's
		{9, 4, "[0 1 2 3]", "[a c]"},
		{9, 3, "[0 1 2 4]", "[a b]"},
	} {
		v, d := prunePlan(all, c.keepFrom, c.latest)
		slices.Sort(d)
		if fmt.Sprint(v) != c.versions || fmt.Sprint(d) != c.digests {
			t.Errorf("keep from %d, latest %d: expected %s %s, got %v %v", c.keepFrom, c.latest, c.versions, c.digests, v, d)
		}
	}
}

func TestPolicyVersion(t *testing.T) {
	for key, want := range map[string]int64{"policy.0": 0, "policy.12": 12, "policy.latest": -1, "policy.final": -1,
		"policy.-1": -1, "policy.007": -1, "config.1": -1, "policy.": -1} {
		if v, ok := policyVersion(key); ok != (want >= 0) || ok && v != want {
			t.Errorf("%s: %d, %v", key, v, ok)
		}
	}
}

func FuzzParsePolicy(f *testing.F) {
	good, _ := json.Marshal(Policy{Version: 3, Digest: digestOf(nil)})
	f.Add(good)
	f.Add([]byte(`{"digest":"../../etc/passwd"}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		if pol, err := parsePolicy("policy.3", in); err == nil && !validDigest(pol.Digest) {
			t.Errorf("accepted the digest %q, which names a file", pol.Digest)
		}
	})
}

func TestTransient(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{nats.ErrTimeout, true},
		{fmt.Errorf("x: %w", context.DeadlineExceeded), true},
		{jetstream.ErrNoStreamResponse, true},
		{&jetstream.APIError{Code: 503, ErrorCode: 10077}, true},
		{&jetstream.APIError{Code: 400, ErrorCode: 10054}, false},
		{jetstream.ErrStreamNotFound, false},
		{nats.ErrConnectionClosed, false},
		{ErrDigest, false},
	} {
		if got := transient(c.err); got != c.want {
			t.Errorf("%v: expected %v", c.err, c.want)
		}
	}
}

func TestOneLine(t *testing.T) {
	for _, c := range []struct {
		in   string
		n    int
		want string
	}{{"a\r\nb\x00", 9, "a  b "}, {"äöü", 3, "ä"}, {"\xff", 3, "?"}, {"", 3, ""}} {
		if got := oneLine(c.in, c.n); got != c.want {
			t.Errorf("%q: expected %q, got %q", c.in, c.want, got)
		}
	}
}

func TestSealRefuses(t *testing.T) {
	for _, m := range []Message{
		{}, {ID: "a\nb"}, {ID: "a", Header: map[string]string{"x:": "y"}}, {ID: "a", Header: map[string]string{"": "y"}},
		{ID: "a", Header: map[string]string{"x": "y\r\nNats-Msg-Id: z"}},
	} {
		if _, err := seal("s", m); err == nil {
			t.Errorf("%+v was accepted", m)
		}
	}
}
