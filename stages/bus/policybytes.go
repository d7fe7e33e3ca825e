package bus

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// upload puts a file into the object store under its digest.
func (p *Policies) upload(ctx context.Context, pol Policy, path string) error {
	return p.run.bus.retryFor(ctx, "uploading "+path, 0, func(ctx context.Context) error {
		if info, err := p.run.obj.GetInfo(ctx, pol.Digest); err == nil && objectDigest(info) == pol.Digest {
			return nil // objects become visible only when they are whole
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		// Without a deadline on ctx each chunk has its own.
		info, err := p.run.obj.Put(ctx, jetstream.ObjectMeta{Name: pol.Digest}, f)
		if err != nil {
			return err
		}
		if got := objectDigest(info); got != pol.Digest {
			_ = p.run.obj.Delete(ctx, pol.Digest)
			return fmt.Errorf("%w: %s changed while it was read: uploaded sha-256 %s, expected %s", ErrDigest, path, got, pol.Digest)
		}
		return nil
	})
}

// objectDigest is what the object store noted, in our notation.
func objectDigest(info *jetstream.ObjectInfo) string {
	sum, err := jetstream.DecodeObjectDigest(info.Digest)
	if err != nil {
		return info.Digest
	}
	return hex.EncodeToString(sum)
}

// Open makes a policy's bytes available as a local file and returns its path. A shared file is
// used where it lies; an object is downloaded to dir (see [Evict]), once. The digest is checked
// in either case: [ErrDigest] names both. [ErrGone] means that the version was pruned.
func (p *Policies) Open(ctx context.Context, pol Policy, dir string) (string, error) {
	if !validDigest(pol.Digest) {
		return "", fmt.Errorf("policy %d: digest: expected 64 hexadecimal digits, found %q", pol.Version, pol.Digest)
	}
	if pol.File != "" {
		path, err := p.openShared(pol)
		if err != nil {
			return "", fmt.Errorf("policy %d: %w", pol.Version, err)
		}
		return path, nil
	}
	if dir == "" {
		return "", fmt.Errorf("policy %d is in the object store: expected a folder to download it to", pol.Version)
	}
	path := policyFile(dir, pol.Digest)
	if checkFile(path, pol.Digest) == nil {
		return path, nil
	}
	err := p.run.bus.retryFor(ctx, fmt.Sprintf("downloading policy %d", pol.Version), downloadLimit(pol.Size), func(ctx context.Context) error {
		obj, err := p.run.obj.Get(ctx, pol.Digest)
		if errors.Is(err, jetstream.ErrObjectNotFound) {
			return fmt.Errorf("%w: object %s", ErrGone, pol.Digest)
		}
		if err != nil {
			return err
		}
		defer obj.Close()
		_, err = store(dir, pol.Digest, obj)
		return err
	})
	if err != nil {
		return "", err
	}
	return path, nil
}

// openShared finds the shared file, also where this machine has the run's directory at another path.
func (p *Policies) openShared(pol Policy) (string, error) {
	paths := []string{pol.File}
	if p.dir != "" {
		paths = []string{policyFile(p.dir, pol.Digest), pol.File}
	}
	for _, path := range paths {
		err := checkFile(path, pol.Digest)
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return path, err
		}
	}
	return "", fmt.Errorf("%w: expected the file %s: it was pruned, or this machine does not share the run's directory", ErrGone, pol.File)
}

// downloadLimit bounds one attempt: a minute, and a second for each megabyte.
func downloadLimit(size int64) time.Duration {
	return time.Minute + time.Duration(size>>20)*time.Second
}

// Prune removes the versions below keepFrom, except the newest, with their bytes. Bytes go before
// entries, so that an interrupted Prune is finished by the next.
func (p *Policies) Prune(ctx context.Context, keepFrom int64) error {
	latest, err := p.number(ctx, latestKey)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	all, err := p.list(ctx)
	if err != nil {
		return err
	}
	versions, digests := prunePlan(all, keepFrom, latest)
	for _, d := range digests {
		if p.dir != "" {
			if err := os.Remove(policyFile(p.dir, d)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		err := p.run.bus.retry(ctx, "removing object "+d, func(ctx context.Context) error {
			err := p.run.obj.Delete(ctx, d)
			if errors.Is(err, jetstream.ErrObjectNotFound) {
				return nil
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	for _, v := range versions {
		if err := p.run.remove(ctx, policyKey(v)); err != nil {
			return err
		}
	}
	return nil
}

// list returns the entries of all versions.
func (p *Policies) list(ctx context.Context) (all []Policy, err error) {
	var keys []string
	err = p.run.bus.retry(ctx, "listing policies", func(ctx context.Context) error {
		keys = keys[:0]
		l, err := p.run.kv.ListKeysFiltered(ctx, "policy.*")
		if err != nil {
			return err
		}
		defer l.Stop()
		for key := range l.Keys() {
			keys = append(keys, key)
		}
		return ctx.Err() // a list cut off by the deadline is not a list
	})
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		v, ok := policyVersion(key)
		if !ok {
			continue
		}
		pol, err := p.Get(ctx, v)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, pol)
	}
	return all, nil
}
