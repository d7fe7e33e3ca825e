package bus

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// weights writes a file of a few object chunks.
func weights(t *testing.T, dir, text string) string {
	t.Helper()
	path := filepath.Join(dir, "model.safetensors")
	if err := os.WriteFile(path, []byte(strings.Repeat(text, 300_000)), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func publishPolicy(t *testing.T, p *Policies, version int64, text string) Policy {
	t.Helper()
	pol, err := p.Publish(within(t), Policy{Version: version, Step: version, Parent: version - 1}, weights(t, t.TempDir(), text))
	if err != nil {
		t.Fatal(err)
	}
	return pol
}

// Both ways to carry the bytes behave the same.
func TestPolicies(t *testing.T) {
	for name, shared := range map[string]bool{"files": true, "objects": false} {
		t.Run(name, func(t *testing.T) {
			_, r := open(t)
			if shared {
				r.opt.Dir = t.TempDir()
			}
			ctx, p, dir := within(t), r.Policies(), t.TempDir()
			_, err := p.Latest(ctx)
			wantErr(t, err, ErrNotFound)
			if err := p.Prune(ctx, 5); err != nil {
				t.Fatal(err)
			}
			p0 := publishPolicy(t, p, 0, "zero")
			p1, err := p.Publish(ctx, Policy{Version: 1, Parent: 0, Digest: digestOf([]byte(strings.Repeat("one", 300_000))),
				Meta: map[string]string{"lr": "1e-6"}}, weights(t, t.TempDir(), "one"))
			if err != nil {
				t.Fatal(err)
			}
			if (p1.File != "") != shared || p1.Size != 900_000 || p0.Parent != -1 {
				t.Errorf("unexpected entries %+v, %+v", p0, p1)
			}
			if got, err := p.Latest(ctx); err != nil || got.Version != 1 || got.Digest != p1.Digest || got.Meta["lr"] != "1e-6" || got.Time.IsZero() {
				t.Fatalf("latest: %+v, %v", got, err)
			}
			if again := publishPolicy(t, p, 0, "zero"); !again.Time.Equal(p0.Time) {
				t.Errorf("publishing again changed the entry: %+v, %+v", p0, again)
			}
			if got, err := p.Latest(ctx); err != nil || got.Version != 1 {
				t.Errorf("publishing an old one again moved the newest: %+v, %v", got, err)
			}
			_, err = p.Publish(ctx, Policy{Version: 1}, weights(t, t.TempDir(), "two"))
			wantErr(t, err, ErrPolicyConflict)
			_, err = p.Publish(ctx, Policy{Version: 2, Digest: p0.Digest}, weights(t, t.TempDir(), "two"))
			wantErr(t, err, ErrDigest)
			_, err = p.Publish(ctx, Policy{Version: 2}, filepath.Join(dir, "nothing"))
			wantErr(t, err, os.ErrNotExist)
			for range 2 { // the second time it is there
				path, err := p.Open(ctx, p1, dir)
				if err != nil {
					t.Fatal(err)
				}
				if err := checkFile(path, p1.Digest); err != nil {
					t.Fatal(err)
				}
				if shared != (path == p1.File) || !shared && filepath.Dir(path) != dir {
					t.Errorf("opened at %s", path)
				}
			}
			_, err = p.Open(ctx, Policy{Digest: "../x"}, dir)
			if err == nil {
				t.Error("a digest that is a path was accepted")
			}
			p2 := publishPolicy(t, p, 2, "zero") // the same bytes as version 0
			if err := p.Prune(ctx, 2); err != nil {
				t.Fatal(err)
			}
			_, err = p.Get(ctx, 1)
			wantErr(t, err, ErrNotFound)
			_, err = p.Wait(ctx, 1)
			wantErr(t, err, ErrGone)
			if !shared {
				if err := Evict(dir); err != nil {
					t.Fatal(err)
				}
			}
			_, err = p.Open(ctx, p1, dir)
			wantErr(t, err, ErrGone)
			if _, err := p.Open(ctx, p2, dir); err != nil {
				t.Errorf("the bytes that version 2 shares with a pruned one are gone: %v", err)
			}
			if err := p.Prune(ctx, 99); err != nil {
				t.Fatal(err)
			}
			if got, err := p.Latest(ctx); err != nil || got.Version != 2 {
				t.Errorf("the newest was pruned: %+v, %v", got, err)
			}
		})
	}
}

// A publisher that died between its steps is completed by publishing again.
func TestPolicyPublishAfterACrash(t *testing.T) {
	_, r := open(t)
	ctx, p := within(t), r.Policies()
	publishPolicy(t, p, 0, "zero")
	publishPolicy(t, p, 1, "one")
	if err := r.put(ctx, latestKey, []byte("0")); err != nil { // as if it died before moving the newest
		t.Fatal(err)
	}
	publishPolicy(t, p, 1, "one")
	if got, err := p.Latest(ctx); err != nil || got.Version != 1 {
		t.Errorf("latest: %+v, %v", got, err)
	}
}

func TestDamagedPolicies(t *testing.T) {
	_, r := open(t)
	r.opt.Dir = t.TempDir()
	ctx, p := within(t), r.Policies()
	pol := publishPolicy(t, p, 0, "zero")
	if err := os.WriteFile(pol.File, []byte("damaged"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := p.Open(ctx, pol, "")
	wantErr(t, err, ErrDigest)
	if got := digestOf([]byte("damaged")); !strings.Contains(err.Error(), got) || !strings.Contains(err.Error(), pol.Digest) {
		t.Errorf("both digests should be named: %v", err)
	}
	// Other bytes under the object's name, as a broken store would have.
	r.opt.Dir = ""
	p, dir := r.Policies(), t.TempDir()
	pol = publishPolicy(t, p, 1, "one")
	if _, err := r.obj.Put(ctx, jetstream.ObjectMeta{Name: pol.Digest}, strings.NewReader("other")); err != nil {
		t.Fatal(err)
	}
	_, err = p.Open(ctx, pol, dir)
	wantErr(t, err, ErrDigest)
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("a failed download left %v, %v", entries, err)
	}
	if _, err = p.Open(ctx, pol, ""); err == nil {
		t.Error("a download to nowhere")
	}
	if _, err := parsePolicy("policy.1", []byte("{")); err == nil || !strings.Contains(err.Error(), "policy.1") {
		t.Errorf("a damaged entry: %v", err)
	}
}

func TestWait(t *testing.T) {
	_, r := open(t)
	ctx, p := within(t), r.Policies()
	publishPolicy(t, p, 0, "zero")
	if got, err := p.Wait(ctx, 0); err != nil || got.Version != 0 {
		t.Fatalf("%+v, %v", got, err)
	}
	type result struct {
		pol Policy
		err error
	}
	wait := func(v int64) chan result {
		c := make(chan result, 1)
		go func() {
			pol, err := p.Wait(ctx, v)
			c <- result{pol, err}
		}()
		return c
	}
	one, five := wait(1), wait(5)
	want := publishPolicy(t, p, 1, "one")
	if got := <-one; got.err != nil || got.pol.Digest != want.Digest {
		t.Errorf("%+v", got)
	}
	if err := p.MarkFinal(ctx, 2); err != nil {
		t.Fatal(err)
	}
	if got := <-five; !errors.Is(got.err, ErrNoMorePolicies) || !strings.Contains(got.err.Error(), "policy 5") {
		t.Errorf("%+v", got)
	}
	two := wait(2) // final, and still to come
	publishPolicy(t, p, 2, "two")
	if got := <-two; got.err != nil {
		t.Errorf("%+v", got)
	}
	if err := p.ClearFinal(ctx); err != nil {
		t.Fatal(err)
	}
	var log lines
	r.bus.log, r.bus.sayEvery = textLog(&log), 20*time.Millisecond
	short, cancel := context.WithCancel(ctx)
	three := make(chan error, 1)
	go func() { _, err := p.Wait(short, 3); three <- err }()
	log.await(t, `"waiting for a policy" run=r1 version=3 latest=2`)
	cancel()
	wantErr(t, <-three, context.Canceled)
}

func TestPoliciesThroughARestart(t *testing.T) {
	s, r := open(t)
	ctx, p := within(t), r.Policies()
	done := make(chan error, 1)
	go func() {
		pol, err := p.Wait(ctx, 0)
		if err == nil {
			_, err = p.Open(ctx, pol, filepath.Join(t.TempDir(), "cache"))
		}
		done <- err
	}()
	s.Stop()
	up := make(chan struct{})
	go func() {
		defer close(up)
		time.Sleep(100 * time.Millisecond)
		s.Restart()
	}()
	publishPolicy(t, p, 0, "zero")
	<-up
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestStore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "policies")
	d := digestOf([]byte("x"))
	for _, stale := range []string{"", "damaged"} {
		if stale != "" {
			if err := os.WriteFile(policyFile(dir, d), []byte(stale), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		from := filepath.Join(t.TempDir(), "x")
		if err := os.WriteFile(from, []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := place(dir, d, from); err != nil {
			t.Fatal(err)
		}
		if err := checkFile(policyFile(dir, d), d); err != nil {
			t.Errorf("after placing over %q: %v", stale, err)
		}
	}
	_, err := store(dir, d, strings.NewReader("y"))
	wantErr(t, err, ErrDigest)
	for name, text := range map[string]string{".policy-1.tmp": "", "notes.txt": "", digestOf([]byte("y")) + policyExt: "y"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := Evict(dir, Policy{Digest: d}); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if want := fmt.Sprint([]string{d + policyExt, "notes.txt"}); err != nil || fmt.Sprint(names) != want {
		t.Errorf("expected %s, found %v, %v", want, names, err)
	}
	if err := Evict(filepath.Join(dir, "nowhere")); err != nil {
		t.Error(err)
	}
}
