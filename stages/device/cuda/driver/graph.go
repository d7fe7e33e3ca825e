//go:build cuda

package driver

// #include <cuda.h>
import "C"

import (
	"cmp"
	"fmt"
)

// Graph is a recording of what was put into a stream, ready to be put there again in one call. Kernel arguments, sizes and
// addresses are as they were; what pinned memory holds is read when it runs.
type Graph struct {
	name string // for messages
	x    C.CUgraphExec
}

// BeginCapture makes s record, until EndCapture, what is put into it instead of doing it, on the thread. Until then
// nothing may wait for the GPU, allocate, free or load a module.
func (s Stream) BeginCapture() error {
	return result(C.cuStreamBeginCapture(stream(s), C.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL))
}

// EndCapture returns what s has recorded since BeginCapture, on the thread. A capture that has gone wrong ends with an
// error, and s is as before.
func (s Stream) EndCapture() (*Graph, error) {
	var recorded C.CUgraph
	if err := result(C.cuStreamEndCapture(stream(s), &recorded)); err != nil {
		return nil, err
	}
	var g Graph
	err := result(C.cuGraphInstantiateWithFlags(&g.x, recorded, 0))
	if e := result(C.cuGraphDestroy(recorded)); err == nil {
		err = e
	}
	if err != nil {
		g.Destroy()
		return nil, err
	}
	return &g, nil
}

// Capture returns a graph of launches, which are all for s, on the thread. Modules that they need are loaded first. The
// name is for messages.
func (c *Context) Capture(name string, s Stream, launches []Launch) (*Graph, error) {
	for i := range launches {
		if err := c.prepare(&launches[i]); err != nil {
			return nil, fmt.Errorf("%s: %w", launches[i].Function.Name, err)
		}
	}
	if err := s.BeginCapture(); err != nil {
		return nil, err
	}
	var failed error
	for i := range launches {
		if err := launches[i].enqueue(); err != nil {
			failed = fmt.Errorf("%s: %w", launches[i].Function.Name, err)
			break
		}
	}
	g, err := s.EndCapture() // whatever happened, so that s is as before
	if failed != nil && g != nil {
		g.Destroy()
	}
	if failed = cmp.Or(failed, err); failed != nil {
		return nil, failed
	}
	g.name = name
	return g, nil
}

// Replay puts the recording into s, on the thread.
func (c *Context) Replay(g *Graph, s Stream) error {
	if err := g.Launch(s); err != nil {
		return err
	}
	c.last.Store(&g.name)
	return nil
}

// Launch puts the recording into s, on the thread.
func (g *Graph) Launch(s Stream) error { return result(C.cuGraphLaunch(g.x, stream(s))) }

// Destroy frees the graph, on the thread. A run under way ends as it would.
func (g *Graph) Destroy() error {
	if g.x == nil {
		return nil
	}
	x := g.x
	g.x = nil
	return result(C.cuGraphExecDestroy(x))
}
