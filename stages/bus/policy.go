package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Policy describes one version of a run's weights.
type Policy struct {
	// Version counts optimizer steps; version 0 is what the run began with.
	Version int64 `json:"version"`
	// Step of the optimizer that made it, and the version it was made from (-1: none).
	Step   int64 `json:"step"`
	Parent int64 `json:"parent"`
	// Digest is the SHA-256 of the file, 64 lower-case hexadecimal digits. Publish fills it in when
	// it is empty, and checks it when it is not.
	Digest string `json:"digest"`
	// Size of the file in bytes; filled in by Publish.
	Size int64 `json:"size"`
	// File is the absolute path of the shared file that has the bytes; empty when they are in the
	// object store. Filled in by Publish.
	File string `json:"file,omitempty"`
	// Time of publishing; filled in by Publish.
	Time time.Time `json:"time"`
	// Meta is the publisher's own.
	Meta map[string]string `json:"meta,omitempty"`
}

// Policies is a run's policy store: the bytes as files in the run's shared directory, or as objects
// on the server; and in the run's bucket an entry for each version, the newest version, and the
// final one once it is known. One process publishes, any number read.
type Policies struct {
	run *Run
	dir string // of the shared files; empty: object store
}

// Policies returns the run's policy store.
func (r *Run) Policies() *Policies {
	p := &Policies{run: r}
	if r.opt.Dir != "" {
		p.dir = filepath.Join(r.opt.Dir, "policies")
	}
	return p
}

// Publish stores the file at path as the version and makes it the newest, unless a newer one is
// there. The bytes are stored before the entry, and the entry before it becomes the newest, so
// that readers never see a half of it. Publishing the same again is harmless, also after a crash
// in between; the same version with other bytes is [ErrPolicyConflict]. Returns the stored entry.
func (p *Policies) Publish(ctx context.Context, pol Policy, path string) (Policy, error) {
	if pol.Version < 0 {
		return Policy{}, fmt.Errorf("policy version %d: expected 0 or more", pol.Version)
	}
	digest, size, err := hashFile(path)
	if err != nil {
		return Policy{}, fmt.Errorf("policy %d: %w", pol.Version, err)
	}
	if pol.Digest != "" && pol.Digest != digest {
		return Policy{}, fmt.Errorf("policy %d: %w: %s has sha-256 %s, expected %s", pol.Version, ErrDigest, path, digest, pol.Digest)
	}
	pol.Digest, pol.Size, pol.Time = digest, size, time.Now().UTC()
	have, err := p.Get(ctx, pol.Version)
	switch {
	case err == nil && have.Digest != digest:
		return Policy{}, conflict(have, digest)
	case err == nil:
		return have, p.advance(ctx, pol.Version)
	case !errors.Is(err, ErrNotFound):
		return Policy{}, err
	}
	if p.dir != "" {
		if pol.File, err = place(p.dir, digest, path); err == nil {
			pol.File, err = filepath.Abs(pol.File)
		}
	} else {
		pol.File = ""
		err = p.upload(ctx, pol, path)
	}
	if err != nil {
		return Policy{}, fmt.Errorf("policy %d: %w", pol.Version, err)
	}
	entry, err := json.Marshal(pol)
	if err != nil {
		return Policy{}, err
	}
	err = p.run.bus.retry(ctx, "policy entry "+policyKey(pol.Version), func(ctx context.Context) error {
		_, err := p.run.kv.Create(ctx, policyKey(pol.Version), entry)
		return err
	})
	if errors.Is(err, jetstream.ErrKeyExists) {
		// Another publisher, or an earlier attempt of ours whose acknowledgement was lost.
		have, err := p.Get(ctx, pol.Version)
		if err == nil && have.Digest != digest {
			err = conflict(have, digest)
		}
		if err != nil {
			return Policy{}, err
		}
		return have, p.advance(ctx, pol.Version)
	}
	if err != nil {
		return Policy{}, err
	}
	return pol, p.advance(ctx, pol.Version)
}

func conflict(have Policy, digest string) error {
	return fmt.Errorf("%w: version %d has %s, new bytes have %s", ErrPolicyConflict, have.Version, have.Digest, digest)
}

// advance moves the newest version forward, never back.
func (p *Policies) advance(ctx context.Context, version int64) error {
	return p.run.bus.retry(ctx, "key "+latestKey, func(ctx context.Context) error {
		value := strconv.AppendInt(nil, version, 10)
		e, err := p.run.kv.Get(ctx, latestKey)
		switch {
		case errors.Is(err, jetstream.ErrKeyNotFound):
			_, err = p.run.kv.Create(ctx, latestKey, value)
		case err == nil:
			if have, perr := strconv.ParseInt(string(e.Value()), 10, 64); perr == nil && have >= version {
				return nil
			}
			_, err = p.run.kv.Update(ctx, latestKey, value, e.Revision())
		}
		if errors.Is(err, jetstream.ErrKeyExists) || errors.Is(err, jetstream.ErrKeyRevisionMismatch) {
			return fmt.Errorf("%w: %w", nats.ErrTimeout, err) // someone else moved it: look again
		}
		return err
	})
}

// Get returns a version's entry, or [ErrNotFound].
func (p *Policies) Get(ctx context.Context, version int64) (Policy, error) {
	value, _, err := p.run.get(ctx, policyKey(version))
	if err != nil {
		return Policy{}, err
	}
	return parsePolicy(policyKey(version), value)
}

func parsePolicy(key string, value []byte) (pol Policy, err error) {
	if err := json.Unmarshal(value, &pol); err != nil {
		return Policy{}, fmt.Errorf("policy entry %s: %w", key, err)
	}
	if !validDigest(pol.Digest) {
		return Policy{}, fmt.Errorf("policy entry %s: digest: expected 64 hexadecimal digits, found %q", key, pol.Digest)
	}
	return pol, nil
}

// Latest returns the newest version's entry, or [ErrNotFound] before the first.
func (p *Policies) Latest(ctx context.Context) (Policy, error) {
	v, err := p.number(ctx, latestKey)
	if err != nil {
		return Policy{}, err
	}
	return p.Get(ctx, v)
}

func (p *Policies) number(ctx context.Context, key string) (int64, error) {
	value, _, err := p.run.get(ctx, key)
	if err != nil {
		return 0, err
	}
	v, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("key %s of run %s: expected a version, found %q", key, p.run.name, value)
	}
	return v, nil
}

// MarkFinal says that no version after this one will be published, so that nobody waits for one.
func (p *Policies) MarkFinal(ctx context.Context, version int64) error {
	return p.run.put(ctx, finalKey, strconv.AppendInt(nil, version, 10))
}

// Final returns the final version, or [ErrNotFound] while it is not marked.
func (p *Policies) Final(ctx context.Context) (int64, error) {
	text, _, err := p.run.get(ctx, finalKey)
	if err != nil {
		return 0, err
	}
	v, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("final version of run %s: %w", p.run.name, err)
	}
	return v, nil
}

// ClearFinal takes the mark back, for a run that is extended.
func (p *Policies) ClearFinal(ctx context.Context) error { return p.run.remove(ctx, finalKey) }
