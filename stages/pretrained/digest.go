package pretrained

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
)

// Digest is a SHA-256 of the weights without the adapters: of each tensor's name, type, shape and bytes, in
// order of name, however they are divided into files. It tells whether adapters that were trained on one copy
// of a model meet the same weights in another. All weights are read for it, once.
func (p *Model) Digest() (string, error) {
	if p.digest != "" {
		return p.digest, nil
	}
	all := sha256.New()
	if p.folder == nil {
		config, err := p.Config.JSON()
		if err != nil {
			return "", err
		}
		fmt.Fprintf(all, "%s seed %d %s", p.Base(), p.seed, config)
		p.digest = hex.EncodeToString(all.Sum(nil))
		return p.digest, nil
	}
	names := p.folder.Names()
	sums, failed := make([][]byte, len(names)), make([]error, len(names))
	var next atomic.Int64
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(names) {
					return
				}
				sums[i], failed[i] = p.tensorDigest(names[i])
			}
		})
	}
	workers.Wait()
	for i, sum := range sums {
		if failed[i] != nil {
			return "", failed[i]
		}
		all.Write(sum)
	}
	p.digest = hex.EncodeToString(all.Sum(nil))
	return p.digest, nil
}

// hashedBytes is how much of a tensor is read before its pages are given back.
const hashedBytes = 32 << 20

func (p *Model) tensorDigest(name string) ([]byte, error) {
	t, err := p.folder.Tensor(name)
	if err != nil {
		return nil, err
	}
	h := sha256.New()
	fmt.Fprintf(h, "%q %s %v\n", t.Name, t.DType, t.Shape)
	step := hashedBytes / max(1, t.DType.Size())
	for from := 0; from < t.Len(); from += step {
		part := t.Range(from, min(t.Len(), from+step))
		h.Write(part.Bytes())
		part.Forget()
	}
	return h.Sum(nil), nil
}
