package engine

// sequence is a list of tokens of which the first `cached` have their keys and values in the cache.
// sample −1 is a group's prompt, which is computed once and then forks into the group's samples.
type sequence struct {
	req      *request
	sample   int
	tokens   []int32 // the prompt and what has been sampled
	cached   int
	pages    []int32
	logprobs []float32
	finish   string // "" while it runs
	key      streamKey
}

// request is a Request under way.
type request struct {
	Request
	samples []*sequence // in order; nil until the prompt has forked
	left    int         // samples not finished
}

// width is how many sequences s will become.
func (s *sequence) width() int {
	if s.sample < 0 {
		return s.req.Samples
	}
	return 1
}

// work is one sequence's part of a step: tokens [start, start+n) are computed; with sample the last
// of them predicts the next token.
type work struct {
	seq      *sequence
	start, n int
	sample   bool
}

// pageCopy asks for a page to be copied before the next step.
type pageCopy struct{ src, dst int32 }

// scheduler decides what each step computes. It is a state machine: plan, then advance with what was
// sampled, and so on. It knows pages but no model.
type scheduler struct {
	pages   *pages
	maxSeqs int // sequences that run together
	chunk   int // prompt tokens a step, beside one token of each decoding sequence

	waiting []*sequence // in order; not in the cache
	running []*sequence // in order of admission: the last is preempted first

	preemptions int
}

func (s *scheduler) idle() bool { return len(s.waiting)+len(s.running) == 0 }

// add queues a request's prompt.
func (s *scheduler) add(r *request) {
	s.waiting = append(s.waiting, &sequence{req: r, sample: -1, tokens: r.Prompt})
}

// width is how many sequences are held, a waiting or unforked prompt counted as its samples.
func (s *scheduler) width() int {
	n := 0
	for _, q := range s.running {
		n += q.width()
	}
	for _, q := range s.waiting {
		n += q.width()
	}
	return n
}

// plan returns the next step's work: every running sequence in order of admission, then waiting ones
// as long as there is room. A running sequence that finds no free page takes those of the youngest
// one, which waits and is computed again later; the oldest therefore always gets on.
func (s *scheduler) plan() []work {
	var step []work
	chunk := s.chunk
	add := func(q *sequence) bool {
		n := len(q.tokens) - q.cached
		if n > 1 {
			if n = min(n, chunk); n == 0 {
				return true // the step is full: q keeps its place
			}
		}
		if !s.reserve(q, q.cached+n) {
			return false
		}
		if len(q.tokens)-q.cached > 1 {
			chunk -= n
		}
		step = append(step, work{seq: q, start: q.cached, n: n, sample: q.cached+n == len(q.tokens)})
		return true
	}
	for i := 0; i < len(s.running); i++ {
		q := s.running[i]
		for !add(q) {
			last := len(s.running) - 1
			victim := s.running[last]
			s.running = s.running[:last]
			s.preempt(victim)
			if victim == q {
				break
			}
		}
	}
	width := 0
	for _, q := range s.running {
		width += q.width()
	}
	for len(s.waiting) > 0 && chunk > 0 {
		q := s.waiting[0]
		if len(s.running) > 0 && (width+q.width() > s.maxSeqs || s.pages.count(len(q.tokens)) >= s.pages.available()) {
			break
		}
		if !add(q) {
			break
		}
		s.waiting = s.waiting[1:]
		s.running = append(s.running, q)
		width += q.width()
	}
	return step
}

// reserve makes q hold pages for n positions, or reports that there are too few.
func (s *scheduler) reserve(q *sequence, n int) bool {
	for len(q.pages) < s.pages.count(n) {
		page, ok := s.pages.take()
		if !ok {
			return false
		}
		q.pages = append(q.pages, page)
	}
	return true
}

// preempt takes q's pages away; it will be computed again from its tokens.
func (s *scheduler) preempt(q *sequence) {
	s.pages.release(q.pages)
	q.pages, q.cached = nil, 0
	s.waiting = append([]*sequence{q}, s.waiting...)
	s.preemptions++
}

// computed records that a step's work is in the cache.
func (s *scheduler) computed(step []work) {
	for _, w := range step {
		w.seq.cached = w.start + w.n
	}
}

// fork replaces a computed prompt by the samples of its group. They share its full pages; the page
// that is partly filled goes to the first sample and is copied for the others, and a sample for
// which there is no page waits and is computed again.
func (s *scheduler) fork(prompt *sequence) []pageCopy {
	r := prompt.req
	r.samples = make([]*sequence, r.Samples)
	r.left = r.Samples
	full := prompt.cached / s.pages.size
	var copies []pageCopy
	var forks []*sequence
	for i := range r.samples {
		q := &sequence{
			req: r, sample: i, cached: prompt.cached,
			tokens: append(make([]int32, 0, len(prompt.tokens)+16), prompt.tokens...),
			key:    newStreamKey(r.Seed, r.ProblemID, r.FirstSample+int32(i)),
		}
		r.samples[i] = q
		if i == 0 {
			q.pages = append([]int32(nil), prompt.pages...)
			forks = append(forks, q)
			continue
		}
		if len(prompt.pages) > full { // the partly filled page
			page, ok := s.pages.take()
			if !ok {
				q.cached = 0
				s.waiting = append(s.waiting, q)
				continue
			}
			copies = append(copies, pageCopy{src: prompt.pages[full], dst: page})
			q.pages = append(append(make([]int32, 0, full+4), prompt.pages[:full]...), page)
		} else {
			q.pages = append([]int32(nil), prompt.pages...)
		}
		for _, page := range prompt.pages[:full] {
			s.pages.share(page)
		}
		forks = append(forks, q)
	}
	for i, q := range s.running {
		if q == prompt {
			s.running = append(s.running[:i], append(forks, s.running[i+1:]...)...)
			break
		}
	}
	return copies
}

// sampled appends a token to q and ends it when the token is a stop token or the last it may have.
// It reports whether q's request is complete.
func (s *scheduler) sampled(q *sequence, token int32, logprob float32) bool {
	q.tokens = append(q.tokens, token)
	q.logprobs = append(q.logprobs, logprob)
	switch {
	case q.req.stops(token):
		return s.end(q, FinishStop)
	case len(q.logprobs) >= q.req.MaxNewTokens:
		return s.end(q, FinishLength)
	}
	return false
}

// end finishes q and reports whether its request is complete.
func (s *scheduler) end(q *sequence, finish string) bool {
	q.finish = finish
	s.pages.release(q.pages)
	q.pages = nil
	s.drop(q)
	q.req.left--
	return q.req.left == 0
}

// drop removes q from the lists. A sample that waits for a page has sampled its first token too.
func (s *scheduler) drop(q *sequence) {
	for _, list := range []*[]*sequence{&s.running, &s.waiting} {
		for i, x := range *list {
			if x == q {
				*list = append((*list)[:i], (*list)[i+1:]...)
				return
			}
		}
	}
}
