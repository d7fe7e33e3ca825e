package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// RunOptions say how a run's streams are created. A zero field means the default when they are
// created, and "as it is" when they exist.
type RunOptions struct {
	// Replicas of every stream in a cluster, 1 to 5.
	Replicas int
	// DuplicateWindow is how long the server remembers message ids; default [DefaultDuplicateWindow].
	DuplicateWindow time.Duration
	// MaxBytes limits each record stream; a full stream makes publishers wait. Default: no limit.
	MaxBytes int64
	// Dir is the run's directory on a file system that its stages share. With it, policies are files
	// in Dir/policies and the store holds references; without it their bytes go to the object store.
	Dir string
}

// Run is one run's streams, bucket and policy store. Safe for concurrent use.
type Run struct {
	bus  *Bus
	name string
	opt  RunOptions
	kv   jetstream.KeyValue
	obj  jetstream.ObjectStore
}

// Run creates what the run owns on the server, or attaches to it. A stream that exists with a
// configuration under which messages could be lost is an [ErrIncompatible] that names the difference.
func (b *Bus) Run(ctx context.Context, name string, o RunOptions) (*Run, error) {
	if err := validName("run", name); err != nil {
		return nil, err
	}
	r := &Run{bus: b, name: name, opt: o}
	for _, s := range append(Streams(), dead) {
		if err := r.ensure(ctx, streamConfig(name, s, o)); err != nil {
			return nil, err
		}
	}
	err := b.retry(ctx, "key-value bucket "+bucketName(name), func(ctx context.Context) (err error) {
		r.kv, err = b.js.KeyValue(ctx, bucketName(name))
		if errors.Is(err, jetstream.ErrBucketNotFound) {
			r.kv, err = b.js.CreateKeyValue(ctx, jetstream.KeyValueConfig{
				Bucket: bucketName(name), Description: "openrs run " + name, Replicas: max(o.Replicas, 1)})
		}
		if errors.Is(err, jetstream.ErrBucketExists) { // another stage made it in between
			r.kv, err = b.js.KeyValue(ctx, bucketName(name))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	err = b.retry(ctx, "object store "+policyStoreName(name), func(ctx context.Context) (err error) {
		r.obj, err = b.js.ObjectStore(ctx, policyStoreName(name))
		if errors.Is(err, jetstream.ErrBucketNotFound) {
			r.obj, err = b.js.CreateObjectStore(ctx, jetstream.ObjectStoreConfig{
				Bucket: policyStoreName(name), Description: "openrs run " + name + ": policies", Replicas: max(o.Replicas, 1)})
		}
		if errors.Is(err, jetstream.ErrBucketExists) {
			r.obj, err = b.js.ObjectStore(ctx, policyStoreName(name))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// Name of the run.
func (r *Run) Name() string { return r.name }

// MaxPayload is the largest message, with its headers, that the server accepts, in bytes.
func (r *Run) MaxPayload() int64 { return r.bus.MaxPayload() }

// ensure creates a stream, or checks the one that exists.
func (r *Run) ensure(ctx context.Context, want jetstream.StreamConfig) error {
	return r.bus.retry(ctx, "stream "+want.Name, func(ctx context.Context) error {
		s, err := r.bus.js.Stream(ctx, want.Name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			s, err = r.bus.js.CreateStream(ctx, want)
			if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) { // created by another stage in between
				s, err = r.bus.js.Stream(ctx, want.Name)
			}
		}
		if err != nil {
			return err
		}
		return compatible(s.CachedInfo().Config, want, r.opt)
	})
}

// Last returns the sequence number of the newest message of a stream, 0 when it has had none.
func (r *Run) Last(ctx context.Context, s Stream) (uint64, error) {
	state, err := r.state(ctx, s)
	return state.LastSeq, err
}

// state asks the server for a stream's extent.
func (r *Run) state(ctx context.Context, s Stream) (state jetstream.StreamState, err error) {
	if !known(s) {
		return state, unknownStream(s, r)
	}
	err = r.bus.retry(ctx, "stream "+streamName(r.name, s), func(ctx context.Context) error {
		str, err := r.bus.js.Stream(ctx, streamName(r.name, s))
		if err != nil {
			return err
		}
		state = str.CachedInfo().State
		return nil
	})
	return state, err
}

// PutConfig stores a stage's resolved configuration, a JSON document, with the run.
func (r *Run) PutConfig(ctx context.Context, stage string, json []byte) error {
	if err := validName("stage", stage); err != nil {
		return err
	}
	return r.put(ctx, "config."+stage, json)
}

// GetConfig returns what PutConfig stored for the stage, or [ErrNotFound].
func (r *Run) GetConfig(ctx context.Context, stage string) ([]byte, error) {
	if err := validName("stage", stage); err != nil {
		return nil, err
	}
	value, _, err := r.get(ctx, "config."+stage)
	return value, err
}

// get reads a key of the run's bucket: its value and revision, or ErrNotFound.
func (r *Run) get(ctx context.Context, key string) (value []byte, revision uint64, err error) {
	err = r.bus.retry(ctx, "key "+key+" of run "+r.name, func(ctx context.Context) error {
		e, err := r.kv.Get(ctx, key)
		if errors.Is(err, jetstream.ErrKeyNotFound) {
			return fmt.Errorf("%w", ErrNotFound)
		}
		if err != nil {
			return err
		}
		value, revision = e.Value(), e.Revision()
		return nil
	})
	return value, revision, err
}

// put writes a key of the run's bucket. Writing the same value twice is harmless, so it is retried.
func (r *Run) put(ctx context.Context, key string, value []byte) error {
	return r.bus.retry(ctx, "key "+key+" of run "+r.name, func(ctx context.Context) error {
		_, err := r.kv.Put(ctx, key, value)
		return err
	})
}

// remove deletes a key; one that does not exist is no error.
func (r *Run) remove(ctx context.Context, key string) error {
	return r.bus.retry(ctx, "key "+key+" of run "+r.name, func(ctx context.Context) error {
		return r.kv.Purge(ctx, key)
	})
}
