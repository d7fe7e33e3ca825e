package watch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"openrs/stages/bus"
)

// Policies is a run's policy store, as far as it is needed here; see [bus.Policies].
type Policies interface {
	Get(ctx context.Context, version int64) (bus.Policy, error)
	Latest(ctx context.Context) (bus.Policy, error)
	Final(ctx context.Context) (int64, error)
	Wait(ctx context.Context, version int64) (bus.Policy, error)
	Open(ctx context.Context, pol bus.Policy, dir string) (string, error)
}

// look is how long the catcher waits for a version before it looks whether training has ended.
const look = time.Second

// caught is a policy whose folder is made.
type caught struct {
	policy  bus.Policy
	folder  string
	skipped []Skipped // that came before it
}

// catcher makes folders of the policies that are due, one ahead of the evaluations.
type catcher struct {
	policies Policies
	budget   Budget
	dir      string // of the folders
	base     Base
	log      *slog.Logger

	mu      sync.Mutex
	begun   int       // evaluations
	pending *caught   // the newest that waits
	skipped []Skipped // since the last take
	err     error     // why it ended
	news    chan struct{}
}

// folder is where a version's model folder is.
func (c *catcher) folder(version int64) string {
	return filepath.Join(c.dir, fmt.Sprintf("version-%06d", version))
}

// run catches policies after a version until the end, the budget's or ctx's.
func (c *catcher) run(ctx context.Context, after int64) {
	err := c.catch(ctx, after)
	c.mu.Lock()
	c.err = err
	c.mu.Unlock()
	c.signal()
}

// Ends of a catcher that are no faults.
var (
	errEnded = errors.New("training has ended")
	errSpent = errors.New("the budget is spent")
)

func (c *catcher) catch(ctx context.Context, after int64) error {
	for {
		o, err := c.outlook(ctx, after)
		if err != nil {
			return err
		}
		next := c.budget.choose(o)
		switch {
		case next.ended:
			return errEnded
		case next.spent:
			return errSpent
		case next.version == unknown:
			if err := c.wait(ctx, c.budget.next(max(after, o.latest))); err != nil {
				return err
			}
			continue
		}
		var skipped []Skipped
		for _, v := range next.skipped {
			skipped = append(skipped, Skipped{v, fmt.Sprintf("version %d was there already", next.version)})
		}
		pol, err := c.fetch(ctx, next.version)
		switch {
		case gone(err):
			c.put(nil, append(skipped, Skipped{next.version, "training had removed it before it could be read"}), o.begun)
		case err != nil:
			return err
		case !c.put(&caught{policy: pol, folder: c.folder(pol.Version)}, skipped, o.begun):
			continue
		}
		after = next.version
	}
}

// gone reports whether training has removed what was asked for.
func gone(err error) bool {
	return errors.Is(err, bus.ErrGone) || errors.Is(err, bus.ErrNotFound) || errors.Is(err, fs.ErrNotExist)
}

// outlook asks the run how far it is.
func (c *catcher) outlook(ctx context.Context, after int64) (outlook, error) {
	c.mu.Lock()
	o := outlook{after: after, begun: c.begun, latest: unknown, final: unknown}
	c.mu.Unlock()
	final, err := c.policies.Final(ctx)
	if err == nil {
		o.final = final
	} else if !errors.Is(err, bus.ErrNotFound) {
		return o, err
	}
	latest, err := c.policies.Latest(ctx)
	if err == nil {
		o.latest = latest.Version
	} else if !errors.Is(err, bus.ErrNotFound) {
		return o, err
	}
	return o, nil
}

// wait waits for a version, but not for long.
func (c *catcher) wait(ctx context.Context, version int64) error {
	wctx, cancel := context.WithTimeout(ctx, look)
	defer cancel()
	_, err := c.policies.Wait(wctx, version)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, bus.ErrNoMorePolicies), errors.Is(err, bus.ErrGone):
		// Settled by the next look; meanwhile the last policy may be waited for.
		select {
		case <-wctx.Done():
		case <-time.After(look / 10):
		}
		return ctx.Err()
	case err == nil || wctx.Err() != nil:
		return nil
	}
	return err
}

// fetch makes the folder of a version.
func (c *catcher) fetch(ctx context.Context, version int64) (bus.Policy, error) {
	pol, err := c.policies.Get(ctx, version)
	if err != nil {
		return pol, err
	}
	downloads := filepath.Join(c.dir, "downloads")
	path, err := c.policies.Open(ctx, pol, downloads)
	if err != nil {
		return pol, err
	}
	if pol.File == "" {
		defer os.RemoveAll(downloads)
	}
	return pol, c.base.Folder(c.folder(version), path, pol)
}

// put offers a policy that was chosen when so many evaluations had begun; if there are more now and they are
// counted, it is for another choice to be made, and put returns false. A policy that still waits gives way.
func (c *catcher) put(p *caught, skipped []Skipped, begun int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p != nil && c.budget.Evaluations > 0 && c.begun != begun {
		c.remove(p.folder)
		return false
	}
	if c.pending != nil && p != nil {
		c.skipped = append(c.skipped, Skipped{c.pending.policy.Version, fmt.Sprintf("version %d came while it waited", p.policy.Version)})
		c.remove(c.pending.folder)
	}
	c.skipped = append(c.skipped, skipped...)
	if p != nil {
		c.pending = p
	}
	c.signal()
	return true
}

func (c *catcher) remove(folder string) {
	if err := os.RemoveAll(folder); err != nil {
		c.log.Warn("a policy's folder stays", "error", err)
	}
}

func (c *catcher) signal() {
	select {
	case c.news <- struct{}{}:
	default:
	}
}

// take waits for the next policy. Its error tells why there is none; what was skipped is returned in either case.
func (c *catcher) take(ctx context.Context) (*caught, error) {
	for {
		c.mu.Lock()
		p, err := c.pending, c.err
		if p != nil || err != nil {
			if p == nil {
				p = &caught{}
			} else {
				err = nil
				c.begun++
			}
			p.skipped, c.skipped, c.pending = c.skipped, nil, nil
			c.mu.Unlock()
			return p, err
		}
		c.mu.Unlock()
		select {
		case <-ctx.Done():
			return &caught{}, ctx.Err()
		case <-c.news:
		}
	}
}
