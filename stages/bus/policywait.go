package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Wait returns a version's entry as soon as it is published, and logs every ten seconds that it
// waits. It returns [ErrNoMorePolicies] when the run's final version is lower, and [ErrGone] when
// the version has been pruned.
func (p *Policies) Wait(ctx context.Context, version int64) (Policy, error) {
	what := fmt.Sprintf("policy %d of run %s", version, p.run.name)
	if version < 0 {
		return Policy{}, fmt.Errorf("%s: expected version 0 or more", what)
	}
	wctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var changes <-chan struct{}
	say := reporter{every: p.run.bus.sayEvery, last: time.Now()}
	for {
		pol, err := p.look(ctx, version)
		switch {
		case err == nil:
			return pol, nil
		case ctx.Err() != nil:
			return Policy{}, fmt.Errorf("waiting for %s: %w", what, ctx.Err())
		case !errors.Is(err, ErrNotFound) && !transient(err):
			return Policy{}, fmt.Errorf("waiting for %s: %w", what, err)
		}
		if changes == nil { // most are there at the first look
			changes = p.watch(wctx, version)
		}
		if say.due() {
			latest, lerr := p.number(ctx, latestKey)
			p.run.bus.log.Info("waiting for a policy", "run", p.run.name, "version", version, "latest", latest, "any", lerr == nil)
		}
		select {
		case <-ctx.Done():
			return Policy{}, fmt.Errorf("waiting for %s: %w", what, ctx.Err())
		case <-changes:
		case <-time.After(time.Second): // a watch that got lost delays nothing for long
		}
	}
}

// look decides about a version from what the bucket says now; ErrNotFound means wait.
func (p *Policies) look(ctx context.Context, version int64) (Policy, error) {
	pol, err := p.Get(ctx, version)
	if err == nil || !errors.Is(err, ErrNotFound) {
		return pol, err
	}
	o := outlook{version: version}
	for key, to := range map[string]**int64{latestKey: &o.latest, finalKey: &o.final} {
		if v, err := p.number(ctx, key); err == nil {
			*to = &v
		} else if !errors.Is(err, ErrNotFound) {
			return Policy{}, err
		}
	}
	// Read again after latest: see decide.
	pol, err = p.Get(ctx, version)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return Policy{}, err
	}
	o.have = err == nil
	switch o.decide() {
	case ready:
		return pol, nil
	case noMore:
		return Policy{}, fmt.Errorf("%w: the final version is %d", ErrNoMorePolicies, *o.final)
	case removed:
		return Policy{}, fmt.Errorf("%w: the newest version is %d", ErrGone, *o.latest)
	}
	return Policy{}, err
}

// watch returns a channel that gets a value when the version's entry or the final mark changes. It
// watches until ctx is done: anew over each connection, since a watch that was being set up over a
// lost one never begins.
func (p *Policies) watch(ctx context.Context, version int64) <-chan struct{} {
	changes := make(chan struct{}, 1)
	signal := func() {
		select {
		case changes <- struct{}{}:
		default:
		}
	}
	once := func() {
		wctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(p.run.bus.connection(), cancel)()
		kw, err := p.run.kv.WatchFiltered(wctx, []string{policyKey(version), finalKey}, jetstream.UpdatesOnly())
		if err != nil {
			return
		}
		signal() // what changed before the watch began
		for {
			select {
			case <-wctx.Done():
				return
			case _, ok := <-kw.Updates():
				if !ok {
					return
				}
				signal()
			}
		}
	}
	go func() {
		for ctx.Err() == nil {
			once()
			_ = sleep(ctx, 500*time.Millisecond)
		}
	}()
	return changes
}
